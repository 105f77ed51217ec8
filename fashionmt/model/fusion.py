"""Fusion: the towers' features, missing ones replaced, become one vector. B items, M modalities, D fused features."""

from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fashionmt.config import FusionConfig
from fashionmt.errors import UserError


class Fusion(nn.Module):
    """What every fusion is: features by modality -> float (B, `size`). A new one is a subclass and a name below."""

    def __init__(self, sizes: Mapping[str, int], config: FusionConfig) -> None:
        """`sizes`: modality -> its tower's feature size."""
        super().__init__()
        self.sizes = dict(sizes)
        self.size = config.size

    @abstractmethod
    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """Modality -> float (B, its size); gives float (B, size)."""


class ConcatFusion(Fusion):
    """Features side by side through one hidden layer."""

    def __init__(self, sizes: Mapping[str, int], config: FusionConfig) -> None:
        super().__init__(sizes, config)
        self.hidden = _layer(sum(sizes.values()), config)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """See `Fusion.forward`."""
        fused: Tensor = self.hidden(torch.cat([features[name] for name in self.sizes], dim=1))
        return fused


class GatedFusion(Fusion):
    """A learned share of each modality, per feature (Arevalo et al. 2017, arXiv:1702.01992, with a softmax over M)."""

    def __init__(self, sizes: Mapping[str, int], config: FusionConfig) -> None:
        super().__init__(sizes, config)
        self.hidden = nn.ModuleDict({name: _layer(size, config) for name, size in sizes.items()})
        self.gate = nn.Linear(sum(sizes.values()), len(sizes) * config.size)

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """See `Fusion.forward`."""
        hidden = torch.stack([self.hidden[name](features[name]) for name in self.sizes], dim=1)  # (B, M, D)
        gates = self.gate(torch.cat([features[name] for name in self.sizes], dim=1))
        share = gates.view(hidden.shape).softmax(dim=1)
        fused: Tensor = (share * hidden).sum(dim=1)
        return fused


FUSIONS: dict[str, type[Fusion]] = {"concat": ConcatFusion, "gated": GatedFusion}


def check_fusion(config: FusionConfig) -> None:
    """Raise `UserError` for an unknown fusion."""
    if config.kind not in FUSIONS:
        raise UserError(f"model.fusion.kind={config.kind}", "no such fusion", f"Use one of {', '.join(FUSIONS)}")


def build_fusion(sizes: Mapping[str, int], config: FusionConfig) -> Fusion:
    """The fusion that `config.kind` names. Raises `UserError` for an unknown one."""
    check_fusion(config)
    return FUSIONS[config.kind](sizes, config)


def _layer(inputs: int, config: FusionConfig) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, config.size), nn.LayerNorm(config.size), nn.GELU(), nn.Dropout(config.dropout)
    )
