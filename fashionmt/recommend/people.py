"""People to recommend to, and what ranks items for them. B people, N items."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from fashionmt.ranking.topk import top_k_of_scores
from fashionmt.recommend.histories import Histories, Seen, histories_of, seen_by
from fashionmt.recommend.interactions import Interactions
from fashionmt.recommend.items import Rows

BATCH = 256


@dataclass
class People:
    """B people at a moment."""

    users: Rows
    """(B,): indices into the interactions' users."""
    histories: Histories
    """Their last items."""
    seen: Seen
    """All of their items."""
    time: float
    """The moment, seconds since 1970."""

    def __len__(self) -> int:
        return len(self.users)

    def to(self, device: torch.device) -> "People":
        """On another device: Lightning calls it."""
        return People(self.users, self.histories.to(device), self.seen.to(device), self.time)


class Scorer(Protocol):
    """What ranks."""

    @property
    def name(self) -> str:
        """As the table calls it."""

    def scores(self, people: People) -> Tensor:
        """Finite float32 (B, N): the higher, the sooner."""


def people_at(events: Interactions, users: Rows, time: float, length: int, had: Interactions | None = None) -> People:
    """`users`, whose events are all in the past of `time`. `length`: of a history, at most. `had`: of the same users,
    what they have had; None: the items of `events`."""
    return People(users, histories_of(events, users, time, length), seen_by(had or events, users), time)


def batches(events: Interactions, users: Rows, time: float, length: int, size: int = BATCH) -> Iterator[People]:
    """As `people_at`, a batch at a time."""
    for first in range(0, len(users), size):
        yield people_at(events, users[first : first + size], time, length)


def best_unseen(scores: Tensor, people: People, k: int) -> Tensor:
    """The k best items that each has not had, int64 (B, k), -1 where there are fewer; ties go to the lower id."""
    counts = torch.bincount(people.seen.user, minlength=len(people)).tolist()
    return top_k_of_scores(scores.float(), k, excluded=torch.split(people.seen.item.cpu(), counts)).rows


def rank_all(
    scorer: Scorer, events: Interactions, users: Rows, time: float, length: int, k: int, size: int = BATCH
) -> Tensor:
    """The best for all `users`, (U, k)."""
    found = [best_unseen(scorer.scores(people), people, k) for people in batches(events, users, time, length, size)]
    return torch.cat(found) if found else torch.zeros(0, k, dtype=torch.int64)
