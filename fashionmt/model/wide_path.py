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

    def __init__(self, config: WidePathConfig, ngrams: int, classes: Mapping[str, int]) -> None:
        """`ngrams`: how many ids there are, 0 for padding; `classes`: attribute -> number of its learned classes."""
        super().__init__()
        self.names, self.sizes = tuple(classes), list(classes.values())
        self.dropout = config.dropout
        # One table for all attributes: their rows are read together.
        self.weight = nn.EmbeddingBag(ngrams, sum(self.sizes), mode="sum", padding_idx=0)
        nn.init.zeros_(self.weight.weight)

    def forward(self, ngram_ids: Tensor, ngram_weights: Tensor) -> dict[str, Tensor]:
        """See above; a title whose weights are all 0 adds nothing."""
        weights = F.dropout(ngram_weights, self.dropout, self.training)
        summed: Tensor = self.weight(ngram_ids, per_sample_weights=weights)
        return dict(zip(self.names, torch.split(summed, self.sizes, dim=1), strict=True))
