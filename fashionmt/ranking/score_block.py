"""A block of scores in memory, and the few of them that are above a limit.

B queries, n items, in groups of items.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from fashionmt.ranking.candidates import Pairs, Scores

BATCH = 1024
"""Queries at once: with fewer the product itself is slower."""
BLOCK = 2_097_152
"""Scores at once, 8 MB. More leave the cache before they are looked through, and from 32 MB on the C library gives the
memory back each time, to have it again for a page fault every 4 kB; with fewer the product's own preparations, and the
steps of the selection, are repeated too often."""
GROUP = 16
"""Items whose best score alone is looked at first."""
ENOUGH = 4
"""So many times k groups tell well enough how good the k-th best score is."""


class ScoreBlock:
    """The scores of B queries and up to n items. Items are the rows in memory: the best of a group is found for
    neighbouring queries at once, and the product is no slower that way round."""

    def __init__(self, queries: int, items: int) -> None:
        """For so many queries, and so many items at most."""
        items = min(items, BLOCK // queries)
        group = min(GROUP, items)
        width = items // group
        # A group is every `width`-th item.
        self._scores = torch.empty(group, width, queries)
        self._largest = torch.empty(width, queries)
        self._first = 0
        self.rows = group * width
        """Items that it holds, at most."""

    def fill(
        self,
        queries: slice,
        rows: slice,
        write: Callable[[slice, slice, Tensor], object],
        allowed: Tensor | None,
        barred: Tensor,
    ) -> None:
        """Hold other scores.

        Args:
            queries, rows: which.
            write: puts the scores of some rows and queries into a float32 matrix.
            allowed: bool, of all rows there are; None: all may be found.
            barred: int64 (2, pairs), queries and rows that they may not find, by row.
        """
        self._first, count = rows.start, rows.stop - rows.start
        scores = self._scores.view(self.rows, -1)
        if count < self.rows:
            scores[count:] = -torch.inf
            scores = scores[:count]
        write(queries, rows, scores)
        if allowed is not None:
            scores.masked_fill_(~allowed[rows, None], -torch.inf)
        if barred.numel():
            _bar(scores, queries, rows, barred)
        torch.amax(self._scores, 0, out=self._largest)

    def kth(self, k: int) -> Scores:
        """What the k-th best score of each query is no less than, (B,): the k-th best of the groups' best, or, where
        there are few groups, of all."""
        some = self._largest if len(self._largest) >= ENOUGH * k else self._scores.view(self.rows, -1)
        if k > len(some):
            return np.full(some.shape[1], -np.inf, dtype=np.float32)
        by_query = np.array(some.numpy().T, order="C")
        by_query.partition(len(some) - k, axis=1)
        return by_query[:, len(some) - k]

    def above(self, limit: Scores) -> Pairs:
        """The scores of at least their query's limit, (B,): few groups hold one. Queries count from 0."""
        group, width, queries = self._scores.shape
        found = np.flatnonzero(self._largest.numpy() >= limit)
        query = found % queries
        scores = self._scores.numpy().reshape(group, -1).T[found]
        hit = np.flatnonzero(scores >= limit[query, None])
        pair, place = np.divmod(hit, group)
        return Pairs(query[pair], place * width + found[pair] // queries + self._first, scores.reshape(-1)[hit])


def _bar(scores: Tensor, queries: slice, rows: slice, barred: Tensor) -> None:
    """-inf in float32 (n, B) for the pairs within."""
    begin, end = torch.searchsorted(barred[1], torch.tensor([rows.start, rows.stop])).tolist()
    query, row = barred[:, begin:end]
    here = (query >= queries.start) & (query < queries.stop)
    scores[row[here] - rows.start, query[here] - queries.start] = -torch.inf
