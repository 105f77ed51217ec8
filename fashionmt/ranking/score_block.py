"""A block of scores in memory, and the few of them that may be among the best.

B queries, n items, in chunks of items, and the items of a chunk in groups.
"""

from collections.abc import Callable

import torch
from torch import Tensor

BATCH = 128
"""Queries at once: more would be no faster, and take more memory."""
CHUNK = 262_144
"""Scores at once, 1 MB: they are in the cache still when they are looked through."""
GROUP = 32
"""Items whose best score alone is looked at first."""


class ScoreBlock:
    """The scores of up to B queries and n items. Its memory is used again: fresh memory costs as much as selecting."""

    def __init__(self, queries: int, items: int, k: int) -> None:
        """For so many at most, of which the `k` best are wanted."""
        group = GROUP
        while group > 1 and items < 4 * k * group:
            group //= 2
        chunk = min(CHUNK // max(1, queries) // group, -(-items // group)) * group
        chunks = -(-items // chunk) if items else 0
        # A group is every `chunk // group`-th item of its chunk, so that neighbours in memory are compared at once.
        self._scores = torch.empty(queries, chunks, group, chunk // group)
        self._largest = torch.empty(queries, chunks, chunk // group)
        self._chunk, self._used = chunk, (0, 0)
        self._first = 0

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
            write: puts the scores of some queries and rows into a float32 matrix.
            allowed: bool, of all rows there are; None: all may be found.
            barred: int64 (2, pairs), queries and rows that they may not find, by row.
        """
        count = queries.stop - queries.start
        starts = range(rows.start, rows.stop, self._chunk)
        self._first, self._used = rows.start, (count, len(starts))
        of_chunk = self._scores[:count].flatten(2).unbind(1)
        grouped, largest = self._scores[:count].unbind(1), self._largest[:count].unbind(1)
        for number, start in enumerate(starts):
            chunk = slice(start, min(start + self._chunk, rows.stop))
            scores, width = of_chunk[number], chunk.stop - start
            if width == self._chunk:
                write(queries, chunk, scores)
            else:
                write(queries, chunk, scores[:, :width])
                scores[:, width:] = -torch.inf
            if allowed is not None:
                scores[:, :width].masked_fill_(~allowed[chunk], -torch.inf)
            if barred.numel():
                _bar(scores, queries, chunk, barred)
            torch.amax(grouped[number], 1, out=largest[number])

    def candidates(self, k: int, least: Tensor, margin: Tensor) -> tuple[Tensor, Tensor]:
        """(query, row) of the scores that may be among the k best, int64 (P,) each, by query and then by row; queries
        count from the block's first.

        The k-th largest of the groups' largest scores is no more than the k-th largest score, and few groups hold a
        score above it.

        Args:
            least: float32 (B,), what a score must be above to matter.
            margin: float32 (B,), twice what a score may be wrong by.
        """
        count, chunks = self._used
        largest = self._largest[:count, :chunks].flatten(1)
        groups = largest.shape[1]
        kth = largest.topk(k, sorted=False).values.amin(1) if k <= groups else torch.full_like(least, -torch.inf)
        limit = (torch.maximum(kth, least) - margin).clamp_min(torch.finfo(torch.float32).min)[:, None]
        query, group = (largest >= limit).nonzero(as_tuple=True)
        width = self._largest.shape[2]
        number, column = group // width, group % width
        pair, place = (self._scores[query, number, :, column] >= limit[query]).nonzero(as_tuple=True)
        query, row = query[pair], number[pair] * self._chunk + place * width + column[pair]
        order = (query * (chunks * self._chunk) + row).argsort()
        return query[order], row[order] + self._first


def _bar(scores: Tensor, queries: slice, chunk: slice, barred: Tensor) -> None:
    """-inf in float32 (B, n) for the pairs within."""
    begin, end = torch.searchsorted(barred[1], torch.tensor([chunk.start, chunk.stop])).tolist()
    query, row = barred[:, begin:end]
    here = (query >= queries.start) & (query < queries.stop)
    scores[query[here] - queries.start, row[here] - chunk.start] = -torch.inf
