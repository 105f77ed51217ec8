"""What travels between data, model and loss: every tensor's shape and dtype, written once.

B items, H x W picture pixels, T tokens and G n-grams of the titles with most of them in the batch, C classes of an
attribute, D fused features.
"""

from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass
class Batch:
    """A batch of items, as the dataset makes it and the tagger reads it."""

    pixels: Tensor
    """uint8 (B, H, W, 3), RGB; any value where `has_image` is False."""
    has_image: Tensor
    """bool (B,)."""
    token_ids: Tensor
    """int64 (B, T), padded to the batch's longest title; T is at least 1."""
    token_mask: Tensor
    """bool (B, T), True on real tokens."""
    ngram_ids: Tensor
    """int64 (B, G), padded with 0; G is at least 1."""
    ngram_weights: Tensor
    """float (B, G), 0 past the end."""
    has_title: Tensor
    """bool (B,)."""
    labels: dict[str, Tensor]
    """attribute -> int64 (B,): index in `LabelSpace.every_class`, or `MISSING`; empty for unlabelled items."""

    def __len__(self) -> int:
        return len(self.has_image)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """The same batch on another device."""
        moved = {
            f.name: getattr(self, f.name).to(device, non_blocking=non_blocking)
            for f in fields(self)
            if f.name != "labels"
        }
        labels = {name: value.to(device, non_blocking=non_blocking) for name, value in self.labels.items()}
        return Batch(labels=labels, **moved)


@dataclass
class TaggerOutput:
    """What the tagger says of a batch."""

    logits: dict[str, Tensor]
    """attribute -> float (B, C)."""
    embedding: Tensor
    """float (B, D), the fused features."""
