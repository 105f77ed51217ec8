"""What a linear model of the title says of the catalogue's other columns, beside it.

B items, P pieces of numbers, K categorical columns, S classes of all attributes together.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class WideColumns(nn.Module):
    """Columns to logits: float (B, P) and int64 (B, K) -> float (B, S). Nothing is learned in training; it is all
    brought along by `WidePath.absorb`."""

    starts: Tensor
    """int64 (K,): the row of each categorical column's first index."""
    weight: Tensor
    """float (P + indices of all K columns, S): of the numbers, then of each column's indices."""

    def __init__(self, numbers: int, categories: tuple[int, ...], classes: int) -> None:
        """`numbers`: P. `categories`: how many indices each of the K columns has. `classes`: S."""
        super().__init__()
        self.numbers = numbers
        starts = [numbers + sum(categories[:k]) for k in range(len(categories))]
        self.register_buffer("starts", torch.tensor(starts, dtype=torch.int64), persistent=False)
        self.register_buffer("weight", torch.zeros(numbers + sum(categories), classes))

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:
        """See above."""
        told = numbers @ self.weight[: self.numbers]
        return told + F.embedding(categories + self.starts, self.weight).sum(dim=1)
