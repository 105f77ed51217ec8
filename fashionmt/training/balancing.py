"""How much each head's loss counts in a training step (`loss.balancing`).

K heads. The task weights of the config (`data.attributes.<name>.weight`) multiply what a balancer says. `random` and
`famo` share out K in all, what the heads weigh together without balancing, so that the gradients which are clipped
are of the same size. A loss of exactly 0, which a head without a label in the batch has, is left out. Of several
processes these two weigh alike, and leave out a head that no process has a loss of.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import torch
import torch.distributed
from torch import Tensor, nn
from torch.optim import Adam

LEARNING_RATE = 1e-2
"""Of what a balancer learns by the optimiser's gradients: a log variance has a few units to go in a run."""


class Balanced(NamedTuple):
    """What a step minimises."""

    total: Tensor
    """float ()."""
    weights: Tensor
    """float (K,), detached: by how much each loss counts in `total`."""


class Balancer(nn.Module, ABC):
    """Weighs the losses of one training step. Whatever it remembers is in its `state_dict`."""

    task_weights: Tensor
    looks_back: ClassVar[bool] = False
    """Whether `look_back` is to be called after each optimiser step."""

    def __init__(self, task_weights: Sequence[float]) -> None:
        """`task_weights`: of the config, one a head."""
        super().__init__()
        self.register_buffer("task_weights", torch.tensor(task_weights, dtype=torch.float32), persistent=False)

    @abstractmethod
    def forward(self, losses: Tensor) -> Balanced:
        """`losses`: float32 (K,)."""

    def look_back(self, losses: Tensor) -> None:
        """Learn from the losses of the last batch after the step; float32 (K,)."""

    def counted(self, losses: Tensor) -> Tensor:
        """The task weights, 0 where a head has no loss; float (K,)."""
        return self.task_weights * (losses.detach() > 0)


class FixedBalancer(Balancer):
    """The task weights of the config and nothing else."""

    def forward(self, losses: Tensor) -> Balanced:
        """The weighted sum."""
        return Balanced((self.task_weights * losses).sum(), self.task_weights)


class RandomBalancer(Balancer):
    """Softmax of standard normals, drawn each batch (Lin et al. 2021, arXiv:2111.10603): the control for the others."""

    def forward(self, losses: Tensor) -> Balanced:
        """Draws K normals from torch's generator of the CPU, which a run seeds batch by batch; the first process's
        count in all."""
        there = _over_processes((self.counted(losses) > 0).to(losses.dtype)) > 0
        normals = _of_first_process(torch.randn(len(losses)).to(losses.device))
        shares = normals.masked_fill(~there, -torch.inf).softmax(0).where(there, 0.0)
        weights = self.task_weights * there.sum() * shares
        return Balanced((weights * losses).sum(), weights)


class UncertaintyBalancer(Balancer):
    """Loss over variance plus half the log variance, the log variances s learned with the weights (Kendall et al.
    2018, arXiv:1705.07115, section 3): at its optimum a head weighs 1 / (2 loss)."""

    def __init__(self, task_weights: Sequence[float]) -> None:
        super().__init__(task_weights)
        self.log_variances = nn.Parameter(torch.zeros(len(task_weights)))

    def forward(self, losses: Tensor) -> Balanced:
        """The sum of exp(-s) loss + s / 2, each by its task weight; it may be negative."""
        counted = self.counted(losses)
        precision = (-self.log_variances).exp()
        total = (counted * (precision * losses + self.log_variances / 2)).sum()
        return Balanced(total, (counted * precision).detach())


class FamoBalancer(Balancer):
    """FAMO (Liu et al. 2023, arXiv:2306.03792, algorithm 1): lowers the logarithms of the losses at equal rates.

    Logits xi of the tasks, z = softmax(xi). A step weighs loss i by c z_i / loss_i, where c makes the weights add up;
    then xi descends along J(z)' (log loss before - log loss after), so that the tasks which gained least weigh more.

    The loss after the step is that of the same batch and the same dropout, as in the authors' code, at the price of a
    second forward. The next batch's losses would be free, but batches differ by far more than a step gains, and Adam
    divides by that difference: the logits would hardly move.
    """

    looks_back = True
    RATE = 0.025  # the authors' code
    DECAY = 0.001
    FLOOR = 1e-8  # the paper wants losses that are bounded away from 0

    def __init__(self, task_weights: Sequence[float]) -> None:
        super().__init__(task_weights)
        # A parameter, so that the optimiser still holds it after a move to another device.
        self.logits = nn.Parameter(torch.zeros(len(task_weights)), requires_grad=False)
        self.optimizer = Adam([self.logits], lr=self.RATE, weight_decay=self.DECAY)
        self._before: Tensor | None = None

    def forward(self, losses: Tensor) -> Balanced:
        """The sum of the losses, each by its share over itself."""
        self._before = self._logarithms(losses)
        there = ~self._before.isnan()
        shares = (self.logits.softmax(0) / self._before.exp()).where(there, 0.0)
        # The smallest number: no label at all.
        shares = shares * (there.sum() / shares.sum().clamp(min=torch.finfo(shares.dtype).tiny))
        weights = self.task_weights * shares
        return Balanced((weights * losses).sum(), weights)

    def look_back(self, losses: Tensor) -> None:
        """One step of the logits, from what the losses given to `forward` have become."""
        if self._before is None:
            raise RuntimeError("look_back without a forward")
        gains, self._before = self._before - self._logarithms(losses), None
        known = ~gains.isnan()
        if not bool(known.any()):
            return
        shares = self.logits.softmax(0)
        among = shares * known
        # The Jacobian of the softmax times the gains; a task without a loss counts as having the mean gain.
        mean = (among * gains.nan_to_num()).sum() / among.sum()
        self.logits.grad = shares * (gains - mean).where(known, 0.0)
        self.optimizer.step()

    def _logarithms(self, losses: Tensor) -> Tensor:
        """Of the losses, each the mean over the processes that have it; nan where none has, float (K,)."""
        there = self.counted(losses) > 0
        summed, processes = _over_processes(torch.stack([losses.detach().where(there, 0.0), there.to(losses.dtype)]))
        means: Tensor = summed / processes
        return means.clamp(min=self.FLOOR).log()

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        """Where the module moves, the moments follow: a checkpoint is read before the move to another device."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        self.optimizer.load_state_dict(self.optimizer.state_dict())
        return self

    def get_extra_state(self) -> dict[str, Any]:
        """The moments of the logits' optimiser: tensors and numbers."""
        return self.optimizer.state_dict()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """The inverse of `get_extra_state`."""
        self.optimizer.load_state_dict(state)


def _distributed() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _of_first_process(values: Tensor) -> Tensor:
    """So that all processes weigh alike."""
    if _distributed():
        torch.distributed.broadcast(values, 0)
    return values


def _over_processes(values: Tensor) -> Tensor:
    """The sum over all processes; `values` may be written over."""
    if _distributed():
        torch.distributed.all_reduce(values)
    return values


BALANCERS: dict[str, type[Balancer]] = {
    "fixed": FixedBalancer,
    "uncertainty": UncertaintyBalancer,
    "famo": FamoBalancer,
    "random": RandomBalancer,
}
"""The choices of `loss.balancing`."""
