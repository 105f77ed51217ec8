"""How sure answers were, and whether they were right."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fashionmt.attributes import MISSING
from fashionmt.confidence import Threshold
from fashionmt.decoding import Decoded


@dataclass(frozen=True)
class Outcomes:
    """The answers to those items that are labelled."""

    confidence: Tensor
    """float64 (N,)."""
    right: Tensor
    """bool (N,); an item of a class that was not learned is a mistake."""
    accepted: Tensor
    """bool (N,)."""
    labelled: Tensor
    """bool (items,): which items these N are."""

    def accepting(self, threshold: Threshold) -> dict[str, float | None]:
        """The threshold by which answers were accepted, or most of them; their share, and how many of these are
        right."""
        return {
            "target_accuracy": threshold.target_accuracy,
            "threshold": threshold.confidence,
            "accepted": _share(self.accepted),
            "accepted_accuracy": _share(self.right[self.accepted]),
        }


def _share(true: Tensor) -> float | None:
    return float(true.double().mean()) if len(true) else None


def head_outcomes(decoded: Decoded, labels: Mapping[str, Tensor]) -> dict[str, Outcomes]:
    """Attribute -> outcomes. `labels`: attribute -> int64 (N,)."""
    outcomes = {}
    for name, answers in decoded.answers.items():
        labelled = labels[name] != MISSING
        right, accepted = (answers == labels[name])[labelled], decoded.accepted[name][labelled]
        outcomes[name] = Outcomes(decoded.confidence[name][labelled], right, accepted, labelled)
    return outcomes


def item_outcomes(decoded: Decoded, labels: Mapping[str, Tensor]) -> Outcomes:
    """Of items as a whole: labelled where any label is there, right where none says otherwise (exact match)."""
    missing = torch.stack([labels[name] == MISSING for name in decoded.answers])
    right = torch.stack([answers == labels[name] for name, answers in decoded.answers.items()])
    labelled = ~missing.all(0)
    wholly = (right | missing).all(0)[labelled]
    return Outcomes(decoded.item_confidence[labelled], wholly, decoded.item_accepted[labelled], labelled)
