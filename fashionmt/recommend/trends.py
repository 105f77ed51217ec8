"""How popular each item is at a moment, as a few numbers: what a ranker's prior is learned from.

W weeks, N items. A week's numbers come from what happened before it began, so nothing is known ahead of its time.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fashionmt.recommend.interactions import DAY, Floats, Interactions

WEEK = 7 * DAY
RECENT_WEEKS = 4
NUMBERS = ("recent", "ever", "age", "new")
"""The logarithms of how many had an item in the last four weeks and ever, and of the days since the first did; and 1
for an item that nobody had had."""


@dataclass(frozen=True)
class Trends:
    """The numbers of every week, and which items anyone had had by then."""

    begin: float
    """Of the first week, seconds since 1970."""
    numbers: Tensor
    """float32 (W, N, 4). The first three are 0 on average over the items that anyone had had by then; 0 of others."""
    there: Tensor
    """bool (W, N): items that can be passed over in a week. Nobody tells when an item is put on sale, so one that is
    first taken within the next four weeks is taken to be there, and one that is first taken later not to be."""

    def weeks(self, times: Floats) -> Tensor:
        """The week of each moment, int64; moments beyond the last count to it."""
        week = np.floor((times - self.begin) / WEEK).astype(np.int64)
        return torch.from_numpy(np.clip(week, 0, len(self.numbers) - 1))


def weekly_trends(events: Interactions, count: int) -> Trends:
    """Of every week from the first event to the one after the last. `count`: N. Events have known times."""
    begin = float(events.time.min())
    week = np.floor((events.time - begin) / WEEK).astype(np.int64)
    weeks = int(week.max()) + 2
    first = np.full(count, np.inf)
    np.minimum.at(first, events.item, events.time)
    taken = np.zeros((weeks, count), dtype=np.float32)
    np.add.at(taken, (week, events.item), 1)
    ever = np.concatenate([np.zeros((1, count), np.float32), taken.cumsum(axis=0)[:-1]])
    starts = begin + np.arange(weeks) * WEEK
    numbers = [_at_week(ever, index, starts[index] - first) for index in range(weeks)]
    there = first[None] < starts[:, None] + (1 + RECENT_WEEKS) * WEEK
    return Trends(begin, torch.from_numpy(np.stack(numbers)), torch.from_numpy(there))


def trends_at(events: Interactions, count: int, time: float) -> Tensor:
    """(N, 4): the numbers at one moment that all `events` lie before."""
    first = np.full(count, np.inf)
    np.minimum.at(first, events.item, np.nan_to_num(events.time, nan=np.inf))
    ever = np.bincount(events.item, minlength=count).astype(np.float32)
    recent = events.item[events.time >= time - RECENT_WEEKS * WEEK]
    lately = np.bincount(recent, minlength=count).astype(np.float32)
    return torch.from_numpy(_numbers(lately, ever, time - first))


def _at_week(ever: np.ndarray, week: int, age: Floats) -> np.ndarray:
    return _numbers(ever[week] - ever[max(0, week - RECENT_WEEKS)], ever[week], age)


def _numbers(recent: np.ndarray, ever: np.ndarray, age: Floats) -> np.ndarray:
    """float32 (N, 4)."""
    known = ever > 0
    days = np.where(np.isfinite(age), np.maximum(age, 0), 0) / DAY
    numbers = np.stack([np.log1p(recent), np.log1p(ever), np.log1p(days)], axis=1).astype(np.float32)
    if known.any():
        numbers -= numbers[known].mean(axis=0)
    numbers[~known] = 0
    return np.concatenate([numbers, ~known[:, None]], axis=1, dtype=np.float32)
