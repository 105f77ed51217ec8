"""One vector of a title from the states of its tokens. B items, T tokens, D features."""

from torch import Tensor


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """float (B, T, D), bool (B, T) -> float (B, D), averaged where `mask` is True; zeros where it never is."""
    weight = mask.unsqueeze(-1).to(states.dtype)
    mean: Tensor = (states * weight).sum(1) / weight.sum(1).clamp(min=1)
    return mean
