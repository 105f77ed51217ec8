"""The loss: a weighted sum of one masked, class-weighted cross-entropy a head."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionmt.config import LossConfig
from fashionmt.training.class_weights import Weights


class MultiTaskLoss(nn.Module):
    """Each head's cross-entropy by name, and their weighted sum."""

    def __init__(
        self, class_weights: Mapping[str, Weights], task_weights: Mapping[str, float], config: LossConfig
    ) -> None:
        """`class_weights`: attribute -> weights, shape (C,). `task_weights`: attribute -> weight of its term."""
        super().__init__()
        self.task_weights = {name: task_weights[name] for name in class_weights}
        self.label_smoothing = config.label_smoothing
        self._names = list(class_weights)
        for i, name in enumerate(self._names):
            # Not saved: made again from the training rows. Named by number, as an attribute may bear any name.
            weight = torch.tensor(class_weights[name], dtype=torch.float32)
            self.register_buffer(f"class_weight_{i}", weight, persistent=False)

    def forward(self, logits: Mapping[str, Tensor], labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Attribute -> float (B, C) and attribute -> int64 (B,) give attribute -> the unweighted term, float ()."""
        return {
            name: masked_cross_entropy(
                logits[name].float(), labels[name], self.get_buffer(f"class_weight_{i}"), self.label_smoothing
            )
            for i, name in enumerate(self._names)
        }

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The sum of the terms by their task weights, float ()."""
        return torch.stack([self.task_weights[name] * term for name, term in terms.items()]).sum()


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
    learned = (labels >= 0) & (labels < logits.shape[1])
    target = labels.where(learned, torch.full_like(labels, -100))
    summed = F.cross_entropy(
        logits, target, class_weight, ignore_index=-100, label_smoothing=label_smoothing, reduction="sum"
    )
    weight = class_weight[labels.where(learned, torch.zeros_like(labels))] * learned
    return summed / weight.sum().clamp(min=torch.finfo(summed.dtype).tiny)
