"""What a ranker minimises: the full softmax over the catalogue, or one of two losses on drawn negatives.

The full softmax is what makes sequential recommenders strong, and one negative against one positive is its weak form
(Klenitskiy and Vasilev, arXiv:2309.07602). B histories, N items.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def softmax_loss(scores: Tensor, targets: Tensor, allowed: Tensor) -> Tensor:
    """Cross-entropy of the target among all items that are allowed, float ().

    Args:
        scores: float (B, N).
        targets: int64 (B,).
        allowed: bool (B, N), the negatives; the target counts whether it is among them or not.
    """
    scores = scores.float()
    own = scores.gather(1, targets[:, None])
    others = scores.masked_fill(~allowed, -torch.inf).scatter(1, targets[:, None], -torch.inf)
    return (torch.logaddexp(own[:, 0], torch.logsumexp(others, dim=1)) - own[:, 0]).mean()


def bpr_loss(scores: Tensor, targets: Tensor, negatives: Tensor) -> Tensor:
    """-log sigmoid(s_target - s_negative), the mean over the negatives, int64 (B, M). Rendle et al. 2009."""
    return -F.logsigmoid(_own(scores, targets) - scores.float().gather(1, negatives)).mean()


def bce_loss(scores: Tensor, targets: Tensor, negatives: Tensor) -> Tensor:
    """Binary cross-entropy: the target is a one, each negative, int64 (B, M), a zero; the two sides weigh alike."""
    return -(F.logsigmoid(_own(scores, targets)).mean() + F.logsigmoid(-scores.float().gather(1, negatives)).mean()) / 2


def draw_negatives(allowed: Tensor, count: int) -> Tensor:
    """`count` items of each row of `allowed`, bool (B, N), with replacement: int64 (B, count).

    A row that allows none has all items drawn from.
    """
    weights = allowed.float()
    weights[~allowed.any(dim=1)] = 1
    return torch.multinomial(weights, count, replacement=True)


def _own(scores: Tensor, targets: Tensor) -> Tensor:
    return scores.float().gather(1, targets[:, None])
