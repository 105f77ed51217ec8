"""Temperature scaling: one number a head that makes its confidence honest (Guo et al. 2017, arXiv:1706.04599)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """The temperature that minimises the cross-entropy of held-out items; 1 where there are none.

    Args:
        logits: float (N, C).
        labels: int64 (N,); items outside 0..C-1 (missing, unlearned) are skipped.
    """
    learned = (labels >= 0) & (labels < logits.shape[1])
    if not bool(learned.any()):
        return 1.0
    logits, labels = logits[learned].double(), labels[learned]
    log_temperature = torch.zeros((), dtype=torch.float64, requires_grad=True)  # a logarithm stays positive
    optimizer = torch.optim.LBFGS([log_temperature], max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(logits / log_temperature.exp(), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    # Where every held-out item is right the best temperature is 0; a confidence of exactly 1 is not honest.
    return float(log_temperature.detach().exp().clamp(0.05, 20.0))
