"""Exact search equals sorting every score, ties and all, however it is cut into blocks."""

from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import normalize

import fashionmt.ranking.candidates as candidates_module
import fashionmt.ranking.topk as topk_module
from fashionmt.ranking import TopK, top_k, top_k_among, top_k_of_scores
from tests.tiny import one_thread

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)


def brute_force(
    scores: np.ndarray, k: int, allowed: Tensor | None = None, excluded: list[Tensor] | None = None
) -> list[list[tuple[float, int]]]:
    """Sort (score down, row up), query by query."""
    found = []
    for i, of_query in enumerate(scores):
        barred = set(excluded[i].tolist()) if excluded else set()
        pairs = [
            (-float(score), row)
            for row, score in enumerate(of_query)
            if row not in barred and (allowed is None or allowed[row])
        ]
        found.append([(-score, row) for score, row in sorted(pairs)[:k]])
    return found


def exact_scores(queries: Tensor, items: Tensor) -> np.ndarray:
    return (queries.double() @ items.double().T).float().numpy()


def as_lists(found: TopK) -> list[list[tuple[float, int]]]:
    return [
        [(score, row) for score, row in zip(scores, rows, strict=True) if row >= 0]
        for scores, rows in zip(found.scores.tolist(), found.rows.tolist(), strict=True)
    ]


def drawn(seed: int, count: int, size: int, different: int | None = None) -> Tensor:
    """Unit vectors, `different` of them, or all."""
    generator = torch.Generator().manual_seed(seed)
    vectors = normalize(torch.randn(different or count, size, generator=generator), dim=1)
    return vectors[torch.randint(len(vectors), (count,), generator=generator)] if different else vectors


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    items=st.integers(1, 300),
    queries=st.integers(1, 9),
    size=st.sampled_from([1, 3, 16, 64]),
    k=st.integers(1, 40),
    different=st.sampled_from([None, 1, 4]),
    block_rows=st.sampled_from([7, 64, 10_000]),
    is_masked=st.booleans(),
    has_excluded=st.booleans(),
    side_by_side=st.booleans(),
)
def test_it_equals_sorting_every_score(
    seed: int,
    items: int,
    queries: int,
    size: int,
    k: int,
    different: int | None,
    block_rows: int,
    is_masked: bool,
    has_excluded: bool,
    side_by_side: bool,
) -> None:
    catalogue, asked = drawn(seed, items, size, different), drawn(seed + 1, queries, size)
    generator = torch.Generator().manual_seed(seed)
    allowed = torch.rand(items, generator=generator) < 0.6 if is_masked else None
    excluded = [torch.randint(items, (5,), generator=generator) for _ in asked] if has_excluded else None
    with (
        patch.object(topk_module, "SIDE_BY_SIDE", 1 if side_by_side else 10**9),
        patch.object(torch, "get_num_threads", lambda: 3),
    ):
        found = top_k(asked, catalogue, k, allowed, excluded, block_rows=block_rows)
    assert as_lists(found) == brute_force(exact_scores(asked, catalogue), k, allowed, excluded)
    assert (found.scores[found.rows < 0] == -torch.inf).all()


def test_blocks_do_not_change_a_bit() -> None:
    """Rows that are there many times over: their products may differ in the last bit from block to block."""
    catalogue, asked = drawn(0, 3000, 200, 50), drawn(1, 70, 200)
    whole = top_k(asked, catalogue, 25)
    for rows in (3, 101, 1024):
        cut = top_k(asked, catalogue, 25, block_rows=rows)
        assert torch.equal(cut.rows, whole.rows)
        assert torch.equal(cut.scores, whole.scores)
    one_by_one = torch.cat([top_k(query[None], catalogue, 25).rows for query in asked])
    assert torch.equal(one_by_one, whole.rows)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_constant_scorer_finds_the_first_rows(value: float) -> None:
    catalogue = torch.full((5000, 8), value)
    found = top_k(torch.ones(3, 8), catalogue, 10, block_rows=999)
    assert found.rows.tolist() == [list(range(10))] * 3
    assert top_k_of_scores(torch.full((3, 5000), value), 10).rows.tolist() == [list(range(10))] * 3


def test_ties_at_the_boundary_go_to_the_lower_row() -> None:
    scores = torch.tensor([[0.5, 0.9, 0.5, 0.5, 0.9, 0.1]])
    assert top_k_of_scores(scores, 3).rows.tolist() == [[1, 4, 0]]
    assert top_k(torch.ones(1, 1), scores.T.contiguous(), 3).rows.tolist() == [[1, 4, 0]]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), items=st.integers(1, 400), k=st.integers(1, 20), steps=st.sampled_from([2, 50]))
def test_given_scores_are_ranked_as_they_are(seed: int, items: int, k: int, steps: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randint(-steps, steps, (4, items), generator=generator) / steps
    allowed = torch.rand(items, generator=generator) < 0.7
    excluded = [torch.randint(items, (3,), generator=generator) for _ in scores]
    found = top_k_of_scores(scores, k, allowed, excluded)
    assert as_lists(found) == brute_force(scores.numpy(), k, allowed, excluded)


def test_among_candidates_it_is_the_same() -> None:
    catalogue, asked = drawn(6, 200, 16, 20), drawn(7, 30, 16)
    candidates = torch.stack([torch.randperm(200, generator=torch.Generator().manual_seed(i))[:40] for i in range(30)])
    candidates[:, 5] = -1
    found = top_k_among(asked, catalogue, candidates, 12)
    allowed = torch.zeros(30, 200, dtype=torch.bool).scatter(1, candidates.clamp_min(0), candidates >= 0)
    for query, mask, scores, rows in zip(asked, allowed, found.scores, found.rows, strict=True):
        alone = top_k(query[None], catalogue, 12, mask)
        assert torch.equal(alone.rows[0], rows)
        assert torch.equal(alone.scores[0], scores)
    few = top_k_among(asked, catalogue, candidates[:, 4:7], 12)
    assert ((few.rows >= 0).sum(1) == 2).all()


def test_many_queries_go_in_batches() -> None:
    catalogue, asked = drawn(2, 40, 4), drawn(3, 300_000, 4)
    found = top_k(asked, catalogue, 1)
    assert torch.equal(found.rows[:, 0], (asked.double() @ catalogue.double().T).float().argmax(1))


def test_scores_that_float32_cannot_tell_apart() -> None:
    """All scores within a few roundings of each other, the better ones anywhere: float32 products are out of order."""
    generator = torch.Generator().manual_seed(8)
    asked = normalize(torch.rand(20, 256, generator=generator), dim=1)
    catalogue = normalize(torch.ones(4000, 256) + 1e-6 * torch.randn(4000, 256, generator=generator), dim=1)
    catalogue[2000:3000] = catalogue[:1000]
    scores = exact_scores(asked, catalogue)
    assert np.mean([len(np.unique(of_query)) for of_query in scores]) < 100
    assert as_lists(top_k(asked, catalogue, 15, block_rows=333)) == brute_force(scores, 15)


@pytest.mark.parametrize("pool", [1, 500, 10**6])
def test_what_is_let_go_early_is_not_missed(pool: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Items ever nearer to the queries, each many times over: all are candidates when they are met."""
    monkeypatch.setattr(candidates_module, "POOL", pool)
    rising = torch.linspace(0.1, 1, 300)[:, None] * torch.ones(300, 8)
    catalogue, asked = rising.repeat_interleave(7, dim=0), torch.rand(5, 8, generator=torch.Generator().manual_seed(9))
    excluded = [torch.arange(2090, 2100 - query) for query in range(5)]
    found = top_k(asked, catalogue, 10, None, excluded, block_rows=40)
    assert as_lists(found) == brute_force(exact_scores(asked, catalogue), 10, None, excluded)


@pytest.mark.parametrize("k", [299, 300, 400])
def test_the_whole_catalogue(k: int) -> None:
    catalogue, asked = drawn(10, 300, 5, 40), drawn(11, 1100, 5)
    found = top_k(asked, catalogue, k)
    assert found.rows.shape == (1100, k)
    assert as_lists(found) == brute_force(exact_scores(asked, catalogue), k)


def test_vectors_of_any_length() -> None:
    catalogue = drawn(4, 500, 32) * torch.logspace(-3, 3, 500)[:, None]
    asked = drawn(5, 6, 32) * 1000
    assert as_lists(top_k(asked, catalogue, 12)) == brute_force(exact_scores(asked, catalogue), 12)


def test_nothing_to_find() -> None:
    found = top_k(torch.ones(2, 3), torch.zeros(0, 3), 4)
    assert found.rows.tolist() == [[-1] * 4] * 2
    assert top_k(torch.ones(0, 3), torch.ones(5, 3), 4).rows.shape == (0, 4)
    barred = top_k(torch.ones(1, 3), torch.ones(5, 3), 4, torch.zeros(5, dtype=torch.bool))
    assert barred.rows.tolist() == [[-1] * 4]
    with pytest.raises(ValueError, match="at least one"):
        top_k(torch.ones(1, 3), torch.ones(5, 3), 0)
    with pytest.raises(ValueError, match="for 1 of 2"):
        top_k(torch.ones(2, 3), torch.ones(5, 3), 1, excluded=[torch.tensor([1])])
