"""What a learned ranker must beat, fitted on the events before the cut: popularity, co-visitation, neighbours, EASE.

    X: users x items, 1 where a user had an item. U users, N items, B people.

The methods that count items know nothing of one that nobody had: its score is 0.
"""

import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array, diags_array
from torch import Tensor

from fashionmt.config import RankerConfig
from fashionmt.recommend.evaluation import Question, quick_ndcg
from fashionmt.recommend.histories import Histories
from fashionmt.recommend.interactions import DAY, Interactions
from fashionmt.recommend.items import Items
from fashionmt.recommend.people import People, Scorer, batches

FOLLOWERS = 5
"""Items after one that co-visitation counts as following it."""
NEIGHBOURS = (50, 200)
SHRINKAGE = (0.0, 10.0)
"""Of ItemKNN, to choose from."""
PENALTIES = (10.0, 100.0, 1000.0)
"""Of EASE, to choose from."""


@dataclass(frozen=True)
class Counted:
    """Ranks all alike, by a number an item."""

    name: str
    numbers: Tensor
    """float32 (N,)."""

    def scores(self, people: People) -> Tensor:
        """See `Scorer`."""
        return self.numbers.expand(len(people), -1)


@dataclass(frozen=True)
class CountedInGroup:
    """Ranks by what people of the same group had; a person's group is the commonest value in the history."""

    name: str
    numbers: Tensor
    """float32 (G + 1, N): by group, the last of those who have none."""
    codes: Tensor
    """int64 (N,): the group of each item, -1 for none."""

    def scores(self, people: People) -> Tensor:
        """See `Scorer`."""
        return self.numbers[commonest(self.codes, people.histories, len(self.numbers) - 1)]


@dataclass(frozen=True)
class Linked:
    """Ranks by what is linked to the items of a history."""

    name: str
    links: csr_array | npt.NDArray[np.float32]
    """(N, N): row j holds what item j of a history adds to each item."""
    weights: tuple[float, ...] | None = None
    """Of the last item of a history, the one before, ...; None: all that the user had, alike."""

    def scores(self, people: People) -> Tensor:
        """See `Scorer`."""
        found = self._given(people, self.links.shape[0]) @ self.links
        dense = found.toarray() if isinstance(found, csr_array) else np.asarray(found)
        return torch.from_numpy(dense.astype(np.float32))

    def _given(self, people: People, count: int) -> csr_array:
        if self.weights is None:
            where = (people.seen.user.numpy(), people.seen.item.numpy())
            given = csr_array((np.ones(len(where[0]), np.float32), where), shape=(len(people), count))
            given.data[:] = 1
            return given
        last = people.histories.items[:, : len(self.weights)].numpy()
        row, place = np.nonzero(last >= 0)
        values = np.array(self.weights, np.float32)[place]
        return csr_array((values, (row, last[row, place])), shape=(len(people), count))


@dataclass(frozen=True)
class HistoryContent:
    """Ranks by the likeness of vectors to those of the history, untrained: to its `mean`, `max`, or `last` item."""

    name: str
    vectors: Tensor
    """float32 (N, D), unit."""
    pooling: str

    def scores(self, people: People) -> Tensor:
        """See `Scorer`."""
        items, mask = people.histories.items, people.histories.mask
        if self.pooling == "last":
            items, mask = items[:, :1], mask[:, :1]
        taken = self.vectors[items.clamp(min=0)] * mask[..., None]
        if self.pooling != "max":
            return (taken.sum(dim=1) / mask.sum(dim=1, keepdim=True).clamp(min=1)) @ self.vectors.T
        best = torch.full((len(people), len(self.vectors)), -2.0)
        for place in range(items.shape[1]):
            likeness = (taken[:, place] @ self.vectors.T).masked_fill(~mask[:, place, None], -2.0)
            best = torch.maximum(best, likeness)
        return best


def commonest(codes: Tensor, histories: Histories, groups: int) -> Tensor:
    """The commonest group of each history's items, int64 (B,); `groups` where none is known. Ties: the lower one."""
    found = codes[histories.items.clamp(min=0)].masked_fill(~histories.mask, -1)
    counts = torch.zeros(len(histories), groups + 1, dtype=torch.int64)
    counts.scatter_add_(1, found.where(found >= 0, groups), torch.ones_like(found))
    counts[:, groups] = 0
    return torch.where(counts.sum(dim=1) > 0, counts.argmax(dim=1), groups)


def user_items(events: Interactions, count: int) -> csr_array:
    """X, float32 (U, N)."""
    shape = (len(events.users), count)
    had = csr_array((np.ones(len(events.user), np.float32), (events.user, events.item)), shape=shape)
    had.data[:] = 1
    return had


def popularity(events: Interactions, items: Items) -> Counted:
    """How many have had an item."""
    return Counted("popularity", _counts(events, len(items)))


def recent_popularity(events: Interactions, items: Items, cut: float, days: float) -> Counted:
    """The same of the last days before the cut; all of the time breaks ties."""
    recent = _counts(events.kept(events.time >= cut - days * DAY), len(items))
    everything = _counts(events, len(items))
    return Counted(f"popularity, last {days:g} days", recent + everything / (everything.sum() + 1))


def group_popularity(events: Interactions, items: Items, attribute: str, length: int) -> CountedInGroup:
    """How many of the same group have had an item, everyone's popularity breaking ties."""
    codes, values = items.codes(attribute)
    where = torch.from_numpy(codes)
    groups = np.full(len(events.users), len(values))
    with_events = np.unique(events.user)
    for people in batches(events, with_events, 0.0, length):
        groups[people.users] = commonest(where, people.histories, len(values)).numpy()
    everything = _counts(events, len(items))
    numbers = torch.zeros(len(values) + 1, len(items))
    for group in range(len(values)):
        numbers[group] = _counts(events.kept(groups[events.user] == group), len(items))
    return CountedInGroup(f"popularity within {attribute}", numbers + everything / (everything.sum() + 1), where)


def covisitation(events: Interactions, items: Items) -> Linked:
    """How often an item came among the next five after one of the history's last five, the nearer the more."""
    links = csr_array((len(items), len(items)), dtype=np.float32)
    for step in range(1, FOLLOWERS + 1):
        same = events.user[step:] == events.user[:-step]
        pairs = (events.item[:-step][same], events.item[step:][same])
        links = links + csr_array((np.full(len(pairs[0]), 1 / step, np.float32), pairs), shape=links.shape)
    return Linked("co-visitation", links, tuple(1 / step for step in range(1, FOLLOWERS + 1)))


def item_knn(events: Interactions, items: Items, neighbours: int, shrinkage: float) -> Linked:
    """Cosines of the columns of X, each item's nearest kept; `shrinkage` is added below the fraction."""
    had = user_items(events, len(items)).tocsc()
    norms = np.sqrt(had.sum(axis=0))
    both = (had.T @ had).tocoo()
    row, column = both.row, both.col
    cosines = both.data / (norms[row] * norms[column] + shrinkage)
    cosines[row == column] = 0
    order = np.lexsort((column, -cosines, row))
    row, column, cosines = row[order], column[order], cosines[order]
    starts = np.searchsorted(row, np.arange(len(items)))
    kept = np.arange(len(row)) - starts[row] < neighbours
    links = csr_array((cosines[kept], (row[kept], column[kept])), shape=both.shape)
    return Linked("ItemKNN", links)


def ease(events: Interactions, items: Items, penalty: float) -> Linked:
    """B = I - P / diag(P), P the inverse of X'X + penalty I (Steck 2019, arXiv:1905.03375): a linear model without its
    diagonal."""
    had = user_items(events, len(items)).astype(np.float64)
    gram = (had.T @ had + diags_array(np.full(len(items), penalty))).toarray()
    inverse = np.linalg.inv(gram)
    links = -inverse / np.diag(inverse)[None]
    np.fill_diagonal(links, 0)
    return Linked("EASE", links.astype(np.float32))


def _counts(events: Interactions, count: int) -> Tensor:
    return torch.from_numpy(np.bincount(events.item, minlength=count).astype(np.float32))


def counting_baselines(
    events: Interactions, items: Items, cut: float, options: RankerConfig, gender: str | None
) -> list[Scorer]:
    """Those without settings that count."""
    found: list[Scorer] = [
        popularity(events, items),
        recent_popularity(events, items, cut, options.popularity_days),
        covisitation(events, items),
    ]
    if gender is not None and gender in items.attributes:
        found.insert(2, group_popularity(events, items, gender, options.history))
    return found


def choose_settings(validation: Question, events: Interactions, ease_items: int) -> list[Scorer]:
    """Those with settings, chosen on validation and then fitted on `events`, all that came before test."""
    items, past = validation.items, validation.past
    knn = [(neighbours, shrinkage) for neighbours in NEIGHBOURS for shrinkage in SHRINKAGE]
    best = max(knn, key=lambda each: quick_ndcg(validation, item_knn(past, items, *each)))
    found: list[Scorer] = [item_knn(events, items, *best)]
    if len(items) > ease_items:
        sys.stderr.write(f"EASE is left out: more than recommend.ease_items={ease_items} items\n")
        return found
    penalty = max(PENALTIES, key=lambda each: quick_ndcg(validation, ease(past, items, each)))
    return [*found, ease(events, items, penalty)]
