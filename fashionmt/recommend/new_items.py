"""New items get their chance: how far they are raised above what is learned of them, chosen on validation.

Of an item that nobody has had a ranker knows the content alone, and stands it where a middling item stands; the first
places go to what is liked above the middle, so new items would hardly be shown, and nobody could like them.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from fashionmt.ranking.metrics import measure
from fashionmt.recommend.evaluation import Question
from fashionmt.recommend.learned import Learned
from fashionmt.recommend.people import rank_all
from fashionmt.recommend.trends import NUMBERS

STEPS = np.arange(0, 8.25, 0.25)
"""In the logarithm of how likely an item is taken."""
FEWEST = 20
"""New items that were taken in validation: with fewer nothing can be chosen."""


@dataclass(frozen=True)
class Raise:
    """What was chosen, and what it costs on validation."""

    raised: float
    ndcg_before: float
    ndcg: float
    cold_recall: float
    warm_recall: float


def choose_raise(scorer: Learned, question: Question, share: float) -> Raise | None:
    """The least raise with which new items are found at `share` of the rate of the others, or the one that comes
    nearest. None where too few new ones were taken to tell."""
    cold = question.cold
    if int(cold[torch.from_numpy(question.targets.item)].sum()) < FEWEST:
        return None
    tried: list[Raise] = []
    for step in STEPS:
        found = _tried(replace(scorer, priors=scorer.priors + float(step) * cold), question)
        first = tried[0].ndcg if tried else found[0]
        tried.append(Raise(float(step), first, *found))
        if found[1] >= share * found[2]:
            return tried[-1]
    return max(tried, key=lambda each: each.cold_recall / max(each.warm_recall, 1e-9))


def raise_new(trend: Tensor, by: float) -> None:
    """Change a ranker's `trend` in place."""
    with torch.no_grad():
        trend[NUMBERS.index("new")] += by


def _tried(scorer: Learned, question: Question) -> tuple[float, float, float]:
    """(NDCG, recall of new items, recall of the others)."""
    k = question.k
    users, time, length = question.users, question.targets.time, question.length
    top = rank_all(scorer, question.past, users, time, length, k)
    cold, warm = (measure(top, question.relevant(each), k)[f"Recall@{k}"] for each in (question.cold, ~question.cold))
    ndcg = measure(top, question.relevant(), k)[f"NDCG@{k}"]
    return float(ndcg.nanmean()), float(cold.nanmean()), float(warm.nanmean())
