"""How sure answers were, and whether they were right."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fashionmt.attributes import MISSING
from fashionmt.decoding import Decoded, Threshold


@dataclass(frozen=True)
class Outcomes:
    """The answers to those items that are labelled."""

    confidence: Tensor
    """float64 (N,)."""
    right: Tensor
    """bool (N,); an item of a class that was not learned is a mistake."""
    labelled: Tensor
    """bool (items,): which items these N are."""

    def under(self, threshold: Threshold) -> dict[str, float | None]:
        """What the threshold accepts: its share of the items, and how many of these are right."""
        accepted = threshold.accepts(self.confidence)
        return {
            "target_accuracy": threshold.target_accuracy,
            "threshold": threshold.confidence,
            "accepted": _share(accepted),
            "accepted_accuracy": _share(self.right[accepted]),
        }


def _share(true: Tensor) -> float | None:
    return float(true.double().mean()) if len(true) else None


def head_outcomes(decoded: Decoded, labels: Mapping[str, Tensor]) -> dict[str, Outcomes]:
    """Attribute -> outcomes. `labels`: attribute -> int64 (N,)."""
    outcomes = {}
    for name, answers in decoded.answers.items():
        labelled = labels[name] != MISSING
        outcomes[name] = Outcomes(decoded.confidence[name][labelled], (answers == labels[name])[labelled], labelled)
    return outcomes


def item_outcomes(decoded: Decoded, labels: Mapping[str, Tensor]) -> Outcomes:
    """Of items as a whole: labelled where any label is there, right where none says otherwise (exact match)."""
    missing = torch.stack([labels[name] == MISSING for name in decoded.answers])
    right = torch.stack([answers == labels[name] for name, answers in decoded.answers.items()])
    labelled = ~missing.all(0)
    return Outcomes(decoded.item_confidence[labelled], (right | missing).all(0)[labelled], labelled)
