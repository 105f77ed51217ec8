"""Search in an index: the nearest items, each product once, different ones where that is asked for.

Q queries, N items, vectors of E numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fashionmt.item_index.diversity import mmr
from fashionmt.item_index.filters import Mask
from fashionmt.item_index.index import ItemIndex
from fashionmt.ranking import top_k, top_k_among

POOL = 10
"""Of so many times k nearest items MMR chooses."""
REPEATED = 2
"""So many times k items are looked at first where products are to be there once."""


@dataclass(frozen=True)
class Ranked:
    """The answer to one query, best first."""

    rows: npt.NDArray[np.int64]
    """Of the index; fewer than k where no more may be found."""
    scores: npt.NDArray[np.float32]
    """Cosines with the query."""


def search(
    index: ItemIndex,
    queries: Tensor,
    k: int,
    allowed: Mask | None = None,
    excluded: Sequence[Sequence[int]] | None = None,
    duplicates: bool = False,
    diversity: float | None = None,
) -> list[Ranked]:
    """The `k` items nearest to each query, exactly; of equal ones the lower id. Where the index is an approximate one,
    and all its items are allowed, the nearest of those that faiss finds.

    Args:
        queries: float32 (Q, E), of length 1.
        allowed: bool (N,), what may be found; None: all.
        excluded: of each query, rows that it may not find: without `duplicates`, their products neither.
        duplicates: find several items of one product; without, the best of each.
        diversity: MMR's lambda; None: by nearness alone.
    """
    own = [list(rows) for rows in excluded] if excluded is not None else [[] for _ in queries]
    wanted = k * POOL if diversity is not None else k
    if duplicates:
        found = _nearest(index, queries, wanted, allowed, own)
    else:
        found = _products(index, queries, wanted, allowed, own)
    return found if diversity is None else [_diverse(index, each, diversity, k) for each in found]


def _nearest(
    index: ItemIndex, queries: Tensor, k: int, allowed: Mask | None, excluded: Sequence[list[int]]
) -> list[Ranked]:
    k = min(k, max(1, len(index)))
    lists = index.approximate if allowed is None else None
    candidates = None if lists is None else lists.candidates(queries.numpy(), k + max(map(len, excluded), default=0))
    if candidates is None or (candidates < 0).any():  # lists too short for so many
        mask = None if allowed is None else torch.from_numpy(allowed)
        barred = [torch.tensor(rows, dtype=torch.int64) for rows in excluded]
        found = top_k(queries, index.vectors, k, mask, barred, longest=1.001)
    else:
        for each, own in zip(candidates, excluded, strict=True):
            each[np.isin(each, own)] = -1
        found = top_k_among(queries, index.vectors, torch.from_numpy(candidates), k)
    rows, scores = found.rows.numpy(), found.scores.numpy()
    return [Ranked(row[row >= 0], score[row >= 0]) for row, score in zip(rows, scores, strict=True)]


def _products(
    index: ItemIndex, queries: Tensor, k: int, allowed: Mask | None, excluded: Sequence[list[int]]
) -> list[Ranked]:
    """The best item of each product. More items are asked for as long as a query lacks some."""
    products = index.products
    answers: dict[int, Ranked] = {}
    waiting, count = list(range(len(queries))), REPEATED * k + max(map(len, excluded), default=0)
    while waiting:
        found = _nearest(index, queries[waiting], count, allowed, [excluded[query] for query in waiting])
        for query, ranked in zip(waiting, found, strict=True):
            _, first = np.unique(products[ranked.rows], return_index=True)
            first.sort()
            barred = products[np.array(excluded[query], dtype=np.int64)]
            first = first[~np.isin(products[ranked.rows[first]], barred)][:k]
            if len(first) == k or len(ranked.rows) < count:
                answers[query] = Ranked(ranked.rows[first], ranked.scores[first])
        waiting = [query for query in waiting if query not in answers]
        count *= 4
    return [answers[query] for query in range(len(queries))]


def _diverse(index: ItemIndex, ranked: Ranked, weight: float, k: int) -> Ranked:
    # By id before, so that MMR's first of equal ones is the lower id.
    order = np.argsort(ranked.rows, kind="stable")
    rows, scores = ranked.rows[order], ranked.scores[order]
    chosen = mmr(scores, index.vectors[rows].numpy(), weight, k)
    return Ranked(rows[chosen], scores[chosen])
