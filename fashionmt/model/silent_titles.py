"""What counts where a title is silent about an attribute: where it names no class of it.

Most titles name their colour, and a model that is trained on them learns to hear the title. Where one names none, what
it says elsewhere misleads, and what the towers make of both is worse than it need be. There the towers, the wide path
and the picture's own answer, which the same towers and heads give when the title is hidden, count in shares that are
chosen for each head on held-out items.

B items, G n-grams of the longest title, C classes of an attribute, A attributes.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

AS_IS = (1.0, 1.0, 0.0)
"""The towers and the wide path as they were trained."""


class SilentTitles(nn.Module):
    """Three answers to one; as it is made, the sum of the first two."""

    names_class: Tensor
    """float (n-gram ids, A): 1 where the n-gram is a word of one of the attribute's classes, else 0."""
    shares: Tensor
    """float (3, A): what the logits of the towers, of the wide path and of the picture alone are multiplied by."""

    def __init__(self, ngrams: int, classes: Mapping[str, int]) -> None:
        """`ngrams`: how many ids there are, 0 for padding. `classes`: attribute -> number of its learned classes."""
        super().__init__()
        self.names = tuple(classes)
        self.register_buffer("names_class", torch.zeros(ngrams, len(self.names)))
        self.register_buffer("shares", torch.tensor(AS_IS).unsqueeze(1).repeat(1, len(self.names)))

    def silent(self, ngram_ids: Tensor, has_both: Tensor) -> Tensor:
        """Which items have a title that names no class of which attribute: bool (B, A).

        Args:
            ngram_ids: int64 (B, G).
            has_both: bool (B,), which items have a picture and a title; the others are not silent.
        """
        return (self.names_class[ngram_ids].amax(dim=1) == 0) & has_both.unsqueeze(1)

    def forward(
        self, logits: Mapping[str, Tensor], wide: Mapping[str, Tensor], alone: Mapping[str, Tensor], silent: Tensor
    ) -> dict[str, Tensor]:
        """Attribute -> float (B, C).

        Args:
            logits: attribute -> float (B, C), by all inputs: of the towers and the wide path.
            wide: the same, the wide path's part of them.
            alone: the same, by the picture alone.
            silent: bool (B, A), as `silent` gives it; the other items stay as they are.
        """
        towers_share, wide_share, alone_share = self.shares
        return {
            name: torch.where(
                silent[:, place, None],
                towers_share[place] * (logits[name] - wide[name])
                + wide_share[place] * wide[name]
                + alone_share[place] * alone[name],
                logits[name],
            )
            for place, name in enumerate(self.names)
        }
