"""Lists for people: by their histories, or where there is none by what is popular with people like them.

B people, N items.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fashionmt.ranking.topk import top_k_of_scores
from fashionmt.recommend.items import Items
from fashionmt.recommend.learned import Learned
from fashionmt.recommend.people import People

WIDER = 4
"""So many times k places are looked at first where each product is to be there once."""
HISTORY, POPULAR = "history", "popular"


@dataclass(frozen=True)
class Recommended:
    """One place of a list."""

    item: str
    score: float
    reason: str
    """`history: <the item of the history that it rests on most>`, or `popular`, with what it is popular within."""


@dataclass(frozen=True, eq=False)
class Recommender:
    """Ranks for people, whatever is known of them."""

    items: Items
    scorer: Learned
    popularity: Tensor
    """float32 (N,)."""
    allowed: Tensor
    """bool (N,): what may be recommended."""
    k: int
    seen: bool
    duplicates: bool
    length: int
    """Of a history, at most."""

    def recommend(self, people: People, known: Sequence[Mapping[str, str]]) -> list[list[Recommended]]:
        """The list of each, at most k long. `known`: what is known of each, attribute -> value."""
        has_history = people.histories.mask.any(dim=1).tolist()
        scores = self.scorer.scores(people)
        popular = {row: self._within(known[row]) for row, there in enumerate(has_history) if not there}
        below = float(self.popularity.max()) + 1
        for row, (within, _) in popular.items():
            scores[row] = self.popularity - below * ~within
        rows, best = self._best(scores, people)
        rests_on = self.scorer.reasons(people, rows).tolist()
        lists = []
        for row, (chosen, values) in enumerate(zip(rows.tolist(), best.tolist(), strict=True)):
            if row in popular:
                within, reason = popular[row]
                reasons = [reason if within[item] else POPULAR for item in chosen]
            else:
                reasons = [f"{HISTORY}: {self.items.ids[item]}" for item in rests_on[row]]
            places = zip(chosen, values, reasons, strict=True)
            lists.append([Recommended(self.items.ids[item], *rest) for item, *rest in places if item >= 0])
        return lists

    def _within(self, known: Mapping[str, str]) -> tuple[Tensor, str]:
        """(the items within what is known, bool (N,), which come before all others; the reason). A value that no item
        has, or that leaves none that may be recommended, is passed over."""
        within, said = self.allowed.clone(), []
        for name, value in known.items():
            if name in self.items.attributes and value:
                fits = torch.from_numpy((self.items.attributes[name] == value).to_numpy(dtype=bool, copy=True))
                if (within & fits).any():
                    within &= fits
                    said.append(f"{name}={value}")
        return within, f"{POPULAR}: {', '.join(said)}" if said else POPULAR

    def _best(self, scores: Tensor, people: People) -> tuple[Tensor, Tensor]:
        """(rows, scores), (B, k): the best that may be recommended, -1 where there are fewer."""
        excluded = self._excluded(people)
        k = min(self.k, len(self.items))
        width = k if self.duplicates else min(WIDER * k, len(self.items))
        found = top_k_of_scores(scores, width, self.allowed, excluded)
        if self.duplicates:
            return found.rows, found.scores
        kept = self._first_of_products(found.rows)
        if width < len(self.items) and bool(((kept.sum(dim=1) < k) & (found.rows[:, -1] >= 0)).any()):
            found = top_k_of_scores(scores, len(self.items), self.allowed, excluded)
            kept = self._first_of_products(found.rows)
        rows = torch.full((len(scores), k), -1)
        best = torch.full((len(scores), k), -torch.inf)
        place = kept.cumsum(dim=1) - 1
        row, at = (kept & (place < k)).nonzero(as_tuple=True)
        rows[row, place[row, at]], best[row, place[row, at]] = found.rows[row, at], found.scores[row, at]
        return rows, best

    def _excluded(self, people: People) -> list[Tensor] | None:
        if self.seen:
            return None
        user, item = people.seen.user.numpy(), people.seen.item.numpy()
        if not self.duplicates:
            user, item = self.items.with_duplicates(user, item)
        order = np.argsort(user, kind="stable")
        counts = np.bincount(user, minlength=len(people)).tolist()
        return list(torch.split(torch.from_numpy(item[order]), counts))

    def _first_of_products(self, rows: Tensor) -> Tensor:
        """bool, as `rows`: the first place of each product."""
        products = torch.from_numpy(self.items.products)[rows.clamp(min=0)].masked_fill(rows < 0, -1)
        order = products.sort(dim=1, stable=True)
        first = torch.ones_like(rows, dtype=torch.bool)
        first[:, 1:] = order.values[:, 1:] != order.values[:, :-1]
        return torch.zeros_like(first).scatter(1, order.indices, first) & (rows >= 0)
