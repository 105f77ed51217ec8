"""NDCG@10, MAP@10 and Recall@10 of each entrant and kind of query; hubs; and whether a query finds its own item.

N items, k places.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import skew
from torch import Tensor

from fashionmt.bootstrap import Bootstrap, Estimate
from fashionmt.ranking import TopK
from fashionmt.ranking.metrics import mean, measure
from fashionmt.similar_quality.entrants import Entrant
from fashionmt.similar_quality.judged import Judged

K = 10
METRICS = (f"NDCG@{K}", f"MAP@{K}", f"Recall@{K}")
DRAWS = 1000


@dataclass(frozen=True)
class Hubs:
    """How evenly the gallery is shown: where few items are near to all queries, most are never found."""

    skewness: float
    """Of how often an item is among the first k (Radovanovic et al. 2010, JMLR 11, eq. 1): 0 where all are equally."""
    never: float
    """The share of the gallery that no query finds."""


@dataclass(frozen=True)
class Figures:
    """Of one entrant and one kind of query."""

    metrics: Mapping[str, Estimate]
    """By `METRICS`; families are drawn. `items`: the queries that count."""
    hubs: Hubs
    itself: Estimate
    """The share of the queries that have their own product among the first k, where it is not left out."""
    found: TopK
    """(N, k), for all N items as queries."""


class Evaluation:
    """Judges entrants on the same queries."""

    def __init__(self, judged: Judged, readable: Mapping[str, npt.NDArray[np.bool_]], draws: int = DRAWS) -> None:
        """`readable`: kind of query -> which items it can be asked of, (N,)."""
        self.judged, self.readable = judged, readable
        self._bootstrap = Bootstrap(list(judged.families), draws)

    def of(self, entrant: Entrant, kind: str) -> Figures:
        """Its figures. A query without a relevant item, or that cannot be asked, does not count."""
        found = entrant.search(kind, K, self.judged.same_product)
        asked = torch.from_numpy(self.readable[kind])
        measured = measure(found.rows, self.judged.relevant, K)
        metrics = {name: mean(measured[name].where(asked, torch.nan), self._bootstrap) for name in METRICS}
        own = self._finds_itself(entrant.search(kind, K, []).rows)
        itself = mean(own.where(asked, torch.nan), self._bootstrap)
        return Figures(metrics, hubs_of(found.rows[asked], len(self.judged)), itself, found)

    def _finds_itself(self, rows: Tensor) -> Tensor:
        families = self.judged.families
        hits = families[rows.numpy()] == families[:, None]
        return torch.from_numpy(hits.any(axis=1)).double()

    def counts(self, kind: str) -> dict[str, int]:
        """Queries that count, and those that do not and why."""
        asked = self.readable[kind]
        wanted = self.judged.relevant.counts.numpy() > 0
        return {
            "queries": int((asked & wanted).sum()),
            "without a relevant item": int((asked & ~wanted).sum()),
            "that cannot be asked": int((~asked).sum()),
        }

    def best_recall(self, kind: str) -> float:
        """Recall@k of a perfect ranking."""
        relevant = self.judged.relevant.counts[torch.from_numpy(self.readable[kind])].double()
        relevant = relevant[relevant > 0]
        return float((relevant.clamp(max=K) / relevant).mean())


def hubs_of(rows: Tensor, gallery: int) -> Hubs:
    """From what was found, int64 (queries, k), of a gallery of so many items."""
    times = np.bincount(rows[rows >= 0].numpy(), minlength=gallery)
    uneven = float(skew(times)) if times.std() > 0 else 0.0
    return Hubs(uneven, float((times == 0).mean()))


def evaluate(
    evaluation: Evaluation, entrants: Sequence[Entrant], kinds: Sequence[str]
) -> dict[str, dict[str, Figures]]:
    """Kind of query -> entrant's name -> figures, of those that can be asked so."""
    return {
        kind: {entrant.name: evaluation.of(entrant, kind) for entrant in entrants if kind in entrant.kinds}
        for kind in kinds
    }
