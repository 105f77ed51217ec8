"""One vector of a title from the states of its tokens. B items, T tokens, D features."""

from torch import Tensor


def attended(mask: Tensor) -> Tensor:
    """bool (B, T) -> the same, with something to attend to in every row: of a title without tokens its first padding,
    which a mean over `mask` leaves out again. Attention over nothing would be NaN."""
    filled = mask.clone()
    filled[:, 0] = True
    return filled


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """float (B, T, D), bool (B, T) -> float (B, D), averaged where `mask` is True; zeros where it never is."""
    weight = mask.unsqueeze(-1).to(states.dtype)
    mean: Tensor = (states * weight).sum(1) / weight.sum(1).clamp(min=1)
    return mean
