"""The loss: one masked term a head, of a kind that the config names, and their weighted sum."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionmt.config import LossConfig
from fashionmt.training.balancing import BALANCERS, Balancer
from fashionmt.training.class_weights import Counts, class_weights
from fashionmt.training.logit_adjustment import log_prior


class HeadLoss(nn.Module):
    """The loss of one head. Its buffers are not saved: they are made again from the training rows."""

    class_weight: Tensor

    def __init__(self, counts: Counts, config: LossConfig) -> None:
        """`counts`: training items of each class, shape (C,)."""
        super().__init__()
        weights = class_weights(counts, config.class_weights, config.cap, config.beta)
        self.register_buffer("class_weight", torch.tensor(weights, dtype=torch.float32), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Float32 (B, C) and int64 (B,) give float ()."""
        raise NotImplementedError


class CrossEntropy(HeadLoss):
    """Cross-entropy."""

    def __init__(self, counts: Counts, config: LossConfig) -> None:
        super().__init__(counts, config)
        self.label_smoothing = config.label_smoothing

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """See `masked_cross_entropy`."""
        return masked_cross_entropy(logits, labels, self.class_weight, self.label_smoothing)


class FocalLoss(HeadLoss):
    """Cross-entropy that counts an item the less, the surer its true class is."""

    def __init__(self, counts: Counts, config: LossConfig) -> None:
        super().__init__(counts, config)
        self.gamma = config.focal_gamma

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """See `masked_focal_loss`."""
        return masked_focal_loss(logits, labels, self.class_weight, self.gamma)


class LogitAdjusted(CrossEntropy):
    """Cross-entropy of the logits plus tau times the log prior of the training labels (Menon et al. 2020,
    arXiv:2007.07314, eq. 10): the logits themselves, which tagging reads, are left free of the prior."""

    adjustment: Tensor

    def __init__(self, counts: Counts, config: LossConfig) -> None:
        super().__init__(counts, config)
        self.register_buffer("adjustment", config.tau * log_prior(counts), persistent=False)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        """See `masked_cross_entropy`."""
        return super().forward(logits + self.adjustment, labels)


HEAD_LOSSES: dict[str, type[HeadLoss]] = {
    "cross_entropy": CrossEntropy,
    "focal": FocalLoss,
    "logit_adjusted": LogitAdjusted,
}
"""The choices of `loss.kind`."""


class MultiTaskLoss(nn.Module):
    """Each head's loss by name, and what a training step minimises."""

    def __init__(self, heads: Mapping[str, HeadLoss], balancer: Balancer) -> None:
        """`heads`: attribute -> its loss, in the order of the balancer's task weights."""
        super().__init__()
        self.names = tuple(heads)
        self.heads = nn.ModuleList(heads.values())  # by number, as an attribute may bear any name
        self.balancer = balancer

    def forward(self, logits: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Attribute -> float (B, C) and attribute -> int64 (B,) give attribute -> the unweighted term, float ()."""
        pairs = zip(self.names, self.heads, strict=True)
        return {name: head(logits[name].float(), labels[name]) for name, head in pairs}

    def items(self, labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Attribute -> int64 (B,) give attribute -> of how many items its term is the mean, int64 ()."""
        pairs = zip(self.names, self.heads, strict=True)
        return {name: _learned(labels[name], head.class_weight).sum() for name, head in pairs}  # type: ignore[arg-type]

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The sum of the terms by the config's task weights, float (): comparable whatever the balancing."""
        return (self.balancer.task_weights * self._stacked(terms)).sum()

    def balance(self, terms: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """What a training step minimises, float (), and by how much each term counts in it. Once a training batch:
        a balancer may draw and learn."""
        total, weights = self.balancer(self._stacked(terms))
        return total, dict(zip(self.names, weights.unbind(), strict=True))

    def look_back(self, terms: Mapping[str, Tensor]) -> None:
        """Hand a balancer that `looks_back` the terms of the last batch, computed again after the step."""
        self.balancer.look_back(self._stacked(terms))

    def _stacked(self, terms: Mapping[str, Tensor]) -> Tensor:
        return torch.stack([terms[name] for name in self.names])


def build_loss(counts: Mapping[str, Counts], task_weights: Mapping[str, float], config: LossConfig) -> MultiTaskLoss:
    """`counts`: attribute -> training items of each class, shape (C,). `task_weights`: attribute -> its weight."""
    heads = {name: HEAD_LOSSES[config.kind](of_classes, config) for name, of_classes in counts.items()}
    return MultiTaskLoss(heads, BALANCERS[config.balancing]([task_weights[name] for name in counts]))


def masked_cross_entropy(logits: Tensor, labels: Tensor, class_weight: Tensor, label_smoothing: float) -> Tensor:
    """Cross-entropy averaged by class weight over labelled items; 0 where the batch has none.

    Args:
        logits: float (B, C).
        labels: int64 (B,); anything outside 0..C-1 (missing, unlearned) is masked.
        class_weight: float (C,).
        label_smoothing: in [0, 1).

    Returns:
        float (). On a fully labelled batch it equals `torch.nn.functional.cross_entropy`.
    """
    target, weight = _masked(labels, class_weight)
    summed = F.cross_entropy(
        logits, target, class_weight, ignore_index=-100, label_smoothing=label_smoothing, reduction="sum"
    )
    return summed / weight.sum().clamp(min=torch.finfo(summed.dtype).tiny)


def masked_focal_loss(logits: Tensor, labels: Tensor, class_weight: Tensor, gamma: float) -> Tensor:
    """Focal loss, -(1 - p)^gamma log p of the true class (Lin et al. 2017, arXiv:1708.02002, eq. 5), averaged like
    `masked_cross_entropy`, which it is at gamma 0.

    Args:
        logits: float (B, C).
        labels: int64 (B,); anything outside 0..C-1 (missing, unlearned) is masked.
        class_weight: float (C,), the paper's alpha.
        gamma: 0 or more.

    Returns:
        float ().
    """
    target, weight = _masked(labels, class_weight)
    loss = F.cross_entropy(logits, target, ignore_index=-100, reduction="none")
    tiny = torch.finfo(loss.dtype).tiny
    # 1 - p without cancellation; at p = 1 a gamma below 1 would have an infinite gradient.
    doubt = (-torch.expm1(-loss)).clamp(min=tiny)
    return (weight * doubt**gamma * loss).sum() / weight.sum().clamp(min=tiny)


def _masked(labels: Tensor, class_weight: Tensor) -> tuple[Tensor, Tensor]:
    """The labels, -100 where masked, and each item's class weight, 0 where masked; (B,) each."""
    learned = _learned(labels, class_weight)
    target = labels.where(learned, torch.full_like(labels, -100))
    return target, class_weight[labels.where(learned, torch.zeros_like(labels))] * learned


def _learned(labels: Tensor, class_weight: Tensor) -> Tensor:
    """Which labels are not masked, bool (B,)."""
    return (labels >= 0) & (labels < len(class_weight))
