"""Columns of the catalogue become numbers and indices, learned from training rows, and survive their JSON."""

import json
import math
from typing import Any

import numpy as np
import pytest

from fashionmt.config import TabularColumnConfig
from fashionmt.data.tabular import UNKNOWN, CategoricalColumn, NumericColumn, TabularEncoder

YEAR = TabularColumnConfig(kind="numeric", missing=["", "?"], bins=4)
BRAND = TabularColumnConfig(missing=["", "NA"])


def numeric(*texts: str) -> NumericColumn:
    return NumericColumn.learn(texts, YEAR)


def encoder() -> TabularEncoder:
    rows = [{"year": str(2010 + i % 5), "brand": "Puma" if i % 2 else "Nike"} for i in range(20)]
    return TabularEncoder.learn([*rows, {"year": "", "brand": "Rare"}], {"year": YEAR, "brand": BRAND})


@pytest.mark.parametrize("seed", range(5))
def test_a_number_fills_the_pieces_below_it(seed: int) -> None:
    """Against a loop over pieces, as Gorishniy et al. write it."""
    draw = np.random.default_rng(seed)
    column = numeric(*map(str, draw.normal(size=50)))
    assert len(column.edges) == 5
    numbers = draw.normal(scale=2, size=30)
    for number, found in zip(numbers, column.encode([str(n) for n in numbers]), strict=True):
        expected = [1.0]
        for low, high in zip(column.edges, column.edges[1:], strict=False):
            expected.append(0.0 if number < low else 1.0 if number >= high else (number - low) / (high - low))
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_edges_are_quantiles_of_the_training_rows_once_each() -> None:
    assert numeric("1", "1", "1", "1", "2", "3").edges == (1.0, 2.0, 3.0)
    assert numeric("7", "7").edges == (7.0,)
    assert numeric("", "?", "x").edges == ()


@pytest.mark.parametrize("text", ["", "?", "x", "nan", "inf", None])
def test_what_is_no_number_is_zeros_also_where_a_number_would_be_zero(text: str | None) -> None:
    column = numeric("0", "1", "2", "3", "4")
    assert column.encode([text]).tolist() == [[0.0] * column.size]
    assert column.encode(["0"]).tolist() == [[1.0, *[0.0] * (column.size - 1)]]


@pytest.mark.parametrize("texts", [["7", "7"], ["", ""]])
def test_a_column_of_one_number_or_none_has_one_piece(texts: list[str]) -> None:
    column = numeric(*texts)
    assert column.encode(["7", ""]).tolist() == [[1.0], [0.0]]


def test_categories_are_counted_on_training_rows_and_the_rare_unknown() -> None:
    column = CategoricalColumn.learn(["b", "a", "b", "a", "c", "NA", "NA", "", "", None], BRAND)
    assert column.categories == ("a", "b")
    assert column.encode(["b", "a", "c", "NA", "", None, "new"]).tolist() == [2, 1, *[UNKNOWN] * 5]
    assert [column.unread(text) for text in ("a", "c", "NA", "", None)] == [False, True, False, False, False]


def test_rows_side_by_side() -> None:
    found = encoder().encode([{"year": "2012", "brand": "Puma"}, {"brand": "Nike"}, {"year": "?", "brand": "Ours"}, {}])
    assert found.numbers.shape == (4, 5)
    assert found.numbers[0].tolist() == [1, 1, 1, 0, 0]
    assert (found.numbers[1:] == 0).all()
    assert found.categories.tolist() == [[2], [1], [UNKNOWN], [UNKNOWN]]
    assert found.there.tolist() == [True, True, False, False]
    assert encoder().sizes() == (5, (3,))
    taken = found.take(np.array([1, 0]))
    assert taken.categories.tolist() == [[1], [2]]
    assert taken.there.tolist() == [True, True]


def test_no_columns_at_all() -> None:
    found = TabularEncoder({}).encode([{}, {"year": "2012"}])
    assert (found.numbers.shape, found.categories.shape) == ((2, 0), (2, 0))
    assert found.there.tolist() == [False, False]


def test_what_cannot_be_read_is_named() -> None:
    unread = encoder().unread
    assert list(unread({"year": "MMXII", "brand": "Ours"})) == [
        ("year values that are no number", "read as not known"),
        ("brand values that training did not learn", "read as not known"),
    ]
    assert list(unread({"year": "?", "brand": "NA"})) == list(unread({"year": "2012", "brand": "Puma"})) == []


def test_it_survives_its_json() -> None:
    before = encoder()
    after = TabularEncoder.from_json(json.loads(json.dumps(before.to_json())))
    rows = [{"year": "2011.5", "brand": "Puma"}, {"year": "x", "brand": "Nike"}]
    assert after == before
    assert (after.encode(rows).numbers == before.encode(rows).numbers).all()


@pytest.mark.parametrize(
    "changed",
    [
        {"edges": [1, 1]},
        {"edges": [2, 1]},
        {"edges": [0, math.inf]},
        {"edges": ["a"]},
        {"edges": 3},
        {"kind": "magic"},
        {"missing": [1]},
        {"more": []},
    ],
)
def test_what_no_encoder_wrote_is_refused(changed: dict[str, Any]) -> None:
    stored = encoder().to_json()
    stored["year"] |= changed
    with pytest.raises((ValueError, KeyError, TypeError)):
        TabularEncoder.from_json(stored)
