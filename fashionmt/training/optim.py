"""AdamW, with a lower rate for towers that start trained, and a warm-up and cosine schedule."""

import math
from collections.abc import Iterator

from torch import nn
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR

from fashionmt.config import OptimConfig
from fashionmt.model import Tagger


def build_optimizer(tagger: Tagger, config: OptimConfig) -> AdamW:
    """AdamW over up to four groups: (pretrained, new) x (decayed, not); biases, norms and embeddings of what is
    missing are vectors, and vectors are not decayed."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for pretrained, parameter in _parameters(tagger):
        groups.setdefault((pretrained, parameter.ndim > 1), []).append(parameter)
    return AdamW(
        [
            {
                "params": parameters,
                "lr": config.pretrained_learning_rate if pretrained else config.learning_rate,
                "weight_decay": config.weight_decay if decayed else 0.0,
            }
            for (pretrained, decayed), parameters in groups.items()
        ],
        fused=True,  # on two cores 5 ms a step for 15 M parameters instead of 35
    )


def _parameters(tagger: Tagger) -> Iterator[tuple[bool, nn.Parameter]]:
    """(whether it starts trained, parameter)."""
    config = tagger.config
    trained = {
        "image": config.image is not None and config.image.starts_trained,
        "text": config.text is not None and config.text.starts_trained,
    }
    for name, parameter in tagger.named_parameters():
        if parameter.requires_grad:
            yield trained.get(name.split(".")[0], False), parameter


def build_scheduler(optimizer: AdamW, steps: int, warmup_fraction: float) -> LambdaLR:
    """Linear from 0 over the warm-up, then half a cosine to 0 at `steps` (Loshchilov & Hutter, arXiv:1608.03983)."""
    warmup = max(1, round(steps * warmup_fraction))

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup
        progress = min(1.0, (step - warmup) / max(1, steps - warmup))
        return 0.5 * (1 + math.cos(math.pi * progress))

    return LambdaLR(optimizer, factor)
