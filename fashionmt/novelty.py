"""Whether an item looks like anything the model was trained on: its energy, of all heads together.

The energy of a head is minus the log of the sum of its exponentiated logits (Liu et al. 2020, "Energy-based
Out-of-distribution Detection", arXiv:2010.03759), and the heads' are added (Wang et al. 2021, "Can multi-label
classification networks know what they don't know?", arXiv:2112.00363): an item unlike those of training gives every
head little to go by.

B items, C classes of an attribute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


def energy(logits: Mapping[str, Tensor]) -> Tensor:
    """Of B items, float (B,): the higher, the less known. `logits`: attribute -> float (B, C)."""
    return -torch.stack([value.float().logsumexp(1) for value in logits.values()]).sum(0)


@dataclass(frozen=True)
class Novelty:
    """What tells unknown items from known ones."""

    limits: Mapping[str, float]
    """By what items show (`fashionmt.shown`): the energy above which they are unknown."""

    def unknown(self, logits: Mapping[str, Tensor], views: Sequence[str]) -> list[bool]:
        """Of B items, `views` what each shows. False where there is no limit for it."""
        limits = torch.tensor([self.limits.get(view, torch.inf) for view in views])
        beyond: list[bool] = (energy(logits) > limits).tolist()
        return beyond
