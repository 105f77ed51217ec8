"""The wide path: a title's words and spellings straight to the logits, beside the towers that generalise.

Wide & Deep (Cheng et al. 2016, arXiv:1606.07792). The towers read what a title means; what one rare word says alone is
learned here, as a linear model would.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionmt.config import WidePathConfig


class WidePath(nn.Module):
    """Weighted n-grams to logits: int64 (B, G) and float (B, G) -> attribute -> float (B, C)."""

    bias: Tensor
    """(sum of C,), what a linear model of its own brought along; 0 without."""
    deep_share: Tensor
    """(attributes,), what the towers' logits count; 1 without."""

    def __init__(self, config: WidePathConfig, ngrams: int, classes: Mapping[str, int]) -> None:
        """`ngrams`: how many ids there are, 0 for padding; `classes`: attribute -> number of its learned classes."""
        super().__init__()
        self.names, self.sizes = tuple(classes), list(classes.values())
        self.dropout = config.dropout
        # One table for all attributes: their rows are read together.
        self.weight = nn.EmbeddingBag(ngrams, sum(self.sizes), mode="sum", padding_idx=0)
        nn.init.zeros_(self.weight.weight)
        self.register_buffer("bias", torch.zeros(sum(self.sizes)))
        self.register_buffer("deep_share", torch.ones(len(self.sizes)))

    def forward(self, ngram_ids: Tensor, ngram_weights: Tensor) -> dict[str, Tensor]:
        """See above; a title whose weights are all 0 adds nothing."""
        weights = F.dropout(ngram_weights, self.dropout, self.training)
        summed: Tensor = self.weight(ngram_ids, per_sample_weights=weights)
        summed = summed + self.bias * (ngram_weights > 0).any(dim=1, keepdim=True)
        return dict(zip(self.names, torch.split(summed, self.sizes, dim=1), strict=True))

    def beside(self, name: str, deep: Tensor) -> Tensor:
        """The towers' logits of an attribute, (B, C), as the wide path's are added to them."""
        return deep * self.deep_share[self.names.index(name)]

    @torch.no_grad()
    def absorb(self, name: str, own: float, weight: Tensor, bias: Tensor) -> None:
        """Make an attribute's logits `own` times what they are, plus those of a linear model of the same n-grams.

        Args:
            weight: float (n-gram ids, C).
            bias: float (C,), of titles with a known n-gram.
        """
        place = self.names.index(name)
        start = sum(self.sizes[:place])
        columns = slice(start, start + self.sizes[place])
        self.deep_share[place] *= own
        for mine, other in ((self.weight.weight[:, columns], weight), (self.bias[columns], bias)):
            mine.mul_(own).add_(other.to(mine))
