"""What a ranker learns from: an event of training, what its user had had before, and what may stand as a negative."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from fashionmt.recommend.histories import Histories, take_histories
from fashionmt.recommend.interactions import Interactions
from fashionmt.recommend.items import Items, Rows
from fashionmt.recommend.trends import weekly_trends


@dataclass
class RankerBatch:
    """B histories and what was taken next."""

    histories: Histories
    targets: Tensor
    """int64 (B,)."""
    weeks: Tensor
    """int64 (B,): of the samples' trends, when it was taken."""
    own_row: Tensor
    """int64 (P,): rows of the batch, each with an item of `own_item`."""
    own_item: Tensor
    """int64 (P,): items that are no negatives of that row: all that its user takes in training, and their twins."""

    def __len__(self) -> int:
        return len(self.targets)

    def to(self, device: torch.device) -> "RankerBatch":
        """On another device: Lightning calls it."""
        own = self.own_row.to(device), self.own_item.to(device)
        return RankerBatch(self.histories.to(device), self.targets.to(device), self.weeks.to(device), *own)

    def allowed(self, there: Tensor) -> Tensor:
        """The negatives, bool (B, N): items that were there in the sample's week, less the row's own.

        `there`: bool (W, N), see `Trends`.
        """
        allowed = there[self.weeks]
        allowed[self.own_row, self.own_item] = False
        return allowed


class RankerSamples(Dataset[RankerBatch]):
    """The events that a ranker learns from: of items that are new to their user, who has a history by then.

    Of what a user takes at one moment none is history of the other: in a basket the order says nothing.
    """

    def __init__(self, events: Interactions, items: Items, length: int, most: int) -> None:
        """`most`: of each user the newest so many. `length`: L."""
        self.events, self.catalogue, self.length = events, items, length
        self.trends = weekly_trends(events, len(items))
        starts = events.starts
        self.begin = starts[events.user]
        self.end = _same_moment(events)
        twice = _taken_before(events)
        newest = starts[events.user + 1] - np.arange(len(events.user)) <= most
        self.places = np.flatnonzero((self.end > self.begin) & ~twice & newest)
        self._starts = starts

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, positions: Rows) -> RankerBatch:
        """The batch of `positions` (B,)."""
        places = self.places[positions]
        events = self.events
        histories = take_histories(events, self.begin[places], self.end[places], events.time[places], self.length)
        users = events.user[places]
        counts = self._starts[users + 1] - self._starts[users]
        row = np.repeat(np.arange(len(places)), counts)
        place = np.repeat(self._starts[users] - (counts.cumsum() - counts), counts) + np.arange(counts.sum())
        own_row, own_item = self.catalogue.with_duplicates(row, events.item[place])
        return RankerBatch(
            histories,
            torch.from_numpy(events.item[places]),
            self.trends.weeks(events.time[places]),
            torch.from_numpy(own_row),
            torch.from_numpy(own_item),
        )


def _same_moment(events: Interactions) -> Rows:
    """(E,): for each event, the first of its user's at the same time."""
    index = np.arange(len(events.user))
    first = np.ones(len(index), dtype=bool)
    first[1:] = (events.user[1:] != events.user[:-1]) | (events.time[1:] != events.time[:-1])
    return np.maximum.accumulate(np.where(first, index, 0))


def _taken_before(events: Interactions) -> np.ndarray:
    """(E,) bool: whether the user had the item before."""
    size = 1 + int(events.item.max(initial=0))
    _, first = np.unique(events.user * size + events.item, return_index=True)
    twice = np.ones(len(events.user), dtype=bool)
    twice[first] = False
    return twice
