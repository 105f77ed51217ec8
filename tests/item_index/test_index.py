"""An index comes back as it was written, grows without being made anew, and is refused where it is not whole."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet
import pytest
import safetensors.numpy
import torch
from items_made_up import LIKE, MARK, OTHER, made_index, made_up, vector_of

from fashionmt import storage
from fashionmt.errors import TakenError, UserError
from fashionmt.item_index import Items, add_items, load_index, newest_index, search
from fashionmt.item_index.description import Description
from fashionmt.item_index.ids import id_key, near_ids

IDS = ["10", "9", "007", "7", "x2", "x10", "123456789012345678901"]
IN_ORDER = ["007", "7", "9", "10", "123456789012345678901", "x10", "x2"]


def test_it_comes_back_in_the_order_of_ids(tmp_path: Path) -> None:
    index = made_index(tmp_path / "index", made_up(IDS, kept={"stock": list("1010101")}))
    assert index.ids == IN_ORDER == sorted(IDS, key=id_key)
    assert torch.equal(index.vectors, torch.from_numpy(np.stack([vector_of(item) for item in IN_ORDER])))
    assert index.values(index.row("10")) == {"gender": "Men", "colour": "Red"}
    assert index.kept == ["stock"]
    assert dict(zip(index.ids, index.column("kept.stock"), strict=True)) == dict(zip(IDS, "1010101", strict=True))
    assert index.description.bundle == MARK


def test_adding_equals_rebuilding(tmp_path: Path) -> None:
    ids = [str(i) for i in range(300)]
    grown = made_index(tmp_path / "grown", made_up(ids[200:]))
    first = sorted((tmp_path / "grown").glob("segment-*"))
    content = [path.read_bytes() for path in first]
    add_items(grown.folder, LIKE, [made_up(ids[:120])], "more")
    add_items(grown.folder, LIKE, [made_up(ids[120:200])], "still more")
    assert [path.read_bytes() for path in first] == content  # nothing is made anew
    grown = load_index(grown.folder, MARK)
    rebuilt = made_index(tmp_path / "rebuilt", made_up(ids))
    assert grown.ids == rebuilt.ids
    assert grown.table.equals(rebuilt.table)
    queries = torch.from_numpy(np.stack([vector_of(item, seed=9) for item in ids[:40]]))
    for one, other in zip(search(grown, queries, 20), search(rebuilt, queries, 20), strict=True):
        assert one.rows.tolist() == other.rows.tolist()
        assert one.scores.tolist() == other.scores.tolist()


def test_an_id_that_is_there_is_refused_or_replaced(tmp_path: Path) -> None:
    index = made_index(tmp_path, made_up(["1", "2", "3"]))
    refused = add_items(tmp_path, LIKE, [made_up(["3", "4", "4"], seed=5)], "more")
    assert (refused.added, refused.replaced, refused.refused, refused.repeated, refused.items) == (1, 0, 1, 1, 4)
    index = load_index(tmp_path)
    assert np.array_equal(index.vectors[index.row("3")].numpy(), vector_of("3"))
    replaced = add_items(tmp_path, LIKE, [made_up(["3", "5"], seed=6)], "new ones", existing="replace")
    assert (replaced.added, replaced.replaced, replaced.refused, replaced.items) == (2, 1, 0, 5)
    index = load_index(tmp_path)
    assert index.ids == ["1", "2", "3", "4", "5"]
    assert index.description.items == 5
    assert np.array_equal(index.vectors[index.row("3")].numpy(), vector_of("3", 6))


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    made_index(tmp_path, made_up(["1", "2"]))
    before = (tmp_path / "index.json").read_bytes()
    assert add_items(tmp_path, LIKE, [made_up(["2", "1"])], "again").same == 2
    assert (tmp_path / "index.json").read_bytes() == before


def test_what_is_there_just_so_is_added_by_nobody_again(tmp_path: Path) -> None:
    """And what a source now says otherwise takes the place of what it said before, of others' items where asked."""
    made_index(tmp_path, made_up(["1", "2"], kept={"stock": ["yes", None]}))
    before = (tmp_path / "index.json").read_bytes()
    for source, existing in (("test", "refuse"), ("test", "replace"), ("other", "replace")):
        again = [made_up(["2", "1"], pictures=["changed", "gone"], kept={"stock": [None, "yes"]})]
        told = add_items(tmp_path, LIKE, again, source, existing=existing)
        assert (told.same, told.added, told.items) == (2, 0, 2)
    assert (tmp_path / "index.json").read_bytes() == before
    changed = made_up(["1", "2"], kept={"stock": ["no", None]})
    assert add_items(tmp_path, LIKE, [changed], "other").refused == 1
    told = add_items(tmp_path, LIKE, [changed, made_up(["3"])], "test")
    assert (told.same, told.added, told.replaced, told.refused, told.items) == (1, 2, 1, 0, 3)
    assert load_index(tmp_path).column("kept.stock").tolist() == ["no", None, None]
    moved = add_items(tmp_path, LIKE, [changed], "other", images="elsewhere", existing="replace")
    assert (moved.same, moved.replaced) == (0, 2)


def test_an_interruption_leaves_the_index_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_index(tmp_path, made_up(["1", "2"]))
    effects: list[str] = []
    monkeypatch.setattr(storage, "before", lambda effect, path: effects.append(effect))
    add_items(tmp_path / "other", LIKE, [made_up(["3", "4"])], "count")
    for place in range(len(effects)):
        told = []

        def stop(effect: str, path: Path, place: int = place, told: list[str] = told) -> None:
            told.append(effect)
            if len(told) > place:
                raise KeyboardInterrupt

        monkeypatch.setattr(storage, "before", stop)
        with pytest.raises(KeyboardInterrupt):
            add_items(tmp_path, LIKE, [made_up(["3", "4"])], "stopped")
        monkeypatch.setattr(storage, "before", lambda effect, path: None)
        assert load_index(tmp_path).ids in (["1", "2"], ["1", "2", "3", "4"])
        if len(load_index(tmp_path)) == 4:
            break
    assert add_items(tmp_path, LIKE, [made_up(["3", "4"])], "again").items == 4
    assert load_index(tmp_path).ids == ["1", "2", "3", "4"]


def test_another_bundles_index_is_refused_with_both_named(tmp_path: Path) -> None:
    made_index(tmp_path, made_up(["1"]))
    for tried in (
        lambda: load_index(tmp_path, OTHER),
        lambda: add_items(tmp_path, Description(OTHER, 8, "fused", ("gender", "colour")), [made_up(["2"])], ""),
    ):
        with pytest.raises(
            UserError, match=r"runs/a/bundle \(aaaaaaaaaaaa\), and this is runs/b/bundle \(bbbbbbbbbbbb\)"
        ):
            tried()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def change_json(path: Path, **changes: object) -> None:
    stored = json.loads((path / "index.json").read_text())
    (path / "index.json").write_text(json.dumps(stored | changes))


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda f: cut(f / "segment-00000.safetensors"), "segment-00000.safetensors is truncated or was changed"),
        (lambda f: cut(f / "segment-00000.parquet"), "segment-00000.parquet is truncated or was changed"),
        (lambda f: (f / "segment-00000.parquet").unlink(), "segment-00000.parquet is missing"),
        (lambda f: cut(f / "index.json"), "index.json is truncated"),
        (lambda f: (f / "index.json").unlink(), "holds no index.json. Make one with task=index"),
        (lambda f: (f / "index.json").write_text("[]"), "index.json is truncated or no index's"),
        (lambda f: change_json(f, format=99), "format 99, and this fashionmt reads format 1"),
        (lambda f: change_json(f, size=9), "is no segment of it"),
        (lambda f: change_json(f, size="8"), "index.json was changed"),
        (lambda f: change_json(f, attributes=["gender"]), "has other columns"),
        (lambda f: change_json(f, surprise=1), "index.json was changed"),
        (
            lambda f: change_json(
                f,
                segments=[
                    {"name": "../x", "rows": 1, "source": "", "images": None, "sha256": {"../x.safetensors": "0"}}
                ],
            ),
            "lists the unknown file '../x.safetensors'",
        ),
    ],
)
def test_a_damaged_index_is_refused(tmp_path: Path, damage: Callable[[Path], object], told: str) -> None:
    made_index(tmp_path, made_up(["1", "2"]))
    damage(tmp_path)
    with pytest.raises(UserError) as caught:
        load_index(tmp_path)
    assert told in str(caught.value)


def test_vectors_that_are_none_are_refused() -> None:
    for wrong in (np.full((1, 8), np.nan), np.full((1, 8), 3.0)):
        with pytest.raises(ValueError, match="not every vector is of length 1"):
            made_up(["1"], vectors=wrong.astype(np.float32))
    assert len(made_up(["1"], vectors=np.zeros((1, 8))).vectors) == 1  # of an item that says nothing
    with pytest.raises(ValueError, match="for 1 items"):
        Items(np.zeros((2, 8), dtype=np.float32), made_up(["1"]).table)


def test_its_files_are_plain(tmp_path: Path) -> None:
    made_index(tmp_path, made_up(["1", "2"]))
    assert sorted(path.name for path in tmp_path.iterdir() if not path.name.startswith(".")) == [
        "index.json",
        "segment-00000.parquet",
        "segment-00000.safetensors",
    ]
    assert safetensors.numpy.load_file(tmp_path / "segment-00000.safetensors")["vectors"].shape == (2, 8)
    assert pyarrow.parquet.read_table(tmp_path / "segment-00000.parquet").num_rows == 2


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("")
    with pytest.raises(TakenError, match=r"holds thesis.txt, and is no index"):
        made_index(tmp_path, made_up(["1"]))


def test_an_unknown_id_is_told_near_ones(tmp_path: Path) -> None:
    index = made_index(tmp_path, made_up(["100", "1163", "2000", "shirt-1"]))
    with pytest.raises(UserError, match=r"id 1164: no item of this id among the 4 of .*Near ones are 1163, 2000, 100"):
        index.row("1164")
    assert near_ids("shirt_1", index.ids) == ["shirt-1"]
    assert near_ids("zzz", index.ids) == []
    assert "1163" in index


def test_the_newest_index_is_found(tmp_path: Path) -> None:
    assert newest_index(tmp_path) is None
    made_index(tmp_path / "index/a", made_up(["1"]))
    assert newest_index(tmp_path) == tmp_path / "index/a"
