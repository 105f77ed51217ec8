"""Intervals by the percentile bootstrap (Efron 1979), drawing whole groups of items.

Items of one family are near copies: drawn one by one they would make every interval too narrow. So families are drawn,
and blocks where the split deals blocks. With few groups (a catalogue of 40,000 has 24 test blocks of 500) a percentile
interval is somewhat narrow still. Each draw is a number of times for each group, so that accuracy is one product of
matrices over all draws, and macro-F1 three.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure, and where it lies with 95 % confidence."""

    value: float | None
    """None where there is no item to measure it on."""
    low: float | None
    high: float | None
    """None where fewer than two groups leave nothing to draw."""
    items: int

    def to_json(self) -> dict[str, Any]:
        """As `benchmark.json` holds it."""
        return asdict(self)


@dataclass(frozen=True)
class Statistic:
    """A figure on all items and on each draw of them."""

    value: float
    draws: Floats
    """(draws,), NaN where a draw holds no item that counts."""
    items: int

    def __sub__(self, other: "Statistic") -> "Statistic":
        """Their difference, draw by draw: both must come from the same `Bootstrap`."""
        return Statistic(self.value - other.value, self.draws - other.draws, min(self.items, other.items))

    def estimate(self) -> Estimate:
        """The figure with its percentile interval."""
        if self.items == 0:
            return Estimate(None, None, None, 0)
        drawn = self.draws[np.isfinite(self.draws)]
        if len(drawn) == 0:
            return Estimate(self.value, None, None, self.items)
        low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
        return Estimate(self.value, float(low), float(high), self.items)


class Bootstrap:
    """The same draws of groups for every figure, so that figures can be subtracted."""

    def __init__(self, groups: Sequence[str], draws: int, seed: int = 0) -> None:
        """`groups`: each item's group, (N,)."""
        self.group, names = pd.factorize(np.asarray(groups, dtype=object))
        self.count, self.draws = len(names), draws
        random = np.random.default_rng(seed)
        drawn = random.integers(0, max(1, self.count), (draws, self.count))
        place = (np.arange(draws)[:, None] * self.count + drawn).ravel()
        times = np.bincount(place, minlength=draws * self.count).reshape(draws, self.count)
        self.times: Floats = times.astype(np.float64)
        """(draws, groups): how often each draw holds each group."""

    def mean(self, values: npt.NDArray[Any], counted: npt.NDArray[np.bool_]) -> Statistic:
        """The mean of `values` (N,) over the items that are `counted` (N,)."""
        sums = np.bincount(self.group, np.where(counted, values, 0), self.count)
        sizes = np.bincount(self.group, counted, self.count)
        items = int(counted.sum())
        drawn = _ratio(self.times @ sums, self.times @ sizes)
        return Statistic(float(sums.sum() / max(1, items)), self._drawn(drawn), items)

    def macro_f1(self, true: npt.NDArray[np.int64], answered: npt.NDArray[np.int64]) -> Statistic:
        """The mean F1 of the classes that occur, in a draw those that occur in it; items of a negative `true` (N,)
        are left out. A draw misses some of the rarest classes, so the interval need not lie around the figure."""
        kept = true >= 0
        classes = 1 + int(max(true.max(initial=0), answered.max(initial=0)))
        right = kept & (true == answered)
        hits = self._by_group(true, right, classes)
        occurrences = self._by_group(true, kept, classes) + self._by_group(answered, kept, classes)
        value = _macro_f1(hits.sum(axis=0)[None], occurrences.sum(axis=0)[None])[0]
        drawn = _macro_f1((hits.T @ self.times.T).T, (occurrences.T @ self.times.T).T)
        return Statistic(float(value), self._drawn(drawn), int(kept.sum()))

    def _by_group(self, classes: npt.NDArray[np.int64], counted: npt.NDArray[np.bool_], count: int) -> csr_array:
        """How many counted items of each class each group holds, (groups, count)."""
        where = (self.group[counted], classes[counted])
        return csr_array((np.ones(int(counted.sum())), where), shape=(self.count, count))

    def _drawn(self, draws: Floats) -> Floats:
        """A single group is always drawn whole: that is no interval."""
        return draws if self.count > 1 else np.full(self.draws, np.nan)


def _macro_f1(hits: Floats, occurrences: Floats) -> Floats:
    """(draws, classes) each -> (draws,). F1 is twice the hits over labels plus answers of the class."""
    scores: Floats = np.divide(2 * hits, occurrences, out=np.zeros_like(hits, dtype=np.float64), where=occurrences > 0)
    return _ratio(scores.sum(axis=1), (occurrences > 0).sum(axis=1))


def _ratio(above: Floats, below: npt.NDArray[Any]) -> Floats:
    """NaN where nothing counts."""
    ratio: Floats = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return ratio
