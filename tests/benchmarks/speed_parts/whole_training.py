"""`Trainer.fit` as `train.py` sets it up, its clock read from inside."""

import time
from dataclasses import dataclass, replace
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from fashionmt.config import TrainConfig
from fashionmt.data.prepare import PreparedData
from fashionmt.hydra_bridge import build_loggers
from fashionmt.training.fitting import build_trainer, device_of, fit
from fashionmt.training.module import TaggerModule
from fashionmt.training.run import build_batches, build_module
from fashionmt.training.run_folder import RunFolder
from speed_parts.bare_step import wait_for


@dataclass(frozen=True)
class Trained:
    """A training; its times are of the epochs after the first."""

    module: TaggerModule
    items: int
    seconds: float
    """From each epoch's beginning to its validation."""
    all_seconds: float
    """With validation, checkpoints and what else lies between epochs."""


def train(config: TrainConfig, data: PreparedData, folder: RunFolder, epochs: int) -> Trained:
    """Train an epoch that does not count, and `epochs` that do."""
    config = replace(config, trainer=replace(config.trainer, max_epochs=1 + epochs))
    trainer, _ = build_trainer(config, folder, build_loggers(config.logger, folder.root))
    clock = _Clock(config)
    trainer.callbacks.append(clock)  # type: ignore[attr-defined]
    module = build_module(config, data)
    fit(trainer, module, build_batches(config, data), folder, resume=False)
    return Trained(module, clock.items, clock.seconds, clock.ended - clock.began)


class _Clock(Callback):
    def __init__(self, config: TrainConfig) -> None:
        self.device = device_of(config.trainer)
        self.items, self.seconds = 0, 0.0
        self.began = self.epoch_began = self.ended = 0.0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.epoch_began = self._now()
        if trainer.current_epoch == 1:
            self.began, self.items, self.seconds = self.epoch_began, 0, 0.0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        self.items += len(batch)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.seconds += self._now() - self.epoch_began

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.ended = self._now()

    def _now(self) -> float:
        wait_for(self.device)
        return time.perf_counter()
