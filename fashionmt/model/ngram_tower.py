"""A title as a set of n-grams: the mean of their learned embeddings, or their TF-IDF vector through one layer.

B items, G n-grams of the title with most of them in the batch.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionmt.batch import Batch
from fashionmt.config import TextTowerConfig


class NgramTower(nn.Module):
    """The mean of a title's n-gram embeddings (fastText, Joulin et al. 2016, arXiv:1607.01759): float (B, `size`).

    A title without known n-grams gives zeros.
    """

    def __init__(self, config: TextTowerConfig, ngrams: int) -> None:
        """`ngrams`: how many ids there are, 0 for padding."""
        super().__init__()
        self.size, self.dropout = config.hidden_size, config.dropout
        self.table = nn.EmbeddingBag(ngrams, self.size, mode="sum", padding_idx=0)

    def forward(self, batch: Batch) -> Tensor:
        """float (B, size)."""
        there = (batch.ngram_ids != 0).to(self.table.weight.dtype)
        return self._sum(batch.ngram_ids, there / there.sum(1, keepdim=True).clamp(min=1))

    def _sum(self, ngram_ids: Tensor, weights: Tensor) -> Tensor:
        """int64 (B, G), float (B, G) -> float (B, size); some n-grams are hidden in training."""
        summed: Tensor = self.table(ngram_ids, per_sample_weights=F.dropout(weights, self.dropout, self.training))
        return summed

    def shape(self) -> dict[str, Any]:
        """Nothing: the config and the n-gram vocabulary tell all."""
        return {}


class TfidfTower(NgramTower):
    """A title's TF-IDF vector through a linear layer without bias and a ReLU: float (B, `size`)."""

    def __init__(self, config: TextTowerConfig, ngrams: int) -> None:
        super().__init__(config, ngrams)
        with torch.no_grad():
            # Else an n-gram that few titles hold adds noise for as long as it is not learned: on the sample, ten epochs
            # end at a validation loss of 2.1 instead of 3.6. Averaged embeddings are better off as they come.
            self.table.weight *= 0.02

    def forward(self, batch: Batch) -> Tensor:
        """float (B, size)."""
        return torch.relu(self._sum(batch.ngram_ids, batch.ngram_weights))
