"""From which confidence on an answer may be accepted, for a stated accuracy, chosen with a bound and not by luck.

With probability at least 1 - delta over the draw of the held-out items, the answers that a chosen threshold accepts
are right in at least the stated share, in items drawn like them: for each head by itself, not for all at once. That
holds for independent held-out items to which nothing else was fitted. Here they are the validation items, by which
the best epoch was chosen and to which the temperatures were fitted: few choices for thousands of items, but they
flatter the accuracy a little, and by as much the guarantee is not exact. Products that resemble each other make the
items fewer than they are counted. What came of it on test stands in `metrics.json`.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.stats import beta
from torch import Tensor

from fashionmt.config import ThresholdConfig
from fashionmt.decoding import Decoded, Threshold, Thresholds
from fashionmt.training.evaluation import Outcomes, head_outcomes, item_outcomes

STEPS = 50
"""Candidates on the way down. The bound needs no correction for their number; more of them gain nothing."""


def choose_thresholds(
    decoded: Decoded,
    labels: Mapping[str, Tensor],
    targets: Mapping[str, float | None],
    config: ThresholdConfig,
) -> Thresholds:
    """The threshold of every head and of the whole item, on held-out items.

    Args:
        labels: attribute -> int64 (N,).
        targets: attribute -> the accuracy its accepted answers are to have; None for the config's.
    """

    def choose(outcomes: Outcomes, own: float | None) -> Threshold:
        target = config.target_accuracy if own is None else own
        return Threshold(target, choose_threshold(outcomes.confidence, outcomes.right, target, config.delta))

    heads = {name: choose(outcomes, targets[name]) for name, outcomes in head_outcomes(decoded, labels).items()}
    item_target = config.item_target_accuracy
    if item_target is None:
        item_target = min(threshold.target_accuracy for threshold in heads.values())
    return Thresholds(heads, choose(item_outcomes(decoded, labels), item_target))


def choose_threshold(confidence: Tensor, right: Tensor, target: float, delta: float) -> float | None:
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
    """
    # The doubt grows by equal factors from 1 - target to 1: confidences crowd near 1.
    candidates = 1 - np.geomspace(1 - target, 1, STEPS)
    accepted, correct = _counts(confidence.double().numpy(), right.numpy(), candidates)
    reaches = lower_bound(correct, accepted, delta) >= target
    passed = len(candidates) if reaches.all() else int(reaches.argmin())
    return float(candidates[passed - 1]) if passed else None


def lower_bound(correct: npt.NDArray[np.int64], items: npt.NDArray[np.int64], delta: float) -> npt.NDArray[np.float64]:
    """The share that `correct` of `items` speaks for at least, except with probability `delta` (Clopper and Pearson
    1934); 0 where nothing is correct."""
    some = np.maximum(correct, 1)  # beta has no parameter 0
    return np.where(correct > 0, beta.ppf(delta, some, items - correct + 1), 0.0)


def _counts(
    confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_], candidates: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Per candidate: the items whose confidence is at least it, and how many of them are right."""
    order = np.argsort(confidence)
    start = np.searchsorted(confidence[order], candidates)
    behind = np.append(right[order][::-1].cumsum()[::-1], 0)
    return len(confidence) - start, behind[start]
