"""What makes confidences honest: a temperature a head (Guo et al. 2017, arXiv:1706.04599), then a map of the answers'
confidences with three numbers (Kull et al. 2017, PMLR 54); and how honest they are then.

N items.
"""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from scipy.special import expit
from torch import Tensor
from torchmetrics.functional.classification import binary_calibration_error

from fashionmt.confidence import ConfidenceMap, ConfidenceMaps, inside
from fashionmt.decoding import Decoder, joint_scores
from fashionmt.training.outcomes import head_outcomes, item_outcomes

PENALTY = 10.0
"""Of a map's squared distance from the one that changes nothing, in nats: thousands of answers outweigh it."""
AS_IS = ConfidenceMap(1.0, 1.0, 0.0)
"""The map that changes nothing."""
BINS = 15
"""Of equal width, of the expected calibration error: what Guo et al. take."""
BELOW_ONE = 1 - 1e-7


def fit_decoder(
    logits: Mapping[str, Tensor],
    labels: Mapping[str, Tensor],
    start: Decoder | None = None,
    attributes: Collection[str] | None = None,
) -> Decoder:
    """Every head's temperature, then the one of the taxonomy's combinations, then the maps of the heads' and the items'
    confidences, on held-out items.

    The joint temperature is fitted to the items whose labels are one of the combinations. One number serves the
    combinations and all their marginals, and one number a head cannot bend what is too sure in its middle and too
    doubtful at its ends: that is left to the maps.

    Args:
        logits: attribute -> float (N, C).
        labels: attribute -> int64 (N,).
        start: has the shifts and the taxonomy, and what stays as it is.
        attributes: those to fit, of the taxonomy's all or none; the others, and the items' map where there are others,
            stay as they are. None: all.
    """
    start = start or Decoder()
    fitted = logits.keys() if attributes is None else set(attributes)
    taxonomy, kept = start.taxonomy, start.confidence_maps
    temperatures = {
        name: fit_temperature(start.shifted(name, value), labels[name])
        if name in fitted
        else start.temperatures.get(name, 1.0)
        for name, value in logits.items()
    }
    decoder = replace(start, temperatures=temperatures, confidence_maps=None, thresholds=None)
    if taxonomy is not None and fitted >= set(taxonomy.attributes):
        scores = joint_scores(decoder.heads(logits), taxonomy)
        decoder = replace(decoder, joint_temperature=fit_temperature(scores, taxonomy.index_of(labels)))
    decoded = decoder(logits)
    maps = {
        name: fit_map(found.confidence, found.right)
        if name in fitted
        else (AS_IS if kept is None else kept.heads[name])
        for name, found in head_outcomes(decoded, labels).items()
    }
    item = AS_IS if kept is None else kept.item
    if fitted >= logits.keys():
        whole = item_outcomes(decoded, labels)
        item = fit_map(whole.confidence, whole.right)
    return replace(decoder, confidence_maps=ConfidenceMaps(maps, item))


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


def fit_map(confidence: Tensor, right: Tensor) -> ConfidenceMap:
    """The map that gives held-out answers the highest likelihood, less a penalty that draws few answers, or answers all
    of a kind, towards the map that changes nothing.

    Args:
        confidence: float64 (N,), in [0, 1].
        right: bool (N,).
    """
    sure = inside(confidence).numpy()
    features = np.stack([np.log(sure), -np.log1p(-sure), np.ones_like(sure)])
    sign = np.where(right.numpy(), 1.0, -1.0)
    plain = np.array([AS_IS.a, AS_IS.b, AS_IS.m])

    def loss(numbers: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        margins = sign * (numbers @ features)
        gradient = -(features * (sign * expit(-margins))).sum(axis=1) + PENALTY * (numbers - plain)
        return float(np.logaddexp(0, -margins).sum() + PENALTY / 2 * ((numbers - plain) ** 2).sum()), gradient

    bounds = [(0.0, None), (0.0, None), (None, None)]
    found = minimize(loss, plain, jac=True, method="L-BFGS-B", bounds=bounds)
    return ConfidenceMap(*map(float, found.x))


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
    # And it would put a confidence of 1 into a bin of its own.
    return float(binary_calibration_error(confidence.clamp(max=BELOW_ONE), right.long(), n_bins=bins, norm="l1"))
