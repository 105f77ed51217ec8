"""Linear heads, one an attribute, over fused features or over each modality's own. B items, D features, C classes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from fashionmt.model.modalities import Present


@dataclass
class Fused:
    """What a fusion makes of a batch and its heads read."""

    embedding: Tensor
    """float (B, D), the whole item."""
    apart: dict[str, Tensor] = field(default_factory=dict)
    """Modality -> float (B, D), each by itself; empty where the heads read the embedding alone."""
    consulted: Present = field(default_factory=dict)
    """Modality -> bool (B,), whose answer counts; the keys of `apart`."""


class Heads(nn.Module):
    """One linear layer an attribute, all reading the embedding."""

    def __init__(self, size: int, classes: Mapping[str, int]) -> None:
        """`classes`: attribute -> number of its learned classes."""
        super().__init__()
        self.names = tuple(classes)
        # Prefixed: an attribute may be called `type` or `training`, which every module has already.
        self.linear = nn.ModuleDict({f"head_{name}": nn.Linear(size, count) for name, count in classes.items()})

    def forward(self, fused: Fused) -> dict[str, Tensor]:
        """Attribute -> float (B, C)."""
        return {name: self.linear[f"head_{name}"](fused.embedding) for name in self.names}


class LateHeads(nn.Module):
    """Each modality answers by heads of its own; their probabilities are mixed by learned shares.

    An attribute's shares are a softmax over the modalities that count for the item; the others have share 0.
    """

    def __init__(self, modalities: tuple[str, ...], size: int, classes: Mapping[str, int]) -> None:
        """`classes`: attribute -> number of its learned classes."""
        super().__init__()
        self.names = tuple(classes)
        self.by_modality = nn.ModuleDict({name: Heads(size, classes) for name in modalities})
        self.shares = nn.Parameter(torch.zeros(len(classes), len(modalities)))
        """Before the softmax; equal at the start."""

    def forward(self, fused: Fused) -> dict[str, Tensor]:
        """Attribute -> float32 (B, C), log-probabilities: the mixture is formed in the log domain, where no
        probability vanishes."""
        answers = [heads(Fused(fused.apart[name])) for name, heads in self.by_modality.items()]
        counts = torch.stack([fused.consulted[name] for name in self.by_modality], dim=1)  # (B, M)
        shares = torch.where(counts.unsqueeze(1), self.shares.float(), -torch.inf).log_softmax(2)  # (B, attributes, M)
        mixed = {}
        for i, name in enumerate(self.names):
            each = torch.stack([answer[name].float() for answer in answers], dim=1).log_softmax(2)  # (B, M, C)
            mixed[name] = (each + shares[:, i].unsqueeze(2)).logsumexp(1)
        return mixed


class HybridHeads(nn.Module):
    """Heads over the embedding and late heads, their log-probabilities averaged by a learned share an attribute."""

    def __init__(self, modalities: tuple[str, ...], size: int, classes: Mapping[str, int]) -> None:
        """`classes`: attribute -> number of its learned classes."""
        super().__init__()
        self.early = Heads(size, classes)
        self.late = LateHeads(modalities, size, classes)
        self.shares = nn.Parameter(torch.zeros(len(classes)))
        """Of the early heads, before the sigmoid; a half at the start."""

    def forward(self, fused: Fused) -> dict[str, Tensor]:
        """Attribute -> float32 (B, C), log-probabilities but for a constant an item."""
        early, late = self.early(fused), self.late(fused)
        shares = self.shares.float().sigmoid()
        return {
            name: torch.lerp(late[name], early[name].float().log_softmax(1), shares[i]) for i, name in enumerate(early)
        }
