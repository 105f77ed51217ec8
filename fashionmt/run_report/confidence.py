"""Whether confidences are honest, and what is gained by leaving the least confident answers to a person."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BINS = 15
POINTS = 400
"""Of a risk-coverage curve: more cannot be seen."""


@dataclass(frozen=True)
class Reliability:
    """Answers in `BINS` bins of equal width by confidence. Values of empty bins are nan."""

    count: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    """Mean of each bin."""
    accuracy: npt.NDArray[np.float64]

    @property
    def ece(self) -> float:
        """Expected calibration error: the mean gap of accuracy and confidence (Guo et al. 2017, arXiv:1706.04599)."""
        filled = self.count > 0
        gaps = np.abs(self.accuracy[filled] - self.confidence[filled])
        return float(np.average(gaps, weights=self.count[filled]))


def reliability(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> Reliability:
    """`confidence` in [0, 1], `right` or not, both (N,) with N >= 1."""
    which = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(which, minlength=BINS)
    sums = (np.bincount(which, weights=values, minlength=BINS) for values in (confidence, right))
    means = [np.divide(total, count, out=np.full(BINS, np.nan), where=count > 0) for total in sums]
    return Reliability(count, *means)


def risk_coverage(
    confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(coverage, risk), both (K,), K <= `POINTS`: the share of items answered when only the most confident are, and the
    share of mistakes among them (Geifman and El-Yaniv 2017, arXiv:1705.08500). Equal confidences count at once."""
    order = np.argsort(-confidence, kind="stable")
    ends = np.flatnonzero(np.diff(confidence[order], append=-1.0))
    if len(ends) > POINTS:
        ends = ends[np.linspace(0, len(ends) - 1, POINTS).round().astype(np.int64)]
    mistakes = np.cumsum(~right[order])
    return (ends + 1) / len(order), mistakes[ends] / (ends + 1)
