"""What all Lightning modules here share: seeded steps, clipped gradients, AdamW and its schedule, averaged weights."""

import math
from typing import Any

import pytorch_lightning as pl
import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from fashionmt.config import OptimConfig
from fashionmt.errors import DivergedError
from fashionmt.model import Tagger, TwoTowers
from fashionmt.training.averaging import WeightAverage
from fashionmt.training.optim import build_optimizer, build_scheduler

CHECK_STEPS = 10
"""How often gradients are checked: a GPU must wait for it."""
RANKS_APART = 1 << 24
"""How far apart the seeds of two processes are: more than a run has batches. Torch reads 32 bits of a seed on a CPU."""


class BaseModule(pl.LightningModule):
    """Trains `model`. Every random draw of a batch is a function of the seed, of the batch's number in the run and of
    the process's rank, so a resumed run repeats them."""

    def __init__(self, model: nn.Module, config: OptimConfig, seed: int) -> None:
        super().__init__()
        self.config, self.seed = config, seed
        self.average = WeightAverage(model, config.ema) if config.ema is not None else None
        self._batch_seed = seed

    @property
    def model(self) -> nn.Module:
        """What is trained."""
        raise NotImplementedError

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        """Seed the batch: dropout, modality dropout and augmentation draw from here."""
        batches = self.trainer.accumulate_grad_batches
        number = self.global_step * batches + batch_idx % batches
        self._batch_seed = self.seed * 1_000_003 + number + RANKS_APART * self.global_rank
        torch.manual_seed(self._batch_seed)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the gradients' norm and log it. Lightning's own clipping refuses fused optimisers. Raises
        `DivergedError`: what is no number stays none, and hours would be lost."""
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.config.clip_norm)
        if self.global_step % CHECK_STEPS == 0 and not bool(norm.isfinite()):
            raise DivergedError(self.global_step)
        self.log("train/gradient_norm", norm)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, then what follows a step, then average. Here, as `on_train_batch_end` comes after the callback that
        saves the state."""
        super().optimizer_step(*args, **kwargs)
        self.after_step()
        if self.average is not None:
            self.average.update_parameters(self.model)

    def after_step(self) -> None:
        """What follows a step of the optimiser: by default nothing."""

    def on_validation_start(self) -> None:
        """From here to `on_validation_end` the model is the averaged one."""
        if self.average is not None:
            self.average.swap(self.model)

    def on_validation_end(self) -> None:
        """Go on with the weights of the last step. All callbacks' turns are over: the checkpoint holds what was
        scored. Raises `DivergedError`."""
        if self.average is not None:
            self.average.swap(self.model)
        if not bool(self.trainer.callback_metrics["val/loss"].isfinite()):
            raise DivergedError(self.global_step)

    def build_optimizer(self) -> AdamW:
        """Over the model's parameters."""
        if not isinstance(self.model, Tagger | TwoTowers):
            raise NotImplementedError
        return build_optimizer(self.model, self.config)

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and cosine over the whole run."""
        optimizer = self.build_optimizer()
        # Not `trainer.estimated_stepping_batches`: it sets the loader up before a checkpoint's state can reach it, and
        # Lightning 2.6 then drops that state without a word.
        batches: int = self.trainer.datamodule.batches_per_epoch()  # type: ignore[attr-defined]
        steps = math.ceil(batches / self.trainer.accumulate_grad_batches) * (self.trainer.max_epochs or 1)
        scheduler = build_scheduler(optimizer, steps, self.config.warmup_fraction)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}
