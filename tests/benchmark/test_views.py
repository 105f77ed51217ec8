"""A view hides what it says and nothing else, and is scored on the items that have what it shows."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny import tiny_dataset, tiny_prepared

from fashionmt.attributes import LabelSpace
from fashionmt.benchmark.predictions import Answered, Tabulator
from fashionmt.benchmark.views import VIEWS, view_items, view_rows, view_titles, views_of
from fashionmt.config import SplitConfig
from fashionmt.data import TitleEncoder, learn_tokenizer
from fashionmt.data.picture_cache import NO_ROW
from fashionmt.data.prepare import PreparedData
from fashionmt.data.splits import Split
from fashionmt.data.tabular import TabularArrays

TITLES = ["Nike Blue Shoe", "navy shirt", "Multi pack", "Red", None, "Blue shoes", "plum hat", "Wallet"]
COLOURS = {"Blue": 0, "Navy Blue": 1, "Red": 2, "Plum": 3}
LABELS = [0, 1, 2, 2, 0, 2, 3, -1]


def prepared(titles: Sequence[str | None] = TITLES) -> PreparedData:
    """Eight items of which 0, 1 train and the rest test; item 3 has no picture and 4 no title; Plum is not learned."""
    items = tiny_dataset(len(titles), side=4).items
    encoder = TitleEncoder(learn_tokenizer([t for t in titles if t] * 3, 200, 12), None)
    labels = {"colour": np.array(LABELS), "kind": np.arange(len(titles)) % 2}
    spaces = {
        "colour": LabelSpace("colour", ("Blue", "Navy Blue", "Red"), ("Plum",)),
        "kind": LabelSpace("kind", ("Shoes", "Hats and Caps")),
    }
    return tiny_prepared(
        replace(items, titles=encoder.encode(titles), labels=labels),
        Split(np.array([0]), np.array([1]), np.arange(2, len(titles))),
        spaces,
        list(titles),
        encoder,
        ids=[f"i{i}" for i in range(len(titles))],
    )


@pytest.mark.parametrize(
    ("reads", "views"),
    [
        (["image"], ("picture",)),
        (["text"], ("title", "struck")),
        (["image", "text"], VIEWS),
        (["image", "text", "tabular"], VIEWS),
        (["text", "tabular"], ("title", "both", "struck")),
        (["image", "tabular"], ("picture", "both")),
    ],
)
def test_a_system_is_scored_under_the_views_that_it_can_read(reads: list[str], views: tuple[str, ...]) -> None:
    assert views_of(reads) == views


@pytest.mark.parametrize(
    ("view", "rows"),
    [("picture", [2, 4, 5, 6, 7]), ("title", [2, 3, 5, 6, 7]), ("both", [2, 3, 4, 5, 6, 7]), ("struck", None)],
)
def test_only_items_that_have_what_the_view_shows_are_scored(view: str, rows: list[int] | None) -> None:
    assert view_rows(prepared(), view).tolist() == (rows or view_rows(prepared(), "both").tolist())


def test_struck_titles_hold_no_word_of_any_attributes_labels() -> None:
    assert list(view_titles(prepared(), "struck")) == ["Nike", "shirt", "Multi pack", None, None, None, None, "Wallet"]
    assert list(view_titles(prepared(), "picture")) == [None] * 8
    assert view_titles(prepared(), "both") == TITLES


@pytest.mark.parametrize("view", VIEWS)
def test_the_model_is_shown_what_the_view_says(view: str) -> None:
    data = prepared()
    rows = view_rows(data, view)
    batch = view_items(data, view, data.titles).gather(rows)
    pictures = data.items.pictures.row[rows] != NO_ROW
    assert batch.has_image.tolist() == (np.zeros(len(rows), bool) if view == "title" else pictures).tolist()
    shown = [view_titles(data, view)[row] for row in rows]
    assert batch.has_title.tolist() == [title is not None for title in shown]
    alone = data.titles.encode(shown).tokens
    for i, title in enumerate(shown):
        assert batch.token_ids[i][batch.token_mask[i]].tolist() == alone.ids[i, : alone.lengths[i]].tolist(), title
    assert batch.labels["colour"].tolist() == data.items.labels["colour"][rows].tolist()
    assert data.items.pictures.row[3] == NO_ROW != data.items.pictures.row[2], "the data itself is as it was"


Tabulate = Callable[..., pd.DataFrame]


@pytest.fixture
def tabulate() -> Tabulate:
    def made(view: str = "both", **split: Any) -> pd.DataFrame:
        data = prepared()
        count = len(view_rows(data, view))
        answered = Answered({"colour": np.full(count, 2), "kind": np.ones(count, np.int64)}, None, None)
        return Tabulator(data, SplitConfig(**split)).tabulate(view, answered)

    return made


def test_predictions_say_what_each_item_is_and_what_was_answered(tabulate: Tabulate) -> None:
    table = tabulate()
    assert table["id"].tolist() == ["i2", "i3", "i4", "i5", "i6", "i7"]
    assert table["colour.true"].fillna("").tolist() == ["Red", "Red", "Blue", "Red", "Plum", ""]
    assert table["colour.answered"].tolist() == ["Red"] * 6
    assert table["kind.answered"].tolist() == ["Hats and Caps"] * 6
    assert table[["confidence", "accepted", "colour.confidence", "colour.accepted"]].isna().all(axis=None)


def test_a_title_names_its_label_another_or_none(tabulate: Tabulate) -> None:
    assert tabulate()["colour.title_names"].tolist() == ["none", "own", "none", "other", "own", "none"]
    assert tabulate()["kind.title_names"].tolist() == ["none", "none", "none", "other", "other", "none"]


@pytest.mark.parametrize(
    ("split", "groups"),
    [
        ({"kind": "block", "block_size": 3}, ["0", "1", "1", "1", "2", "2"]),
        ({"kind": "random"}, ["i2", "i3", "i4", "i5", "i6", "i7"]),
    ],
)
def test_the_bootstrap_draws_blocks_or_families(tabulate: Tabulate, split: dict[str, Any], groups: list[str]) -> None:
    assert tabulate(**split)["group"].tolist() == groups


def test_items_with_one_title_are_of_one_group() -> None:
    data = prepared([*TITLES[:6], "red!", TITLES[7]])
    answered = Answered({"colour": np.zeros(6, np.int64), "kind": np.zeros(6, np.int64)}, None, None)
    table = Tabulator(data, SplitConfig()).tabulate("both", answered)
    assert table["group"].tolist() == ["i2", "i3", "i4", "i5", "i3", "i7"]


@pytest.mark.parametrize("view", VIEWS)
def test_other_columns_are_shown_beside_all_there_is_and_never_beside_one_input_alone(view: str) -> None:
    data = prepared()
    columns = TabularArrays(np.ones((8, 2), np.float32), np.ones((8, 1), np.int64), np.ones(8, np.bool_))
    data = replace(data, items=replace(data.items, tabular=columns))
    shown = view_items(data, view, data.titles).gather(np.arange(8))
    assert shown.has_tabular.tolist() == [view in ("both", "struck")] * 8
    assert shown.numbers.shape == (8, 2)
