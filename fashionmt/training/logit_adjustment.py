"""Logit adjustment (Menon et al. 2020, arXiv:2007.07314): the share of each class taken out of its logit.

A classifier of few rare items learns that they are rare. Less tau times the log prior, its logits are as if all
classes were equally frequent (tau = 1, the best for macro metrics) or nearly so (tau between 0 and 1). C classes,
N items.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchmetrics.functional.classification import multiclass_f1_score

from fashionmt.attributes import MISSING

TAUS = tuple(tau / 20 for tau in range(1, 21))
"""Tried post hoc: from a little of the prior to all of it."""

Metric = Callable[[Tensor, Tensor], float]
"""Answers and labels, int64 (N,) each and no label missing, give a score; more is better."""


def log_prior(counts: npt.NDArray[np.integer[Any]]) -> Tensor:
    """log(n_c / n) of the training items n_c of each class, shape (C,), float32. A class without items counts as
    one, so that the logarithm is finite."""
    occurring = torch.as_tensor(counts, dtype=torch.float64).clamp(min=1)
    return (occurring / occurring.sum()).log().float()


def shift(logits: Tensor, log_prior: Tensor, tau: float) -> Tensor:
    """The logits less tau times the log prior, float (N, C)."""
    return logits - tau * log_prior.to(logits)


def accuracy(answers: Tensor, labels: Tensor) -> float:
    """The share of answers that are right."""
    return float((answers == labels).double().mean())


def macro_f1(answers: Tensor, labels: Tensor) -> float:
    """F1 averaged over the classes that occur among answers or labels, as in scikit-learn."""
    classes = max(2, int(torch.cat((answers, labels)).max()) + 1)
    return float(multiclass_f1_score(answers, labels, classes, average="macro", validate_args=False))


def choose_tau(
    logits: Tensor,
    labels: Tensor,
    log_prior: Tensor,
    candidates: Iterable[float],
    metric: Metric = macro_f1,
    accuracy_drop: float = 0.0,
) -> float:
    """The tau whose answers have the best metric among those that cost at most `accuracy_drop` of accuracy.

    0 (no shift) is always a candidate; of equally good ones the nearest to 0 is taken.

    Args:
        logits: float (N, C), of held-out items.
        labels: int64 (N,); missing ones (-1) are skipped. One past C-1 (unlearned) is a mistake whatever tau.
        log_prior: float (C,).
        candidates: values of tau to try.
        metric: what is maximised.
        accuracy_drop: by how much, of 1, accuracy may be below that of tau = 0.
    """
    labelled = labels != MISSING
    if not bool(labelled.any()):
        return 0.0
    logits, labels = logits[labelled], labels[labelled]
    plain = logits.argmax(1)
    best, best_score, least = 0.0, metric(plain, labels), accuracy(plain, labels) - accuracy_drop
    for tau in sorted(candidates, key=abs):
        answers = shift(logits, log_prior, tau).argmax(1)
        if accuracy(answers, labels) >= least and (score := metric(answers, labels)) > best_score:
            best, best_score = tau, score
    return best


def choose_shifts(
    logits: Mapping[str, Tensor], labels: Mapping[str, Tensor], counts: Mapping[str, npt.NDArray[np.integer[Any]]]
) -> dict[str, list[float]]:
    """Attribute -> the C numbers to subtract from its logits, by the tau that held-out items choose; only where it is
    not 0.

    Args:
        logits: attribute -> float (N, C), of held-out items.
        labels: attribute -> int64 (N,).
        counts: attribute -> training items of each class, (C,).
    """
    shifts = {}
    for name, value in logits.items():
        prior = log_prior(counts[name])
        if tau := choose_tau(value, labels[name], prior, TAUS):
            shifts[name] = (tau * prior).tolist()
    return shifts
