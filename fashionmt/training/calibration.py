"""Temperature scaling: one number a head that makes its confidence honest (Guo et al. 2017, arXiv:1706.04599); and how
honest it is then.

N items.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.functional.classification import binary_calibration_error

from fashionmt.decoding import Decoder, joint_scores
from fashionmt.taxonomy import Taxonomy

BINS = 15
"""Of equal width, of the expected calibration error: what Guo et al. take."""


def fit_decoder(
    logits: Mapping[str, Tensor],
    labels: Mapping[str, Tensor],
    taxonomy: Taxonomy | None = None,
    shifts: Mapping[str, Sequence[float]] | None = None,
) -> Decoder:
    """Every head's temperature, then the one of the taxonomy's combinations, on held-out items.

    The joint temperature is fitted to the items whose labels are one of the combinations. One number serves the
    combinations and all their marginals, so a coarse head of the taxonomy can be less exactly calibrated than it
    would be alone; `score` measures by how much.

    Args:
        logits: attribute -> float (N, C).
        labels: attribute -> int64 (N,).
        shifts: attribute -> C numbers, subtracted from the logits before anything is fitted.
    """
    unfitted = Decoder(shifts=shifts or {}, taxonomy=taxonomy)
    temperatures = {
        name: fit_temperature(unfitted.shifted(name, value), labels[name]) for name, value in logits.items()
    }
    decoder = replace(unfitted, temperatures=temperatures)
    if taxonomy is None:
        return decoder
    scores = joint_scores(decoder.heads(logits), taxonomy)
    return replace(decoder, joint_temperature=fit_temperature(scores, taxonomy.index_of(labels)))


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature that minimises the cross-entropy of held-out items; 1 where there are none.

    Args:
        logits: float (N, C).
        labels: int64 (N,); items outside 0..C-1 (missing, unlearned) are skipped.
    """
    learned = (labels >= 0) & (labels < logits.shape[1])
    if not bool(learned.any()):
        return 1.0
    logits, labels = logits[learned].double(), labels[learned]
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)  # a logarithm stays positive
    optimizer = torch.optim.LBFGS([log_temperature], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(logits / log_temperature.exp(), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    # Where every held-out item is right the best temperature is 0; a confidence of exactly 1 is not honest.
    return float(log_temperature.detach().exp().clamp(0.05, 20.0))


def calibration_error(confidence: Tensor, right: Tensor, bins: int = BINS) -> float | None:
    """Expected calibration error: the mean gap between confidence and accuracy over bins of equal width, weighted by
    their items (Guo et al. 2017, arXiv:1706.04599). None without items.

    Args:
        confidence: float (N,), of the answers, in [0, 1].
        right: bool (N,), whether the answer is; an item of a class that was not learned is a mistake.
    """
    if len(right) == 0:
        return None
    # Its binary case bins what it is given and compares with the share of ones: the multiclass case would take the
    # largest probability, which need not be the answer's where a taxonomy decides.
    return float(binary_calibration_error(confidence, right.long(), n_bins=bins, norm="l1"))
