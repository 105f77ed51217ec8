"""The k best items of each query, exactly: all products in blocks, and a selection that reads each of them once.

A score is the float64 product of two rows, rounded to float32, and of equal scores the lower row comes first. So the
answer depends neither on the size of a block nor on how a matrix product adds up: float32 products only choose which
rows are looked at again, with the margin that their rounding may need (Higham 2002, "Accuracy and Stability of
Numerical Algorithms", section 3.1: |error| <= D u / (1 - D u) |x| |y| in any order of summation).

Q queries, N items, vectors of D numbers, B queries and n items in a block.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

BLOCK_ROWS = 65_536
BLOCK_SCORES = 4_000_000
"""Numbers of one block: 16 MB, which stay in the cache between the product and the selection."""
EXACT_NUMBERS = 8_000_000
"""Numbers multiplied in float64 at once."""
GROUP = 32
"""Scores whose largest alone is looked at first."""
ROUNDING = 2.0**-24
"""Half the distance from 1 to the next float32."""


@dataclass(frozen=True)
class TopK:
    """What was found, best first."""

    scores: Tensor
    """float32 (Q, k); -inf where there are fewer than k."""
    rows: Tensor
    """int64 (Q, k) into the items; -1 where there are fewer than k."""


@dataclass(frozen=True)
class _Found:
    """Rows that may be among the best: of each query, its rows rising."""

    query: Tensor
    """int64 (P,), not falling."""
    row: Tensor
    """int64 (P,)."""
    score: Tensor
    """float32 (P,)."""


@torch.inference_mode()
def top_k(
    queries: Tensor,
    items: Tensor,
    k: int,
    allowed: Tensor | None = None,
    excluded: Sequence[Tensor] | None = None,
    longest: float | None = None,
    block_rows: int = BLOCK_ROWS,
) -> TopK:
    """The k items of the largest inner product with each query.

    Args:
        queries: finite float32 (Q, D).
        items: finite float32 (N, D).
        allowed: bool (N,), the items that may be found; None: all.
        excluded: for each query int64 rows that it may not find; None: none.
        longest: the length of the longest item, 1 where they are unit vectors; None: it is computed.
        block_rows: items in a block, at most.
    """
    check_k(k)
    if longest is None:
        longest = float(torch.linalg.vector_norm(items, dim=1).max()) if len(items) else 0.0
    left_out = _pairs(excluded, len(queries))
    batch = max(1, BLOCK_SCORES // max(1, min(len(items), block_rows)))
    found = [
        _top_k_of_batch(
            queries[first : first + batch], items, k, allowed, _of(left_out, first, batch), longest, block_rows
        )
        for first in range(0, len(queries), batch)
    ]
    if not found:
        return _nothing(0, k)
    return TopK(torch.cat([each.scores for each in found]), torch.cat([each.rows for each in found]))


def _top_k_of_batch(
    queries: Tensor,
    items: Tensor,
    k: int,
    allowed: Tensor | None,
    left_out: Tensor,
    longest: float,
    block_rows: int,
) -> TopK:
    """As `top_k`, of B queries. `left_out`: int64 (2, pairs) of queries and rows."""
    best = _nothing(len(queries), k)
    margin = 2 * (items.shape[1] + 4) * 1.01 * ROUNDING * longest * torch.linalg.vector_norm(queries, dim=1)
    for first in range(0, len(items), block_rows):
        block = items[first : first + block_rows]
        scores, groups = _padded(len(queries), len(block), k)
        torch.mm(queries, block.T, out=scores[:, : len(block)])
        if allowed is not None:
            scores[:, : len(block)].masked_fill_(~allowed[first : first + block_rows], -torch.inf)
        here = left_out[:, (left_out[1] >= first) & (left_out[1] < first + len(block))]
        scores[here[0], here[1] - first] = -torch.inf
        query, column = _candidates(scores, groups, k, best.scores[:, -1], margin)
        exact = _exact(queries, block, query, column)
        best = _best(best, _Found(query, column + first, exact), k)
    return best


@torch.inference_mode()
def top_k_of_scores(
    scores: Tensor, k: int, allowed: Tensor | None = None, excluded: Sequence[Tensor] | None = None
) -> TopK:
    """The k best of scores that are there already, as they are: finite float32 (Q, N). The rest as in `top_k`."""
    check_k(k)
    best = _nothing(len(scores), k)
    if scores.numel() == 0:
        return best
    padded, groups = _padded(len(scores), scores.shape[1], k)
    padded[:, : scores.shape[1]] = scores
    if allowed is not None:
        padded[:, : scores.shape[1]].masked_fill_(~allowed, -torch.inf)
    padded[tuple(_pairs(excluded, len(scores)))] = -torch.inf
    query, column = _candidates(padded, groups, k, best.scores[:, -1], torch.zeros(len(scores)))
    return _best(best, _Found(query, column, padded[query, column]), k)


def check_k(k: int) -> None:
    """Raises `ValueError`."""
    if k < 1:
        raise ValueError(f"k is {k}: at least one item is asked for")


def _nothing(queries: int, k: int) -> TopK:
    return TopK(torch.full((queries, k), -torch.inf), torch.full((queries, k), -1))


def _pairs(excluded: Sequence[Tensor] | None, queries: int) -> Tensor:
    """int64 (2, pairs): each query, not falling, and a row that it may not find."""
    if excluded is None or not len(excluded):
        return torch.zeros((2, 0), dtype=torch.int64)
    if len(excluded) != queries:
        raise ValueError(f"rows to leave out for {len(excluded)} of {queries} queries")
    counts = torch.tensor([len(rows) for rows in excluded])
    return torch.stack([torch.arange(queries).repeat_interleave(counts), torch.cat(list(excluded)).long()])


def _of(pairs: Tensor, first: int, count: int) -> Tensor:
    """Those of `count` queries from `first` on, counted from there."""
    begin, end = torch.searchsorted(pairs[0].contiguous(), torch.tensor([first, first + count])).tolist()
    return pairs[:, begin:end] - torch.tensor([[first], [0]])


def _padded(queries: int, columns: int, k: int) -> tuple[Tensor, int]:
    """(scores to fill, -inf behind their columns; in how many groups they are to be looked at)."""
    group = GROUP
    while group > 1 and columns < 4 * k * group:
        group //= 2
    groups = -(-columns // group)
    scores = torch.empty((queries, group * groups))
    scores[:, columns:] = -torch.inf
    return scores, groups


def _candidates(scores: Tensor, groups: int, k: int, least: Tensor, margin: Tensor) -> tuple[Tensor, Tensor]:
    """(queries, columns) whose score may be among the k best, int64 (P,) each, by query and then by column.

    The k-th largest of the groups' largest scores is no more than the k-th largest score, and few groups hold better.

    Args:
        scores: float32 (B, n), n a multiple of `groups`.
        least: float32 (B,), what a score must be above to matter.
        margin: float32 (B,), what a score may be wrong by, twice.
    """
    by_group = scores.view(len(scores), -1, groups)  # the columns c, c + groups, ...: neighbours are compared at once
    largest = by_group.amax(1)
    kth = largest.topk(k, sorted=False).values.amin(1) if k <= groups else torch.full_like(least, -torch.inf)
    limit = (torch.maximum(kth, least) - margin).clamp_min(torch.finfo(torch.float32).min)[:, None]
    query, group = (largest >= limit).nonzero(as_tuple=True)
    pair, place = (by_group[query, :, group] >= limit[query]).nonzero(as_tuple=True)
    query, column = query[pair], place * groups + group[pair]
    order = (query * scores.shape[1] + column).argsort()
    return query[order], column[order]


def _exact(queries: Tensor, items: Tensor, query: Tensor, row: Tensor) -> Tensor:
    """The products of pairs, float32 (P,), added up in float64."""
    size = max(1, EXACT_NUMBERS // max(1, items.shape[1]))
    scores = torch.empty(len(query))
    for first in range(0, len(query), size):
        these = slice(first, first + size)
        scores[these] = (queries[query[these]].double() * items[row[these]].double()).sum(1)
    return scores


def _best(known: TopK, found: _Found, k: int) -> TopK:
    """The k best of what is known, whose rows all come before, and what is found."""
    there = known.rows >= 0
    query = torch.cat([there.nonzero()[:, 0], found.query])
    row, score = torch.cat([known.rows[there], found.row]), torch.cat([known.scores[there], found.score])
    order = score.argsort(descending=True, stable=True)
    order = order[query[order].argsort(stable=True)]
    query, row, score = query[order], row[order], score[order]
    counts = torch.bincount(query, minlength=len(known.rows))
    place = torch.arange(len(query)) - (counts.cumsum(0) - counts)[query]
    kept = place < k
    best = _nothing(len(known.rows), k)
    best.scores[query[kept], place[kept]] = score[kept]
    best.rows[query[kept], place[kept]] = row[kept]
    return best
