"""Systems beside each other: each ranks the whole catalogue for every user at the cut, less what the user has had.

U users who took something new after the cut and had a history then, k places, N items.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fashionmt.bootstrap import Bootstrap
from fashionmt.ranking.metrics import Relevant, mean, measure
from fashionmt.recommend.interactions import Interactions
from fashionmt.recommend.items import Items, Rows
from fashionmt.recommend.people import Scorer, rank_all
from fashionmt.recommend.split import Targets

LENGTHS = ((1, 2), (3, 9), (10, None))
"""Of a history: users are told apart by it."""


@dataclass(frozen=True)
class Question:
    """What is to be found."""

    items: Items
    past: Interactions
    """All events before the cut."""
    targets: Targets
    k: int
    length: int
    """Of a history, at most."""
    draws: int

    @property
    def users(self) -> Rows:
        """(U,)."""
        return self.targets.users

    @cached_property
    def cold(self) -> Tensor:
        """bool (N,): items that nobody had before the cut."""
        return torch.from_numpy(np.bincount(self.past.item, minlength=len(self.items)) == 0)

    @cached_property
    def lengths(self) -> Rows:
        """(U,): how long each history is."""
        return self.past.starts[self.users + 1] - self.past.starts[self.users]

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """The same draws of users for every system."""
        return Bootstrap([str(user) for user in self.users], self.draws)

    def relevant(self, which: Tensor | None = None) -> Relevant:
        """The targets; `which`: bool (N,), of these items alone."""
        user, item = torch.from_numpy(self.targets.user), torch.from_numpy(self.targets.item)
        if which is not None:
            user, item = user[which[item]], item[which[item]]
        return Relevant.from_pairs(user, item, len(self.users))

    def first_targets(self) -> Tensor:
        """What each took first, int64 (U,)."""
        _, first = np.unique(self.targets.user, return_index=True)
        return torch.from_numpy(self.targets.item[first])

    def next_items(self) -> Relevant:
        """The first target of each."""
        return Relevant.from_pairs(torch.arange(len(self.users)), self.first_targets(), len(self.users))


def sample_users(targets: Targets, most: int, seed: int) -> Targets:
    """At most so many of the users, drawn by the seed."""
    if len(targets.users) <= most:
        return targets
    drawn = np.sort(np.random.default_rng(seed).choice(len(targets.users), most, replace=False))
    place = np.full(len(targets.users), -1)
    place[drawn] = np.arange(most)
    kept = place[targets.user] >= 0
    return Targets(
        targets.users[drawn],
        place[targets.user[kept]],
        targets.item[kept],
        targets.time,
        targets.new_users,
        targets.repeats,
    )


def quick_ndcg(question: Question, scorer: Scorer) -> float:
    """The mean NDCG@k, for choosing."""
    top = _ranked(question, scorer)
    return float(measure(top, question.relevant(), question.k)[f"NDCG@{question.k}"].nanmean())


def judge(question: Question, scorer: Scorer) -> dict[str, Any]:
    """Everything about one system, as `metrics.json` holds it: each figure with its interval over users."""
    top = _ranked(question, scorer)
    k = question.k
    by_user = measure(top, question.relevant(), k)
    warm, cold = (measure(top, question.relevant(which), k) for which in (~question.cold, question.cold))
    following = measure(top, question.next_items(), k)
    return {
        "name": scorer.name,
        "metrics": _means(by_user, question),
        "next_item": _means({name: following[f"{name}@{k}"] for name in ("NDCG", "Hit")}, question),
        "warm_items": _means({"Recall": warm[f"Recall@{k}"]}, question),
        "cold_items": _means({"Recall": cold[f"Recall@{k}"]}, question),
        "by_history": _by_length(by_user[f"NDCG@{k}"], question),
        "shown": _shown(top, question),
    }


def _ranked(question: Question, scorer: Scorer) -> Tensor:
    targets = question.targets
    return rank_all(scorer, question.past, targets.users, targets.time, question.length, question.k)


def _means(values: Mapping[str, Tensor], question: Question) -> dict[str, Any]:
    return {name: mean(each, question.bootstrap).to_json() for name, each in values.items()}


def _by_length(values: Tensor, question: Question) -> dict[str, Any]:
    found = {}
    for low, high in LENGTHS:
        inside = (question.lengths >= low) & (question.lengths <= (high or np.inf))
        name = f"{low}-{high}" if high else f"{low} or more"
        found[name] = mean(values.where(torch.from_numpy(inside), torch.nan), question.bootstrap).to_json()
    return found


def _shown(top: Tensor, question: Question) -> dict[str, float]:
    """What is shown: how much of the catalogue, how popular (the mean share of items that fewer had), how much cold."""
    shown = top[top >= 0]
    counts = np.bincount(question.past.item, minlength=len(question.items))
    share = np.searchsorted(np.sort(counts), counts) / len(counts)
    if not len(shown):
        return {"coverage": 0.0, "popularity": 0.0, "cold": 0.0}
    return {
        "coverage": len(torch.unique(shown)) / len(question.items),
        "popularity": float(share[shown.numpy()].mean()),
        "cold": float(question.cold[shown].double().mean()),
    }


def beats(better: Mapping[str, Any], others: Sequence[Mapping[str, Any]], metric: str) -> bool:
    """Whether the interval of `better` lies above those of all `others`."""
    low = better["metrics"][metric]["low"]
    highs = [other["metrics"][metric]["high"] for other in others]
    return low is not None and all(high is not None and high < low for high in highs)
