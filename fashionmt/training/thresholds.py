"""From which confidence on an answer may be accepted, for a stated accuracy, chosen with a bound and not by luck.

With probability at least 1 - delta over the draw of the held-out items, the answers that a chosen threshold accepts
are right in at least the stated share, in items drawn like them: for each head by itself, not for all at once. That
holds for independent held-out items to which nothing else was fitted. Here they are the validation items, by which
the best epoch was chosen and to which temperatures and maps were fitted, and before these the shares of what is added
after training (`linear_blend`, `silent_titles`, `logit_adjustment`): few choices for thousands of items, but they
flatter the accuracy a little, and by as much the guarantee is not exact. Items of one family are right or wrong
together, which makes them fewer than they are counted: the bound takes as many as they are worth. What came of it on
test stands in `metrics.json`.

N items, S candidate thresholds, G groups of items that are drawn together.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import stdtrit
from scipy.stats import beta
from torch import Tensor

from fashionmt.confidence import Threshold, Thresholds
from fashionmt.config import ThresholdConfig
from fashionmt.decoding import Decoded
from fashionmt.training.outcomes import Outcomes, head_outcomes, item_outcomes

Floats = npt.NDArray[np.float64]
Groups = npt.NDArray[np.generic]
STEPS = 50
"""Candidates on the way down. The bound needs no correction for their number; more of them gain nothing."""
UNSEEN = 3
"""Items that are mistaken together, for all that the held-out ones show: a family's size or so."""


def choose_thresholds(
    decoded: Decoded,
    labels: Mapping[str, Tensor],
    targets: Mapping[str, float | None],
    config: ThresholdConfig,
    groups: Groups,
) -> Thresholds:
    """The threshold of every head and of the whole item, on held-out items.

    Args:
        labels: attribute -> int64 (N,).
        targets: attribute -> the accuracy its accepted answers are to have; None for the config's.
        groups: what each item was drawn with, (N,).
    """

    def choose(outcomes: Outcomes, own: float | None) -> Threshold:
        target = config.target_accuracy if own is None else own
        alike = groups[outcomes.labelled.numpy()]
        return Threshold(target, choose_threshold(outcomes.confidence, outcomes.right, target, config.delta, alike))

    heads = {name: choose(outcomes, targets[name]) for name, outcomes in head_outcomes(decoded, labels).items()}
    item_target = config.item_target_accuracy
    if item_target is None:
        item_target = min(threshold.target_accuracy for threshold in heads.values())
    return Thresholds(heads, choose(item_outcomes(decoded, labels), item_target))


def choose_threshold(
    confidence: Tensor, right: Tensor, target: float, delta: float, groups: Groups | None = None
) -> float | None:
    """The lowest threshold whose accepted items are right in a share of `target` or more, with a risk of `delta` to
    be wrong about it; None where there is none.

    Candidates are walked from strict to lax, and the walk ends before the first whose exact lower bound on the
    accuracy (Clopper and Pearson 1934, one-sided, level 1 - delta) is below the target. Such a fixed sequence needs
    no correction for its length (Learn then Test, Angelopoulos et al. 2021, arXiv:2110.01052, fixed sequence
    testing), as long as it is fixed without a look at these items; so it begins where a calibrated confidence equals
    the target, and its steps are laid out beforehand. From the most confident items on, it would nearly always end
    at once: few items accepted, one of them mislabelled.

    Args:
        confidence: float (N,), in [0, 1].
        right: bool (N,).
        groups: what each item was drawn with, (N,); None: each was drawn by itself.
    """
    # The doubt grows by equal factors from 1 - target to 1: confidences crowd near 1.
    candidates = 1 - np.geomspace(1 - target, 1, STEPS)
    surest = np.argsort(-confidence.double().numpy())
    alike = surest if groups is None else pd.factorize(groups)[0][surest]
    accepted, correct, worth = _counts(
        confidence.double().numpy()[surest], right.numpy()[surest], alike, candidates, delta
    )
    share = worth / np.maximum(accepted, 1)
    reaches = lower_bound(correct * share, worth, delta) >= target
    passed = len(candidates) if reaches.all() else int(reaches.argmin())
    return float(candidates[passed - 1]) if passed else None


def lower_bound(correct: Floats, items: Floats, delta: float) -> Floats:
    """The share that `correct` of `items` speaks for at least, except with probability `delta` (Clopper and Pearson
    1934); 0 where nothing is correct. Neither need be whole."""
    some = np.where(correct > 0, correct, 1.0)  # beta has no parameter 0
    bound: Floats = np.where(correct > 0, beta.ppf(delta, some, np.maximum(items - correct, 0) + 1), 0.0)
    return bound


def _counts(
    confidence: Floats, right: npt.NDArray[np.bool_], groups: npt.NDArray[np.int64], candidates: Floats, delta: float
) -> tuple[Floats, Floats, Floats]:
    """Per candidate, (S,) each: the items whose confidence is at least it, how many of them are right, and how many
    independent items they are worth. The items come from the surest on, the candidates falling."""
    accepted = np.searchsorted(-confidence, -candidates, side="right")
    correct = np.append(0, right.cumsum())[accepted]
    worth = [independent_items(right[:count], groups[:count], delta) for count in accepted]
    return accepted.astype(np.float64), correct.astype(np.float64), np.array(worth)


def independent_items(right: npt.NDArray[np.bool_], groups: npt.NDArray[np.int64], delta: float) -> float:
    """How many items drawn one by one tell as much about their accuracy as these, drawn by group: N over the design
    effect, the variance of the accuracy by groups over that of independent items, and less for what G groups leave
    unsure of that variance, the squared ratio of Student's t at 1 - delta with N - 1 and G - 1 degrees of freedom (Korn
    and Graubard 1998, "Confidence intervals for proportions with small expected number of positive counts estimated
    from survey data"). Never more than N, and G where there is but one group, or nothing is right.

    The effect is that of these groups and one more, of their mean size but no more than `UNSEEN` items, all of them
    wrong. Mistakes are few where a threshold is strict: by the one that is there, or none, families would seem to be
    right and wrong item by item. In a simulation (half of the mistakes whole families, 2,000 draws) 200 families of 5
    that are 98.95 % right passed for 99 % in 14.9 % of the draws without it, where 5 % are allowed, and in 1.1 % with
    it; 100 of 10 at 98.8 % in 16.1 and 1.1 %, 1,000 of 2 in 3.3 and 2.7 %. A larger one would cost all that can be
    accepted of a few large blocks.

    Args:
        right: (N,).
        groups: int64 (N,), from 0.
    """
    count, sizes = len(right), np.bincount(groups)
    drawn = int(np.count_nonzero(sizes))
    if drawn < 2 or not right.any():
        return float(drawn)
    one_more = min(UNSEEN, round(count / drawn))
    seen, seen_groups = count + one_more, drawn + 1
    accuracy = float(right.sum()) / seen
    surplus = np.append(np.bincount(groups, right - accuracy), -accuracy * one_more)
    among = seen_groups / drawn * (surplus**2).sum() / seen**2
    effect = max(1.0, among * (seen - 1) / (accuracy * (1 - accuracy)))
    if delta == 0.5:  # the middle of every t distribution is 0
        return float(count / effect)
    unsure = (stdtrit(drawn, 1 - delta) / stdtrit(seen - 1, 1 - delta)) ** 2
    return float(min(count, count / (effect * unsure)))
