"""A contrastive loss with degrees of likeness: items come near each other by how many of their labels agree.

In supervised contrast (Khosla et al. 2020, arXiv:2004.11362, the first form of eq. 2) those of the candidates A are an
item's positives P that share its label:

    L_i = -1 / |P| * sum over p in P of log(exp(z_i z_p / t) / sum over a in A of exp(z_i z_a / t))

Here a candidate is a positive by a degree from 0 to 1, and the mean over positives is weighted by it, as is natural
where items have several labels; of degrees 0 and 1 it is the equation above. (pytorch-metric-learning's `SupConLoss`
takes labels alone.)

N items, M candidates, E numbers of a vector.
"""

from collections.abc import Mapping

import torch
from torch import Tensor


def likeness(labels: Mapping[str, Tensor], sharpness: float) -> Tensor:
    """How alike N items are, float32 (N, N): of the attributes that both are labelled in, the share in which they
    agree, to the power of `sharpness`; 0 where they have none in common.

    Args:
        labels: attribute -> int64 (N,), below 0 where there is none.
        sharpness: at 1, half the attributes agreeing is half as good as all; the higher, the less.
    """
    columns = torch.stack(list(labels.values())).T  # (N, attributes)
    agreeing, known = torch.zeros(2, len(columns), len(columns))
    for column in columns.T:
        both = (column >= 0)[:, None] & (column >= 0)
        agreeing += both & (column[:, None] == column)
        known += both
    alike: Tensor = (agreeing / known.clamp_min(1)) ** sharpness
    return alike


def graded_contrast(items: Tensor, candidates: Tensor, degrees: Tensor, temperature: float) -> Tensor:
    """The mean of the loss above, float (), over the items that have a positive; 0 where none has.

    Args:
        items: unit vectors, float (N, E).
        candidates: unit vectors, float (M, E).
        degrees: float (N, M), each candidate's as a positive of each item; below 0 where it is no candidate of it.
        temperature: t, what cosines are divided by.
    """
    cosines = (items @ candidates.T / temperature).masked_fill(degrees < 0, -torch.inf)
    weights = degrees.clamp_min(0)
    sums = weights.sum(dim=1)
    found = sums > 0
    if not bool(found.any()):
        return (items.sum() + candidates.sum()) * 0
    logs = cosines[found].log_softmax(dim=1).masked_fill(degrees[found] < 0, 0)
    loss: Tensor = -((weights[found] * logs).sum(dim=1) / sums[found]).mean()
    return loss
