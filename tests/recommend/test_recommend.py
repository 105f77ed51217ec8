"""`task=recommend`: every kind of person has a list, with a reason; filters, stock and products hold; jobs go on."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from made_up_items import events_of, made_up_items, random_events, write_events, write_index

from fashionmt.config import PredictConfig, RecommendConfig
from fashionmt.errors import TakenError, TooManyBadError, UserError
from fashionmt.recommend import recommend
from fashionmt.recommend.items import Items
from fashionmt.recommend.ranker import Ranker, RankerSizes
from fashionmt.recommend.ranker_folder import Popularity, SavedRanker, load_ranker, save_ranker


@pytest.fixture
def items() -> Items:
    items = made_up_items()
    items.products[10:13] = 10  # one product in three listings
    return items


@pytest.fixture
def index(tmp_path: Path, items: Items) -> Path:
    return write_index(tmp_path / "index", items)


@pytest.fixture
def interactions(tmp_path: Path, items: Items) -> Path:
    return write_events(tmp_path / "events.csv", random_events(items), items)


def saved_ranker(items: Items, folder: Path, digest: str | None = None) -> Path:
    """Not trained, but no weight of it is 0."""
    torch.manual_seed(1)
    ranker = Ranker(RankerSizes(16, 8, 2, 4, 3, True))
    with torch.no_grad():
        for parameter in ranker.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    ids = [items.ids[row] for row in (5, 6, 7)]
    popularity = Popularity([*ids, "gone"], torch.randn(4, 4), torch.tensor([3.0, 9.0, 5.0, 99.0]))
    bundle = items.bundle if digest is None else type(items.bundle)("runs/train/other", digest)
    save_ranker(SavedRanker(ranker, ids, popularity, bundle, True, False), folder)
    return folder


def made(index: Path, interactions: Path, folder: Path, **options: Any) -> tuple[dict[str, Any], pd.DataFrame]:
    """The summary, and the lists."""
    own = ("part_rows", "format", "max_bad_fraction", "overwrite")
    job = {name: options.pop(name) for name in own if name in options}
    asked = RecommendConfig(interactions=str(interactions), **{"model": "mean", **options})
    config = PredictConfig(task="recommend", index=str(index), output=str(folder / "lists.csv"), recommend=asked, **job)
    summary = recommend(config)
    return summary, pd.read_csv(folder / "lists.csv", dtype={"user_id": str, "item_id": str}, keep_default_na=False)


def test_lists_of_the_mean_are_those_of_a_slow_reading(
    tmp_path: Path, index: Path, interactions: Path, items: Items
) -> None:
    summary, lists = made(index, interactions, tmp_path, k=7)
    assert (summary["users"], summary["by_popularity"], summary["quarantined"]) == (30, 0, 0)
    assert list(lists.columns) == ["user_id", "rank", "item_id", "score", "reason"]
    events = random_events(items)
    likeness = (items.vectors @ items.vectors.T).double().numpy()
    for number, user in enumerate(events.users):
        own = events.item[events.user == number]
        scores = likeness[own].mean(0)
        had = set(items.products[own].tolist())
        expected: list[int] = []
        for row in np.argsort(-scores, kind="stable").tolist():
            products = {int(items.products[each]) for each in expected}
            if int(items.products[row]) not in had | products:
                expected.append(row)
        found = lists[lists["user_id"] == user]
        assert found["item_id"].tolist() == [items.ids[row] for row in expected[:7]]
        assert found["rank"].tolist() == list(range(1, 8))
        nearest = [own[np.argmax(likeness[own, row])] for row in expected[:7]]
        assert found["reason"].tolist() == [f"history: {items.ids[row]}" for row in nearest]


@pytest.mark.parametrize("model", ["mean", "ranker"])
def test_every_history_has_a_list(tmp_path: Path, index: Path, items: Items, model: str) -> None:
    """Of unknown items alone, of one item, of 10,000, of none; and k may be more than there are items."""
    name = str(saved_ranker(items, tmp_path / "ranker")) if model == "ranker" else "mean"
    long = [("long", row % 40, row / 1000) for row in range(10_000)]
    path = write_events(tmp_path / "events.csv", events_of(("one", 6, 1), ("one", 6, 2), *long), items)
    with path.open("a") as file:
        file.write("stranger,nowhere,1600000000\n")
    (tmp_path / "users.csv").write_text("user_id,gender\none,Women\nlong,Men\nstranger,Women\nnew,Men\nodd,Martian\n")
    _, lists = made(index, path, tmp_path, k=100, users=str(tmp_path / "users.csv"), model=name)
    by_user = dict(list(lists.groupby("user_id", sort=False)))
    assert list(by_user) == ["one", "long", "stranger", "new", "odd"]
    assert len(by_user["one"]) == 57  # 60 items, of which three are one product, less the one had
    assert len(by_user["long"]) == 20
    assert set(by_user["one"]["reason"]) == {"history: 106"}
    assert set(by_user["odd"]["reason"]) == {"popular"}
    genders = dict(zip(items.ids, items.attributes["gender"], strict=True))
    for user, gender in (("stranger", "Women"), ("new", "Men")):
        within = [genders[item] == gender for item in by_user[user]["item_id"]]
        assert within == sorted(within, reverse=True)
        expected = [f"popular: gender={gender}" if fits else "popular" for fits in within]
        assert by_user[user]["reason"].tolist() == expected


def test_popularity_goes_by_count_and_ties_by_id(tmp_path: Path, index: Path, items: Items) -> None:
    events = events_of(("a", 9, 1), ("b", 9, 1), ("b", 4, 1), ("c", 30, 1))
    path = write_events(tmp_path / "events.csv", events, items)
    (tmp_path / "users.csv").write_text("user_id\nnew\n")
    _, lists = made(index, path, tmp_path, k=5, users=str(tmp_path / "users.csv"))
    assert lists["item_id"].tolist() == ["109", "104", "130", "100", "101"]


def test_filters_and_stock_hold(tmp_path: Path, index: Path, interactions: Path, items: Items) -> None:
    _, lists = made(index, interactions, tmp_path, filters={"gender": ["Men", "Unisex"]}, in_stock="stock", k=30)
    rows = [items.rows[item] for item in lists["item_id"]]
    assert set(items.attributes["gender"].iloc[rows]) == {"Men", "Unisex"}
    assert {row % 2 for row in rows} == {0}


def test_what_was_had_and_twins_come_where_they_are_asked_for(
    tmp_path: Path, index: Path, interactions: Path, items: Items
) -> None:
    _, lists = made(index, interactions, tmp_path, k=100, seen=True, duplicates=True)
    assert set(lists.groupby("user_id")["item_id"].nunique()) == {60}


def test_what_was_rated_low_was_had_and_what_was_looked_at_was_not(tmp_path: Path, index: Path) -> None:
    lines = ["u,103,1,buy,5", "u,104,2,buy,1", "u,105,3,look,5", "v,104,1,buy,1", "w,106,1,buy,5"]
    events = tmp_path / "rated.csv"
    events.write_text("\n".join(["user_id,item_id,timestamp,event,rating", *lines]) + "\n")
    liked = {"events": ["buy"], "least_weight": 4.0, "k": 100}
    summary, lists = made(index, events, tmp_path, **liked)
    listed = lists.groupby("user_id")["item_id"].agg(set)
    assert summary["by_popularity"] == 1
    assert {user: {"103", "104", "105"} - items for user, items in listed.items()} == {
        "u": {"103", "104"},
        "v": {"104"},
        "w": set(),
    }
    assert set(lists[lists["user_id"] == "u"]["reason"]) == {"history: 103"}
    _, lists = made(index, events, tmp_path, **liked, seen=True, overwrite=True)
    assert "104" in set(lists[lists["user_id"] == "u"]["item_id"])


def test_parts_make_the_same_whole_and_the_same_command_goes_on(
    tmp_path: Path, index: Path, interactions: Path
) -> None:
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    _, whole = made(index, interactions, tmp_path / "whole")
    summary, parts = made(index, interactions, tmp_path / "parts", part_rows=7)
    pd.testing.assert_frame_equal(whole, parts)
    assert summary["users_done_now"] == 30
    folder = tmp_path / "parts" / "lists.csv.parts"
    assert len(list(folder.glob("part-*"))) == 5
    (folder / "part-00001-of-00005.parquet").unlink()
    summary, again = made(index, interactions, tmp_path / "parts", part_rows=7)
    assert summary["users_done_now"] == 7
    pd.testing.assert_frame_equal(whole, again)
    summary, _ = made(index, interactions, tmp_path / "parts", part_rows=7)
    assert summary["users_done_now"] == 0
    summary, again = made(index, interactions, tmp_path / "parts", part_rows=7, overwrite=True)
    assert summary["users_done_now"] == 30
    pd.testing.assert_frame_equal(whole, again)
    with pytest.raises(TakenError, match="another job's"):
        made(index, interactions, tmp_path / "parts", part_rows=7, k=3)


def test_rows_that_cannot_be_read_are_in_quarantine(tmp_path: Path, index: Path, interactions: Path) -> None:
    with interactions.open("ab") as file:
        file.write(b"u1,105,1,2,3\nu1,\xff,1600000000\n")
    (tmp_path / "users.csv").write_text("user_id,gender\nu1,Men\n,Men\nu2,x,y\nu1,Women\n")
    with pytest.raises(TooManyBadError):
        made(index, interactions, tmp_path, users=str(tmp_path / "users.csv"), max_bad_fraction=0.001)
    summary, lists = made(index, interactions, tmp_path, users=str(tmp_path / "users.csv"))
    assert summary["quarantined"] == 4
    assert set(lists["user_id"]) == {"u1"}
    table = pd.read_csv(tmp_path / "lists.csv.parts" / "quarantine.csv")
    assert table["code"].tolist() == ["ROW_RAGGED", "ROW_NOT_UTF8", "ID_MISSING", "ROW_RAGGED"]


def test_a_job_that_overwrites_never_ends_with_the_lists_of_another(
    tmp_path: Path, index: Path, interactions: Path
) -> None:
    made(index, interactions, tmp_path)
    other = tmp_path / "other.csv"
    other.write_bytes(b"user_id,item_id,timestamp\nsomeone,105,1600000000\nsomeone,\xff,1600000000\n")
    with pytest.raises(TooManyBadError):
        made(index, other, tmp_path, overwrite=True)
    assert not (tmp_path / "lists.csv").exists()
    (tmp_path / "lists.csv").write_text("user_id,rank\nu1,1\n")  # as an older version left it there
    summary, lists = made(index, other, tmp_path, max_bad_fraction=0.5)
    assert (summary["complete"], summary["users_done_now"]) == (True, 0)
    assert set(lists["user_id"]) == {"someone"}


def test_an_index_of_another_bundle_is_refused_and_both_are_named(
    tmp_path: Path, index: Path, interactions: Path, items: Items
) -> None:
    model = saved_ranker(items, tmp_path / "ranker", "e" * 64)
    with pytest.raises(UserError, match=r"runs/train/other \(eeeeeeeeeeee\).*runs/train/bundle \(dddddddddddd\)"):
        made(index, interactions, tmp_path, model=str(model))


def test_a_ranker_comes_back_bit_for_bit(tmp_path: Path, items: Items) -> None:
    folder = saved_ranker(items, tmp_path / "ranker")
    first, second = load_ranker(folder, items), load_ranker(folder, items)
    for name, value in first.ranker.state_dict().items():
        assert torch.equal(value, second.ranker.state_dict()[name])
    assert first.own_rows(items).tolist() == [5, 6, 7]
    numbers, counts = first.numbers(items)
    assert counts[5:8].tolist() == [3.0, 9.0, 5.0]
    assert numbers[:5, 3].tolist() == [1.0] * 5


@pytest.mark.parametrize("harm", ["truncate", "json", "ids", "missing", "format"])
def test_a_damaged_ranker_is_refused(tmp_path: Path, items: Items, harm: str) -> None:
    folder = saved_ranker(items, tmp_path / "ranker")
    weights, facts = folder / "ranker.safetensors", folder / "ranker.json"
    stored = json.loads(facts.read_text())
    if harm == "truncate":
        weights.write_bytes(weights.read_bytes()[:100])
    elif harm == "json":
        facts.write_text("{")
    elif harm == "ids":
        facts.write_text(json.dumps(stored | {"own_ids": ["1"]}))
    elif harm == "format":
        facts.write_text(json.dumps(stored | {"format": 2}))
    else:
        weights.unlink()
    with pytest.raises(UserError, match=r"recommend\.model"):
        load_ranker(folder, items)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"model": "nowhere"}, "holds no ranker.json"),
        ({"filters": {"gender": "Nobody"}}, "no item has this value"),
        ({"users": "nowhere.csv"}, "no such"),
    ],
)
def test_what_is_not_there_is_named(
    tmp_path: Path, index: Path, interactions: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        made(index, interactions, tmp_path, **options)


def test_without_interactions_the_command_says_what_it_needs(index: Path) -> None:
    with pytest.raises(UserError, match="not set"):
        recommend(PredictConfig(task="recommend", index=str(index)))
