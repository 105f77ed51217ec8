"""Search in an index against sorting everything: products once, filters, stock, and maximal marginal relevance."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from items_made_up import SIZE, made_index, made_up, vector_of

from fashionmt.errors import UserError
from fashionmt.item_index import ItemIndex, search
from fashionmt.item_index.diversity import mmr
from fashionmt.item_index.filters import mask_of_filters, mask_of_stock

IDS = [str(i) for i in range(60)]
FAMILIES = [f"family {i // 4}" for i in range(60)]


@pytest.fixture
def index(tmp_path: Path) -> ItemIndex:
    """Sixty items: fifteen products of one title each, two of which share a picture."""
    pictures = [f"digest {i}" for i in range(60)]
    pictures[3] = pictures[4]  # of family 0 and of family 1
    return made_index(tmp_path, made_up(IDS, titles=FAMILIES, pictures=pictures))


def asked(count: int = 5) -> torch.Tensor:
    return torch.from_numpy(np.stack([vector_of(f"query {i}") for i in range(count)]))


def slow(index: ItemIndex, query: torch.Tensor, k: int, barred: set[int], once: bool) -> list[int]:
    """Sort all, then go down the list."""
    scores = (index.vectors.double() @ query.double()).float()
    order = sorted(range(len(index)), key=lambda row: (-float(scores[row]), row))
    seen = {int(index.products[row]) for row in barred} if once else set()
    found = []
    for row in order:
        if row in barred or (once and int(index.products[row]) in seen):
            continue
        seen.add(int(index.products[row]))
        found.append(row)
    return found[:k]


def test_items_of_one_title_or_picture_are_one_product(index: ItemIndex) -> None:
    assert len(set(index.products.tolist())) == 14
    assert len(set(index.products[:8].tolist())) == 1


@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize("k", [1, 5, 14, 60, 100])
def test_it_equals_going_down_the_whole_list(index: ItemIndex, k: int, once: bool) -> None:
    barred = [[0], [17], [], [59, 4], [30]]
    found = search(index, asked(), k, None, barred, duplicates=not once)
    for query, rows, ranked in zip(asked(), barred, found, strict=True):
        assert ranked.rows.tolist() == slow(index, query, k, set(rows), once)
        assert (np.diff(ranked.scores) <= 0).all()


def test_an_item_does_not_find_itself_or_its_product(index: ItemIndex) -> None:
    for duplicates in (True, False):
        ranked = search(index, index.vectors[[9]], 100, None, [[9]], duplicates)[0]
        assert 9 not in ranked.rows
        assert (index.products[9] in index.products[ranked.rows]) == duplicates


def test_equal_scores_come_by_id(tmp_path: Path) -> None:
    same = np.tile(vector_of("same"), (30, 1))
    index = made_index(tmp_path, made_up([str(i) for i in range(29, -1, -1)], vectors=same))
    found = search(index, torch.from_numpy(same[:1]), 10)[0]
    assert [index.ids[row] for row in found.rows] == [str(i) for i in range(10)]


def test_filters_are_masks(index: ItemIndex) -> None:
    red = mask_of_filters(index, {"colour": "Red"})
    assert red.tolist() == [int(item) % 2 == 0 for item in index.ids]
    both = mask_of_filters(index, {"colour": ["Red", "Blue"], "gender": "Men"})
    assert both.tolist() == [len(item) == 2 for item in index.ids]
    ranked = search(index, asked(1), 60, red, duplicates=True)[0]
    expected = [row for row in slow(index, asked(1)[0], 60, set(), once=False) if red[row]]
    assert ranked.rows.tolist() == expected


@pytest.mark.parametrize(
    ("filters", "told"),
    [
        ({"color": "Red"}, "no attribute or kept column 'color'. Did you mean colour."),
        ({"colour": "red"}, "filter colour=red: no item has this value. Did you mean 'Red'."),
        ({"colour": ["Red", "Mauve"]}, "filter colour=Mauve: no item has this value. Items have Blue, Red."),
    ],
)
def test_an_unknown_filter_is_one_line(index: ItemIndex, filters: dict[str, object], told: str) -> None:
    with pytest.raises(UserError) as caught:
        mask_of_filters(index, filters)
    assert told in str(caught.value)


def test_stock_is_a_column_or_ids(tmp_path: Path) -> None:
    said = ["1", "0", "yes", "No", "12.5", "", None, "TRUE", "-1"]
    index = made_index(tmp_path, made_up([str(i) for i in range(9)], kept={"stock": said, "shop": ["Pune"] * 9}))
    assert mask_of_stock(index, "stock").nonzero()[0].tolist() == [0, 2, 4, 7]
    assert mask_of_stock(index, {"3", "8", "unknown"}).nonzero()[0].tolist() == [3, 8]
    assert mask_of_filters(index, {"shop": "Pune"}).all()
    with pytest.raises(UserError, match="says 'Pune', which is neither a number nor yes or no"):
        mask_of_stock(index, "shop")
    with pytest.raises(UserError, match="Did you mean stock"):
        mask_of_stock(index, "stok")


def slow_mmr(relevance: np.ndarray, vectors: np.ndarray, weight: float, k: int) -> list[int]:
    """Word by word as Carbonell and Goldstein have it."""
    chosen: list[int] = []
    while len(chosen) < min(k, len(relevance)):
        values = {}
        for i in range(len(relevance)):
            if i not in chosen:
                likeness = max((float(vectors[i] @ vectors[j]) for j in chosen), default=0.0)
                values[i] = weight * float(relevance[i]) - (1 - weight) * likeness
        chosen.append(max(values, key=lambda i: (values[i], -i)))
    return chosen


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    count=st.integers(1, 25),
    k=st.integers(1, 30),
    weight=st.sampled_from([0.0, 0.3, 0.7, 1.0]),
)
def test_mmr_equals_the_slow_one(seed: int, count: int, k: int, weight: float) -> None:
    drawn = np.random.default_rng(seed).integers(-2, 3, size=(count + 1, SIZE)).astype(np.float64)
    drawn[:, 0] += 0.5
    vectors = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    relevance = vectors[1:] @ vectors[0]
    found = mmr(relevance, vectors[1:], weight, k).tolist()
    assert len(set(found)) == len(found) == min(k, count)
    chosen: list[int] = []
    for each in found:  # each the best there was, values that are equal but for rounding aside
        values = {
            i: weight * relevance[i]
            - (1 - weight) * max((vectors[1 + i] @ vectors[1 + j] for j in chosen), default=0.0)
            for i in range(count)
            if i not in chosen
        }
        assert values[each] >= max(values.values()) - 1e-9
        chosen.append(each)


def test_mmr_by_hand() -> None:
    """The twin of the best comes last, however relevant it is."""
    vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    relevance = np.array([0.9, 0.9, 0.3], dtype=np.float32)
    assert mmr(relevance, vectors, 0.5, 3).tolist() == [0, 2, 1]
    assert mmr(relevance, vectors, 1.0, 3).tolist() == [0, 1, 2]


def test_a_diverse_answer_keeps_cosines_as_scores(index: ItemIndex) -> None:
    ranked = search(index, asked(1), 5, duplicates=True, diversity=0.4)[0]
    cosines = index.vectors[torch.from_numpy(ranked.rows)] @ asked(1)[0]
    assert np.allclose(ranked.scores, cosines.numpy(), atol=1e-6)
    pool = np.sort(search(index, asked(1), 50, duplicates=True)[0].rows)
    relevance = (index.vectors[pool] @ asked(1)[0]).numpy()
    assert ranked.rows.tolist() == pool[slow_mmr(relevance, index.vectors[pool].numpy(), 0.4, 5)].tolist()
    assert search(index, asked(1), 5, diversity=1.0)[0].rows.tolist() == search(index, asked(1), 5)[0].rows.tolist()
