"""What a frozen tower makes of an item: the same whenever it is asked, and so worth computing once.

B items, F features.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor, nn

from fashionmt.batch import Batch

RECIPE = 1
"""Raise it whenever the same weights would make other features of the same item: those kept are then not used."""


@dataclass(frozen=True)
class FrozenPart:
    """The part of a tower that no training changes."""

    network: nn.Module
    """Its weights and statistics."""
    shape: dict[str, Any]
    """What else its features depend on, as JSON takes it."""
    compute: Callable[[Batch], Tensor]
    """A batch to float (B, F)."""

    def fingerprint(self) -> str:
        """SHA-256 of all that its features depend on but the items."""
        versions = [version(name) for name in ("torch", "torchvision", "transformers")]
        digest = hashlib.sha256(json.dumps([RECIPE, versions, self.shape], sort_keys=True).encode())
        for name, value in self.network.state_dict().items():
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return digest.hexdigest()
