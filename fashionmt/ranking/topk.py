"""The k best items of each query, exactly: all products in blocks, and a selection that reads each of them once.

A score is the float64 product of two rows, rounded to float32, and of equal scores the lower row comes first. So the
answer depends neither on the size of a block nor on how a matrix product adds up: float32 products only choose which
rows are looked at again, with the margin that their rounding may need (Higham 2002, "Accuracy and Stability of
Numerical Algorithms", section 3.1: |error| <= D u / (1 - D u) |x| |y| in any order of summation).

What bounds the speed: the second look at each score, which hardly grows with D (the README has the figures, and the
command).

Q queries, N items, vectors of D numbers, B queries and n items in a block.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from fashionmt.cores import a_thread_a_core
from fashionmt.ranking.candidates import Candidates, Pairs, Rows, Scores, joined, places, ranked
from fashionmt.ranking.score_block import BATCH, ScoreBlock

BLOCK_ROWS = 65_536
SIDE_BY_SIDE = 4_194_304
"""Scores from which on the cores work side by side."""
EXACT_NUMBERS = 65_536
"""Numbers multiplied in float64 at once, 0.5 MB: they stay in the cache."""
ROUNDING = 2.0**-24
"""Half the distance from 1 to the next float32."""


@dataclass(frozen=True)
class TopK:
    """What was found, best first."""

    scores: Tensor
    """float32 (Q, k); -inf where there are fewer than k."""
    rows: Tensor
    """int64 (Q, k) into the items; -1 where there are fewer than k."""


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
    if longest is None:
        longest = float(torch.linalg.vector_norm(items, dim=1).max()) if len(items) else 0.0
    # Twice the error of a product, a score's and the limit's, and a few roundings more.
    margin = 2.02 * (items.shape[1] + 4) * ROUNDING * longest * torch.linalg.vector_norm(queries, dim=1)

    def multiply(these: slice, rows: slice, out: Tensor) -> None:
        torch.mm(items[rows], queries[these].T, out=out)

    def exact(query: Rows, row: Rows) -> Scores:
        return _exact(queries, items, query, row)

    return _search((len(queries), len(items), k), multiply, exact, margin, allowed, excluded, block_rows)


@torch.inference_mode()
def top_k_among(queries: Tensor, items: Tensor, candidates: Tensor, k: int) -> TopK:
    """As `top_k`, where each query may find its candidates alone: int64 rows (Q, n), each once; -1 is none."""
    best = _nothing(len(queries), k)
    rows = candidates.numpy()
    query, place = (rows >= 0).nonzero()
    row = rows[query, place]
    _put(best, 0, ranked(Pairs(query, row, _exact(queries, items, query, row)), k, len(queries)))
    return best


@torch.inference_mode()
def top_k_of_scores(
    scores: Tensor, k: int, allowed: Tensor | None = None, excluded: Sequence[Tensor] | None = None
) -> TopK:
    """The k best of scores that are there already, as they are: finite float32 (Q, N). The rest as in `top_k`."""

    def copy(these: slice, rows: slice, out: Tensor) -> None:
        out.copy_(scores[these, rows].T)

    def exact(query: Rows, row: Rows) -> Scores:
        return scores.numpy()[query, row]

    return _search((*scores.shape, k), copy, exact, torch.zeros(len(scores)), allowed, excluded, BLOCK_ROWS)


def _search(
    sizes: tuple[int, int, int],
    write: Callable[[slice, slice, Tensor], object],
    exact: Callable[[Rows, Rows], Scores],
    margin: Tensor,
    allowed: Tensor | None,
    excluded: Sequence[Tensor] | None,
    block_rows: int,
) -> TopK:
    """Search with scores from `write`, which fills (n, B) of some queries and rows, and from `exact`, of pairs.

    `sizes`: Q, N and k. `margin`: float32 (Q,), twice what the scores of `write` may differ from those of `exact` by.
    """
    queries, items, k = sizes
    if k < 1:
        raise ValueError(f"k is {k}: at least one item is asked for")
    search = _Search(write, exact, margin.numpy(), allowed, _pairs(excluded, queries), min(k, items), block_rows)
    best = _nothing(queries, k)
    batch = -(-queries // max(1, -(-queries // BATCH)))  # as few batches as may be, of one size
    for first in range(0, queries if items else 0, max(1, batch)):
        these = slice(first, min(first + batch, queries))
        parts = _on_each_core(partial(search.among, these), items, items * (these.stop - first))
        _put(best, first, parts[0] if len(parts) == 1 else ranked(joined(parts), k, these.stop - first))
    return best


@dataclass(frozen=True)
class _Search:
    """What `_search` is asked for, but for its sizes."""

    write: Callable[[slice, slice, Tensor], object]
    exact: Callable[[Rows, Rows], Scores]
    margin: Scores
    allowed: Tensor | None
    barred: Tensor
    k: int
    block_rows: int

    def among(self, these: slice, rows: slice) -> Pairs:
        """The best of some rows for some queries, which count from 0."""
        first, count = these.start, these.stop - these.start
        block = ScoreBlock(count, min(rows.stop - rows.start, self.block_rows))
        found = Candidates(self.margin[these], self.k, lambda query, row: self.exact(query + first, row))
        for begin in range(rows.start, rows.stop, block.rows):
            some = slice(begin, min(begin + block.rows, rows.stop))
            block.fill(these, some, self.write, self.allowed, self.barred)
            if begin == rows.start:
                found.raise_limit(block.kth(self.k))
            found.add(block.above(found.limit))
        return found.best()


def _on_each_core(among: Callable[[slice], Pairs], items: int, scores: int) -> list[Pairs]:
    """The best of some rows for each core, which takes from the product to the choice alone: much of the choice is on
    one. All rows at once where it would take longer to begin than to do."""
    if scores < SIDE_BY_SIDE or torch.get_num_threads() == 1:
        return [among(slice(0, items))]
    with a_thread_a_core() as (pool, count):
        parts = min(count, items)
        bounds = [items * part // parts for part in range(parts + 1)]
        return list(pool.map(among, itertools.starmap(slice, itertools.pairwise(bounds))))


def _exact(queries: Tensor, items: Tensor, query: Rows, row: Rows) -> Scores:
    """The products of pairs, float32 (P,), added up in float64: each in the same order."""
    scores = np.empty(len(query), dtype=np.float32)
    size = max(1, EXACT_NUMBERS // max(1, items.shape[1]))
    asked, there = queries.numpy(), items.numpy()
    for first in range(0, len(query), size):
        pairs = slice(first, first + size)
        left, right = asked[query[pairs]].astype(np.float64), there[row[pairs]].astype(np.float64)
        scores[pairs] = np.einsum("pd,pd->p", left, right)
    return scores


def _nothing(queries: int, k: int) -> TopK:
    return TopK(torch.full((queries, k), -torch.inf), torch.full((queries, k), -1))


def _pairs(excluded: Sequence[Tensor] | None, queries: int) -> Tensor:
    """int64 (2, pairs): a query and a row that it may not find, by row."""
    if excluded is None or not len(excluded):
        return torch.zeros((2, 0), dtype=torch.int64)
    if len(excluded) != queries:
        raise ValueError(f"rows to leave out for {len(excluded)} of {queries} queries")
    counts = torch.tensor([len(rows) for rows in excluded])
    row, order = torch.cat(list(excluded)).long().sort()
    return torch.stack([torch.arange(queries).repeat_interleave(counts)[order], row])


def _put(best: TopK, first: int, pairs: Pairs) -> None:
    """Put down the best of some queries, which count from `first`."""
    place = places(pairs.query, len(best.rows) - first)
    best.scores.numpy()[pairs.query + first, place] = pairs.score
    best.rows.numpy()[pairs.query + first, place] = pairs.row
