"""A catalogue's columns to features. B items, P pieces of numbers, K categorical columns."""

import torch
from torch import Tensor, nn

from fashionmt.batch import Batch

TabularSizes = tuple[int, tuple[int, ...]]
"""P, pieces of all numeric columns; how many indices each of the K categorical ones has."""
NO_COLUMNS: TabularSizes = (0, ())
SIZE = 64
"""Features: a handful of columns beside towers of 128 and 512."""
EMBEDDING = 16


class TabularTower(nn.Module):
    """Embedded categories and pieces of numbers through one hidden layer: float (B, `size`)."""

    def __init__(self, numbers: int, categories: tuple[int, ...]) -> None:
        """`numbers`: P. `categories`: how many indices each of the K columns has."""
        super().__init__()
        self.size = SIZE
        self.embeddings = nn.ModuleList(nn.Embedding(count, EMBEDDING) for count in categories)
        self.hidden = nn.Sequential(
            nn.Linear(numbers + EMBEDDING * len(categories), SIZE), nn.LayerNorm(SIZE), nn.GELU()
        )

    def forward(self, batch: Batch) -> Tensor:
        """Reads `numbers` and `categories`."""
        embedded = [embed(batch.categories[:, k]) for k, embed in enumerate(self.embeddings)]
        features: Tensor = self.hidden(torch.cat([batch.numbers, *embedded], dim=1))
        return features
