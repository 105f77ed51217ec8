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

    def silent(self, ngram_ids: Tensor) -> Tensor:
        """int64 (B, G) -> bool (B, A): whose title names no class of which attribute."""
        return self.names_class[ngram_ids].amax(dim=1) == 0

    def forward(
        self,
        logits: dict[str, Tensor],
        wide: dict[str, Tensor],
        alone: dict[str, Tensor],
        ngram_ids: Tensor,
        has_both: Tensor,
    ) -> dict[str, Tensor]:
        """Attribute -> float (B, C).

        Args:
            logits: attribute -> float (B, C), by all inputs: of the towers and the wide path.
            wide: the same, the wide path's part of them.
            alone: the same, by the picture alone.
            ngram_ids: int64 (B, G).
            has_both: bool (B,), which items have a picture and a title; the others stay as they are.
        """
        silent = self.silent(ngram_ids) & has_both.unsqueeze(1)
        answers = {name: (logits[name] - wide[name], wide[name], alone[name]) for name in self.names}
        return {
            name: sum_of(answers[name], self.shares[:, place]).where(silent[:, place, None], logits[name])
            for place, name in enumerate(self.names)
        }


def sum_of(answers: tuple[Tensor, Tensor, Tensor], shares: Tensor) -> Tensor:
    """The logits of the towers, of the wide path and of the picture alone, each (B, C), in `shares`, (3,)."""
    towers, wide, alone = answers
    return shares[0] * towers + shares[1] * wide + shares[2] * alone
