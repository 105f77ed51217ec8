"""How sure an answer is, as it is told, and from which confidence on it needs no person's look.

B items.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor


def inside(confidence: Tensor) -> Tensor:
    """Neither 0 nor 1, whose logarithms are infinite."""
    least = torch.finfo(torch.float64).eps
    return confidence.clamp(least, 1 - least)


@dataclass(frozen=True)
class ConfidenceMap:
    """A confidence c to sigmoid(a log c - b log(1 - c) + m), rising in c as neither a nor b is negative: beta
    calibration (Kull, Silva Filho and Flach 2017, "Beta calibration", AISTATS, PMLR 54). 1, 1, 0 leaves it as it is."""

    a: float
    b: float
    m: float

    def __call__(self, confidence: Tensor) -> Tensor:
        """float64 (B,) to (B,)."""
        sure = inside(confidence)
        return (self.a * sure.log() - self.b * (-sure).log1p() + self.m).sigmoid()


@dataclass(frozen=True)
class ConfidenceMaps:
    """Those of all the heads, and that of the item as a whole."""

    heads: Mapping[str, ConfidenceMap]
    """By attribute."""
    item: ConfidenceMap


@dataclass(frozen=True)
class Threshold:
    """From which confidence on an answer is accepted without a person's look."""

    target_accuracy: float
    """The share of accepted answers that is to be right."""
    confidence: float | None
    """None: no threshold was found to reach it, and nothing is accepted."""

    def accepts(self, confidence: Tensor) -> Tensor:
        """Float (B,) to bool (B,)."""
        return confidence >= (torch.inf if self.confidence is None else self.confidence)


@dataclass(frozen=True)
class Thresholds:
    """Those of all the heads, and that of the item as a whole."""

    heads: Mapping[str, Threshold]
    """By attribute."""
    item: Threshold
