"""Histories as tensors: the last items of each user, how recent they are, and everything that the user has had.

B users, L places of a history.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fashionmt.recommend.interactions import DAY, Floats, Interactions
from fashionmt.recommend.items import Items, Rows

AGE_BUCKETS = 16
"""0: not known; then by powers of two from less than a day to more than 2^14 days."""


@dataclass
class Histories:
    """The newest item comes first, so that place i is i items ago."""

    items: Tensor
    """int64 (B, L): rows of the items, -1 behind the last; L is the longest of the batch."""
    ages: Tensor
    """int64 (B, L): the bucket of the time since, see `AGE_BUCKETS`."""

    @property
    def mask(self) -> Tensor:
        """bool (B, L): where there is an item."""
        return self.items >= 0

    def __len__(self) -> int:
        return len(self.items)

    def to(self, device: torch.device) -> "Histories":
        """On another device."""
        return Histories(self.items.to(device), self.ages.to(device))


def take_histories(events: Interactions, begins: Rows, ends: Rows, now: Floats, length: int) -> Histories:
    """The last events, at most `length`, of each range from `begins` to `ends` (B,), seen from the time `now` (B,)."""
    length = max(1, min(length, int((ends - begins).max(initial=0))))
    place = ends[:, None] - 1 - np.arange(length)[None]
    there = place >= begins[:, None]
    safe = np.where(there, place, 0)
    items = np.where(there, events.item[safe] if len(events.item) else 0, -1)
    times = events.time[safe] if len(events.item) else np.zeros(safe.shape)
    ages = np.where(there, age_buckets(now[:, None] - times), 0)
    return Histories(torch.from_numpy(items), torch.from_numpy(ages))


def histories_of(events: Interactions, users: Rows, now: float, length: int) -> Histories:
    """The last `length` events of each of `users`, seen from the time `now`."""
    starts = events.starts
    return take_histories(events, starts[users], starts[users + 1], np.full(len(users), now), length)


def age_buckets(seconds: Floats) -> Rows:
    """The bucket of each time span; 0 where it is not known."""
    days = np.maximum(np.nan_to_num(seconds, nan=0.0), 0) / DAY
    bucket = 1 + np.clip(np.floor(np.log2(days + 1)), 0, AGE_BUCKETS - 2)
    return np.where(np.isnan(seconds), 0, bucket).astype(np.int64)


@dataclass(frozen=True)
class Seen:
    """Pairs of user and item that are not to be recommended."""

    user: Tensor
    """int64 (P,): a row of a batch."""
    item: Tensor
    """int64 (P,)."""

    def to(self, device: torch.device) -> "Seen":
        """On another device."""
        return Seen(self.user.to(device), self.item.to(device))


def seen_by(events: Interactions, users: Rows, items: Items | None = None) -> Seen:
    """All that each of `users` has had; with `items`, also what is the same product as one of them."""
    starts = events.starts
    counts = starts[users + 1] - starts[users]
    user = np.repeat(np.arange(len(users)), counts)
    place = np.repeat(starts[users] - (counts.cumsum() - counts), counts) + np.arange(counts.sum())
    rows = events.item[place]
    if items is not None:
        user, rows = items.with_duplicates(user, rows)
    return Seen(torch.from_numpy(user), torch.from_numpy(rows))
