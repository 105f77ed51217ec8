"""What the picture says by itself, where a title names no class of an attribute.

Most titles name their colour, and a model that is trained on them learns to hear the title. Where one names none, what
the towers say together is worse than it need be: the picture's own answer, which the same towers and heads give when
the title is hidden, is added then, in shares chosen for each head on held-out items.

B items, G n-grams of the longest title, C classes of an attribute, A attributes.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class PictureShare(nn.Module):
    """Two answers to one; as it is made, the first of them."""

    names_class: Tensor
    """float (n-gram ids, A): 1 where the n-gram is a word of one of the attribute's classes, else 0."""
    shares: Tensor
    """float (2, A): what the logits by all inputs, and those by the picture alone, are multiplied by."""

    def __init__(self, ngrams: int, classes: Mapping[str, int]) -> None:
        """`ngrams`: how many ids there are, 0 for padding. `classes`: attribute -> number of its learned classes."""
        super().__init__()
        self.names = tuple(classes)
        self.register_buffer("names_class", torch.zeros(ngrams, len(self.names)))
        self.register_buffer("shares", torch.tensor([[1.0], [0.0]]).repeat(1, len(self.names)))

    def unnamed(self, ngram_ids: Tensor) -> Tensor:
        """int64 (B, G) -> bool (B, A): whose title names no class of which attribute."""
        return self.names_class[ngram_ids].amax(dim=1) == 0

    def forward(
        self, logits: dict[str, Tensor], alone: dict[str, Tensor], ngram_ids: Tensor, has_both: Tensor
    ) -> dict[str, Tensor]:
        """Attribute -> float (B, C).

        Args:
            logits: attribute -> float (B, C), by all inputs.
            alone: the same, by the picture alone.
            ngram_ids: int64 (B, G).
            has_both: bool (B,), which items have a picture and a title; the others stay as they are.
        """
        unnamed = self.unnamed(ngram_ids) & has_both.unsqueeze(1)
        own, added = self.shares[0].where(unnamed, 1.0), self.shares[1].where(unnamed, 0.0)
        return {
            name: own[:, place, None] * logits[name] + added[:, place, None] * alone[name]
            for place, name in enumerate(self.names)
        }
