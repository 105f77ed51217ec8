"""Fusion: the towers' features, missing ones replaced, become what the heads read.

Early fusions make one vector of them, late ones leave each modality to heads of its own, hybrid ones do both
(Baltrusaitis et al. 2019, arXiv:1705.09406). B items, M modalities, D fused features.
"""

import math
from abc import abstractmethod
from collections.abc import Mapping
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionmt.config import FusionConfig
from fashionmt.errors import UserError
from fashionmt.model.heads import Fused, Heads, HybridHeads, LateHeads
from fashionmt.model.modalities import Present, consulted


class Fusion(nn.Module):
    """What every fusion is: features by modality -> `Fused`. A new one is a subclass and a name below."""

    def __init__(self, sizes: Mapping[str, int], config: FusionConfig) -> None:
        """`sizes`: modality -> its tower's feature size."""
        super().__init__()
        self.sizes = dict(sizes)
        self.size = config.size

    @abstractmethod
    def forward(self, features: dict[str, Tensor], present: Present) -> Fused:
        """Modality -> float (B, its size), where it is not there its missing embedding; and where it is there."""

    def build_heads(self, classes: Mapping[str, int]) -> nn.Module:
        """The heads that read it: `Fused` -> attribute -> float (B, C)."""
        return Heads(self.size, classes)


class EarlyFusion(Fusion):
    """One vector of all features, which all heads read."""

    def forward(self, features: dict[str, Tensor], present: Present) -> Fused:
        """See `Fusion.forward`."""
        return Fused(self.join(features))

    @abstractmethod
    def join(self, features: dict[str, Tensor]) -> Tensor:
        """Modality -> float (B, its size); gives float (B, size)."""


class ConcatFusion(EarlyFusion):
    """Features side by side through one hidden layer."""

    def __init__(self, sizes: Mapping[str, int], config: FusionConfig) -> None:
        super().__init__(sizes, config)
        self.hidden = _layer(sum(sizes.values()), config)

    def join(self, features: dict[str, Tensor]) -> Tensor:
        """See `EarlyFusion.join`."""
        fused: Tensor = self.hidden(torch.cat([features[name] for name in self.sizes], dim=1))
        return fused


class GatedFusion(EarlyFusion):
    """A learned share of each modality, per feature (Arevalo et al. 2017, arXiv:1702.01992, with a softmax over M)."""

    def __init__(self, sizes: Mapping[str, int], config: FusionConfig) -> None:
        super().__init__(sizes, config)
        self.hidden = nn.ModuleDict({name: _layer(size, config) for name, size in sizes.items()})
        self.gate = nn.Linear(sum(sizes.values()), len(sizes) * config.size)

    def join(self, features: dict[str, Tensor]) -> Tensor:
        """See `EarlyFusion.join`."""
        hidden = torch.stack([self.hidden[name](features[name]) for name in self.sizes], dim=1)  # (B, M, D)
        gates = self.gate(torch.cat([features[name] for name in self.sizes], dim=1))
        share = gates.view(hidden.shape).softmax(dim=1)
        fused: Tensor = (share * hidden).sum(dim=1)
        return fused


class ProductFusion(EarlyFusion):
    """The element-wise product of tanh projections (Kim et al. 2017, arXiv:1610.04325)."""

    def __init__(self, sizes: Mapping[str, int], config: FusionConfig) -> None:
        super().__init__(sizes, config)
        self.project = nn.ModuleDict({name: nn.Linear(size, config.size) for name, size in sizes.items()})
        self.dropout = nn.Dropout(config.dropout)

    def join(self, features: dict[str, Tensor]) -> Tensor:
        """See `EarlyFusion.join`."""
        fused: Tensor = self.dropout(reduce(torch.mul, (self.project[n](features[n]).tanh() for n in self.sizes)))
        return fused


class CrossAttentionFusion(EarlyFusion):
    """Each modality attends to the others, then all are side by side through one hidden layer.

    Co-attention (Lu et al. 2019, arXiv:1908.02265) needs several vectors of each modality. They are `SLOTS` learned
    projections of a tower's features rather than a title's tokens and a picture's positions, so that it works with
    every tower (n-grams have no order, and not every picture model a map) and with a missing embedding. A modality
    that is alone attends to itself.
    """

    SLOTS = 4

    def __init__(self, sizes: Mapping[str, int], config: FusionConfig) -> None:
        super().__init__(sizes, config)
        self.slots = nn.ModuleDict({name: nn.Linear(size, self.SLOTS * config.size) for name, size in sizes.items()})
        self.attention = nn.ModuleDict(
            {name: nn.MultiheadAttention(config.size, config.heads, batch_first=True) for name in sizes}
        )
        self.norm = nn.ModuleDict({name: nn.LayerNorm(config.size) for name in sizes})
        self.hidden = _layer(len(sizes) * config.size, config)

    def join(self, features: dict[str, Tensor]) -> Tensor:
        """See `EarlyFusion.join`."""
        slots = {name: self.slots[name](features[name]).unflatten(1, (self.SLOTS, self.size)) for name in self.sizes}
        told = []
        for name, own in slots.items():
            others = torch.cat([value for other, value in slots.items() if other != name] or [own], dim=1)
            heard, _ = self.attention[name](own, others, others, need_weights=False)
            told.append(self.norm[name](own + heard).mean(dim=1))
        fused: Tensor = self.hidden(torch.cat(told, dim=1))
        return fused


class AverageFusion(Fusion):
    """The weighted average of unit vectors, as of CLIP's two embeddings: shares learned, or fixed by `image_share`.

    An item that lacks an input is the other one's vector alone. All are lengthened by the root of D, so that features
    are of the size that heads of other fusions read.
    """

    def __init__(self, sizes: Mapping[str, int], config: FusionConfig) -> None:
        super().__init__(sizes, config)
        if len(set(sizes.values())) > 1:
            given = ", ".join(f"{name} {size}" for name, size in sizes.items())
            repair = "Use model=clip, towers of one size, or another fusion"
            raise UserError("model.fusion.kind=average", f"the towers' features differ in size ({given})", repair)
        self.size = next(iter(sizes.values()))
        share = config.image_share
        start = [1.0 if share is None else share if name == "image" else 1 - share for name in sizes]
        self.shares = nn.Parameter(torch.tensor(start).log(), requires_grad=share is None)
        """Before the softmax over what counts for the item; equal at the start."""

    def forward(self, features: dict[str, Tensor], present: Present) -> Fused:
        """See `Fusion.forward`."""
        counts = consulted({name: present[name] for name in self.sizes})
        there = torch.stack(list(counts.values()), dim=1)  # (B, M)
        shares = torch.where(there, self.shares.float(), -torch.inf).softmax(1)
        units = torch.stack([F.normalize(features[name].float(), dim=1) for name in self.sizes], dim=1)  # (B, M, D)
        return Fused((shares.unsqueeze(2) * units).sum(1) * math.sqrt(self.size))


class LateFusion(Fusion):
    """A hidden layer and heads for each modality, answers mixed by `LateHeads`.

    The embedding is the mean of the hidden layers of the modalities that are there.
    """

    def __init__(self, sizes: Mapping[str, int], config: FusionConfig) -> None:
        super().__init__(sizes, config)
        self.hidden = nn.ModuleDict({name: _layer(size, config) for name, size in sizes.items()})

    def forward(self, features: dict[str, Tensor], present: Present) -> Fused:
        """See `Fusion.forward`."""
        apart = {name: self.hidden[name](features[name]) for name in self.sizes}
        counts = consulted({name: present[name] for name in self.sizes})
        weight = torch.stack(list(counts.values()), dim=1).unsqueeze(2)  # (B, M, 1)
        embedding = (torch.stack(list(apart.values()), dim=1) * weight).sum(1) / weight.sum(1)
        return Fused(embedding, apart, counts)

    def build_heads(self, classes: Mapping[str, int]) -> nn.Module:
        """See `Fusion.build_heads`."""
        return LateHeads(tuple(self.sizes), self.size, classes)


class HybridFusion(Fusion):
    """`ConcatFusion` and `LateFusion` together, answers averaged by `HybridHeads`; the embedding is the former's."""

    def __init__(self, sizes: Mapping[str, int], config: FusionConfig) -> None:
        super().__init__(sizes, config)
        self.early = ConcatFusion(sizes, config)
        self.late = LateFusion(sizes, config)

    def forward(self, features: dict[str, Tensor], present: Present) -> Fused:
        """See `Fusion.forward`."""
        late = self.late(features, present)
        return Fused(self.early.join(features), late.apart, late.consulted)

    def build_heads(self, classes: Mapping[str, int]) -> nn.Module:
        """See `Fusion.build_heads`."""
        return HybridHeads(tuple(self.sizes), self.size, classes)


FUSIONS: dict[str, type[Fusion]] = {
    "concat": ConcatFusion,
    "gated": GatedFusion,
    "product": ProductFusion,
    "cross_attention": CrossAttentionFusion,
    "average": AverageFusion,
    "late": LateFusion,
    "hybrid": HybridFusion,
}


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
