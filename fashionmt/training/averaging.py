"""An exponential moving average of a model's weights (`optim.ema`): what is validated, kept and tagged with."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn


class WeightAverage(AveragedModel):
    """An average of a model's parameters and floating buffers; of other buffers (counters, indices) the newest.

    The running statistics of batch normalisation are averaged too: those of the newest weights are not those of the
    average. torch's `AveragedModel` alone would average integers and cut off what is behind the point.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        """A copy of `model`. `decay`: how much of the average a step keeps, once warm."""
        self.decay = decay
        super().__init__(model, multi_avg_fn=self._blend, use_buffers=True)
        self.requires_grad_(False)

    def warm_decay(self, steps: int) -> float:
        """min(decay, (1 + steps) / (10 + steps)), as in TensorFlow's `ExponentialMovingAverage(num_updates)`: the
        random start is forgotten within steps instead of within 1 / (1 - decay) of them."""
        return min(self.decay, (1 + steps) / (10 + steps))

    @torch.no_grad()
    def swap(self, model: nn.Module) -> None:
        """Exchange the values of `model` and the average; a second time undoes it."""
        ours = (*self.module.parameters(), *self.module.buffers())
        theirs = (*model.parameters(), *model.buffers())
        for mine, other in zip(ours, theirs, strict=True):
            mine.data, other.data = other.data, mine.data  # no copies: a moment, whatever the size

    def _blend(self, averages: Sequence[Tensor], news: Sequence[Tensor], steps: Tensor | int) -> None:
        """torch hands over all tensors of one dtype."""
        if averages[0].is_floating_point():
            blend = get_ema_multi_avg_fn(self.warm_decay(int(steps)))  # type: ignore[no-untyped-call]
            blend(averages, news, steps)
        else:
            for average, new in zip(averages, news, strict=True):
                average.copy_(new)
