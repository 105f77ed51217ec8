"""Pairs of a query and a row that may be among the query's k best, as long as their scores are known to a margin only.

B queries, P pairs.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]

OFTEN = 4
"""The limit is looked up again when there are new pairs for one part in so many of the best ones."""
POOL = 4_194_304
"""Pairs that are kept before all but the best are let go: only with many equal scores are there so many."""


@dataclass(frozen=True)
class Pairs:
    """Each pair once."""

    query: Rows
    """(P,)."""
    row: Rows
    """(P,)."""
    score: Scores
    """(P,)."""

    def __len__(self) -> int:
        return len(self.query)

    def __getitem__(self, chosen: npt.NDArray[np.generic]) -> "Pairs":
        return Pairs(self.query[chosen], self.row[chosen], self.score[chosen])


class Candidates:
    """The pairs found so far. What is below the k-th best score by more than the margin is no candidate."""

    def __init__(self, margin: Scores, k: int, exact: Callable[[Rows, Rows], Scores]) -> None:
        """
        Args:
            margin: (B,), twice what the scores that are added may differ from the exact ones by.
            k: how many are wanted.
            exact: the exact scores of some queries and rows, (P,) each.
        """
        self._margin, self._k, self._exact = margin, k, exact
        self._nearest = np.full((len(margin), k), -np.inf, dtype=np.float32)
        self._old: list[Pairs] = []
        self._new: list[Pairs] = []
        self._count = 0
        self.limit = self._limit()
        """(B,): what a score must be at least to matter."""

    def raise_limit(self, kth: Scores) -> None:
        """Where the k-th best score is known to be no less than `kth`, (B,)."""
        self.limit = np.maximum(self.limit, kth - self._margin)

    def add(self, pairs: Pairs) -> None:
        """Pairs that are not there yet."""
        self._new.append(pairs)
        self._count += len(pairs)
        if OFTEN * self._count >= self._nearest.size:
            self._look_up()
        if sum(map(len, self._old)) > POOL:
            self._old = [self.best()]

    def best(self) -> Pairs:
        """The k best pairs of each query, by query and then best first, with exact scores."""
        if self._new:
            self._look_up()
        pairs = joined(self._old)
        pairs = pairs[np.flatnonzero(pairs.score >= self.limit[pairs.query])]
        return ranked(Pairs(pairs.query, pairs.row, self._exact(pairs.query, pairs.row)), self._k, len(self._margin))

    def _look_up(self) -> None:
        """The k best scores so far."""
        pairs = joined(self._new)
        order = pairs.query.argsort()
        query = pairs.query[order]
        place = places(query, len(self._margin))
        more = int(place.max(initial=-1)) + 1
        wide = np.full((len(self._margin), more + self._k), -np.inf, dtype=np.float32)
        wide[:, more:] = self._nearest
        wide[query, place] = pairs.score[order]
        wide.partition(more, axis=1)
        self._nearest = wide[:, more:]
        self.limit = np.maximum(self.limit, self._limit())
        self._old.append(pairs)
        self._new, self._count = [], 0

    def _limit(self) -> Scores:
        limit: Scores = np.maximum(self._nearest[:, 0] - self._margin, np.finfo(np.float32).min)  # -inf is no score
        return limit


def joined(parts: Sequence[Pairs]) -> Pairs:
    """All of one part or more."""
    query, row, score = ([getattr(part, name) for part in parts] for name in ("query", "row", "score"))
    return Pairs(np.concatenate(query), np.concatenate(row), np.concatenate(score))


def ranked(pairs: Pairs, k: int, queries: int) -> Pairs:
    """The `k` best pairs of each query, by query and then best first; of equal scores the lower row comes first."""
    pairs = pairs[np.lexsort((pairs.row, -pairs.score, pairs.query))]
    return pairs[np.flatnonzero(places(pairs.query, queries) < k)]


def places(query: Rows, queries: int) -> Rows:
    """How many pairs of the same query come before each; by query, (P,)."""
    counts = np.bincount(query, minlength=queries)
    return np.arange(len(query)) - (counts.cumsum() - counts)[query]
