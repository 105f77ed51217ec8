"""What travels between data, model and loss: every tensor's shape and dtype, written once.

B items, H x W picture pixels, T tokens and G n-grams of the titles with most of them in the batch, C classes of an
attribute, D fused features, F of a frozen tower, P pieces of numbers and K categories of the catalogue's other columns.
"""

from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor


@dataclass
class OtherTitles:
    """What `Batch` holds of titles, of other ones for the same items; T and G are their own."""

    token_ids: Tensor
    token_mask: Tensor
    ngram_ids: Tensor
    ngram_weights: Tensor
    has_title: Tensor


@dataclass
class Batch:
    """A batch of items, as the dataset makes it and the tagger reads it."""

    pixels: Tensor
    """uint8 (B, H, W, 3), RGB; any value where `has_image` is False; H and W are 0 where `frozen` stands for them."""
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
    numbers: Tensor
    """float (B, P)."""
    categories: Tensor
    """int64 (B, K), 0 where not known."""
    has_tabular: Tensor
    """bool (B,): whether any of the other columns tells something."""
    labels: dict[str, Tensor]
    """attribute -> int64 (B,): index in `LabelSpace.every_class`, or `MISSING`; empty for unlabelled items."""
    struck: OtherTitles | None = None
    """The titles less the words of their labels, where training shows these too."""
    frozen: dict[str, Tensor] = field(default_factory=dict)
    """`image` or `text` -> float (B, F), what the frozen part of that tower makes of these pictures or titles, where it
    is known already; any value where `has_image` or `has_title` is False."""

    def __len__(self) -> int:
        return len(self.has_image)

    def to(self, device: torch.device | str, non_blocking: bool = False) -> "Batch":
        """The same batch on another device."""

        def move(tensors: dict[str, Any]) -> dict[str, Any]:
            return {name: value.to(device, non_blocking=non_blocking) for name, value in tensors.items()}

        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("labels", "struck", "frozen")}
        struck = OtherTitles(**move(vars(self.struck))) if self.struck is not None else None
        return Batch(**move(own), labels=move(self.labels), struck=struck, frozen=move(self.frozen))

    def with_struck_titles(self) -> "Batch":
        """The same items with `struck`, which must be there, for their titles."""
        if self.struck is None:
            raise ValueError("a batch without struck titles")
        frozen = {name: value for name, value in self.frozen.items() if name != "text"}
        return replace(self, **vars(self.struck), struck=None, frozen=frozen)


@dataclass
class TaggerOutput:
    """What the tagger says of a batch."""

    logits: dict[str, Tensor]
    """attribute -> float (B, C)."""
    embedding: Tensor
    """float (B, D), the fused features."""
