"""How much the parts of an answer count, by what an item shows of itself.

Most items show a picture and a title that names their classes, and for these towers and wide path are balanced.
Elsewhere a title is listened to too much, or confidence is not what it should be; there each part has a share of its
own, chosen for each head on held-out items:

| situation | an item has | what counts |
| --- | --- | --- |
| silent | both, and its title names no class of the attribute | towers, wide path, the picture's own answer |
| title | a title alone | towers, wide path |
| picture | a picture alone | towers |

The picture's own answer is what the same towers and heads say when the title is hidden.

B items, G n-grams of the longest title, C classes of an attribute, A attributes, S situations.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

SITUATIONS = ("silent", "title", "picture")
AS_IS = (1.0, 1.0, 0.0)
"""The shares that leave an answer as it was trained: towers and wide path, and nothing of the picture's own."""


class AnswerShares(nn.Module):
    """Three parts of an answer to one; as it is made, the sum of the first two."""

    names_class: Tensor
    """float (n-gram ids, A): 1 where the n-gram is a word of one of the attribute's classes, else 0."""
    shares: Tensor
    """float (S, 3, A): what the logits of the towers, of the wide path and of the picture alone are multiplied by."""

    def __init__(self, ngrams: int, classes: Mapping[str, int]) -> None:
        """`ngrams`: how many ids there are, 0 for padding. `classes`: attribute -> number of its learned classes."""
        super().__init__()
        self.names = tuple(classes)
        self.register_buffer("names_class", torch.zeros(ngrams, len(self.names)))
        self.register_buffer("shares", torch.tensor(AS_IS)[:, None].repeat(len(SITUATIONS), 1, len(self.names)))

    def forward(
        self,
        logits: Mapping[str, Tensor],
        wide: Mapping[str, Tensor],
        alone: Mapping[str, Tensor],
        situations: Tensor,
    ) -> dict[str, Tensor]:
        """Attribute -> float (B, C).

        Args:
            logits: attribute -> float (B, C), of the towers and the wide path, by all that an item has.
            wide: the same, the wide path's part of them.
            alone: the same, by the picture alone.
            situations: what `situations` says of the items.
        """
        found = situations.any(dim=1)
        shares = torch.einsum("bsa,spa->bpa", situations.to(self.shares.dtype), self.shares).unsqueeze(3)
        return {
            name: (
                shares[:, 0, place] * (logits[name] - wide[name])
                + shares[:, 1, place] * wide[name]
                + shares[:, 2, place] * alone[name]
            ).where(found[:, place, None], logits[name])
            for place, name in enumerate(self.names)
        }

    def situations(self, ngram_ids: Tensor, has_image: Tensor, has_title: Tensor) -> Tensor:
        """Which of `SITUATIONS` each item is in, for each attribute: bool (B, S, A), one at the most.

        Args:
            ngram_ids: int64 (B, G).
            has_image: bool (B,).
            has_title: bool (B,).
        """
        names_none = self.names_class[ngram_ids].amax(dim=1) == 0
        every = torch.ones_like(names_none)
        whole, title, picture = has_image & has_title, has_title & ~has_image, has_image & ~has_title
        return torch.stack([names_none & whole[:, None], every & title[:, None], every & picture[:, None]], dim=1)
