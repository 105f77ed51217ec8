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

VIEWED = ("image", "text")
"""Energies are others where one of these is missing, so there is a limit for each set of them."""


def view_of(inputs: Sequence[str]) -> str:
    """The set of inputs that decides which limit holds: `image+text`, `image` or `text`."""
    return "+".join(name for name in VIEWED if name in inputs)


def energy(logits: Mapping[str, Tensor]) -> Tensor:
    """Of B items, float (B,): the higher, the less known. `logits`: attribute -> float (B, C)."""
    return -torch.stack([value.float().logsumexp(1) for value in logits.values()]).sum(0)


@dataclass(frozen=True)
class Novelty:
    """What tells unknown items from known ones."""

    limits: Mapping[str, float]
    """By `view_of` their inputs: the energy above which items are unknown."""

    def unknown(self, logits: Mapping[str, Tensor], inputs: Sequence[Sequence[str]]) -> list[bool]:
        """Of B items, `inputs` what was read of each. False where there is no limit for such inputs."""
        limits = torch.tensor([self.limits.get(view_of(names), torch.inf) for names in inputs])
        beyond: list[bool] = (energy(logits) > limits).tolist()
        return beyond
