"""One linear head an attribute, all reading the same fused features."""

from collections.abc import Mapping

from torch import Tensor, nn


class Heads(nn.Module):
    """Fused features to logits: float (B, D) -> attribute -> float (B, C)."""

    def __init__(self, size: int, classes: Mapping[str, int]) -> None:
        """`classes`: attribute -> number of its learned classes."""
        super().__init__()
        self.names = tuple(classes)
        # Prefixed: an attribute may be called `type` or `training`, which every module has already.
        self.linear = nn.ModuleDict({f"head_{name}": nn.Linear(size, count) for name, count in classes.items()})

    def forward(self, embedding: Tensor) -> dict[str, Tensor]:
        """float (B, D) -> attribute -> float (B, C)."""
        return {name: self.linear[f"head_{name}"](embedding) for name in self.names}
