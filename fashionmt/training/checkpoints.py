"""The checkpoint that a killed run resumes from."""

import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback

from fashionmt.training.run_folder import RunFolder


class ResumeCheckpoint(Callback):
    """Writes the run's whole state every so many seconds, always in the middle of an epoch.

    In the middle, because Lightning 2.6 treats a checkpoint of an epoch's last batch as a finished epoch and skips
    its validation, so that the resumed run would choose other weights than the unbroken one.
    """

    def __init__(self, folder: RunFolder, seconds: float) -> None:
        self.path = folder.resume_checkpoint
        self.seconds = seconds
        self._last = time.monotonic()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save if it is time; only between optimiser steps."""
        last = batch_idx + 1 >= trainer.num_training_batches
        stepped = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if stepped and not last and time.monotonic() - self._last >= self.seconds:
            trainer.save_checkpoint(self.path)  # Lightning writes a temporary file and renames it
            self._last = time.monotonic()
