"""How much each of several answers counts in their sum: stacking (Wolpert 1992), for one head, on held-out items.

N items, K answers, C classes of the attribute.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from torch import Tensor

Floats = npt.NDArray[np.float64]
SMALLEST, LARGEST = 0.01, 10.0
"""The smallest of the first share, without which nothing is left of the answers' own scale; the largest of each."""


def choose_shares(
    answers: Sequence[Tensor], labels: Tensor, as_is: Sequence[float], weights: Tensor | None = None
) -> tuple[float, ...]:
    """What each answer is multiplied by before they are added: the shares, none below 0, that give the labels the
    highest likelihood. `as_is` where no item has a learned label, and where fewer items would be right than with it:
    likelihood is not what a head is judged by.

    Args:
        answers: K logits, float (N, C).
        labels: int64 (N,), of which those from 0 to C - 1 are learned.
        as_is: K shares that change nothing.
        weights: float (N,), what an item counts; all the same without.
    """
    learned = (labels >= 0) & (labels < answers[0].shape[1])
    if not bool(learned.any()):
        return tuple(as_is)
    stacked, true = torch.stack([answer[learned].double() for answer in answers]), labels[learned]
    weights = torch.ones(len(true)).double() if weights is None else weights[learned].double()

    def loss(shares: Floats) -> tuple[float, Floats]:
        chosen = torch.from_numpy(shares).requires_grad_()
        each = F.cross_entropy(_sum(chosen, stacked), true, reduction="none")
        value = (each * weights).sum() / weights.sum()
        value.backward()  # type: ignore[no-untyped-call]
        return float(value.detach()), np.asarray(chosen.grad)

    def right(shares: Sequence[float]) -> float:
        return float(weights[_sum(torch.tensor(shares).double(), stacked).argmax(1) == true].sum())

    bounds = [(SMALLEST, LARGEST)] + [(0.0, LARGEST)] * (len(answers) - 1)
    found = minimize(loss, np.array(as_is, dtype=np.float64), jac=True, method="L-BFGS-B", bounds=bounds)
    shares = tuple(float(value) for value in found.x)
    return shares if right(shares) >= right(as_is) else tuple(as_is)


def _sum(shares: Tensor, stacked: Tensor) -> Tensor:
    return torch.einsum("k,knc->nc", shares, stacked)
