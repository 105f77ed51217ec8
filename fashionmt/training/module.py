"""The Lightning module: a tagger, its loss and its metrics, one step for training and validation alike."""

import math
from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torchmetrics import MeanMetric

from fashionmt.attributes import LabelSpace
from fashionmt.batch import Batch
from fashionmt.config import OptimConfig
from fashionmt.data.augment import augment
from fashionmt.model import Tagger
from fashionmt.training.loss import MultiTaskLoss
from fashionmt.training.metrics import TaggerMetrics
from fashionmt.training.optim import build_optimizer, build_scheduler

MONITOR = "val/accuracy/mean"
"""The score that chooses the best weights: validation accuracy, averaged over attributes."""


class TaggerModule(pl.LightningModule):
    """Trains a tagger. Every random draw of a step is a function of seed and step, so a resumed run repeats them."""

    def __init__(
        self,
        tagger: Tagger,
        loss: MultiTaskLoss,
        spaces: Mapping[str, LabelSpace],
        config: OptimConfig,
        seed: int,
    ) -> None:
        super().__init__()
        self.tagger, self.loss, self.config, self.seed = tagger, loss, config, seed
        self.metrics = TaggerMetrics(spaces)
        self.train_means = EpochMeans(("total", *spaces))
        self.val_means = EpochMeans(("total", *spaces))

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Seed the step: dropout, modality dropout and augmentation draw from here."""
        torch.manual_seed(self.seed * 1_000_003 + self.global_step)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The weighted loss of a batch, float ()."""
        if self.config.augment and self.tagger.image is not None:
            batch.pixels = augment(batch.pixels)
        terms = self.loss(self.tagger(batch).logits, batch.labels)
        total = self._count_losses(self.train_means, terms, batch)
        self.log("train/loss_step", total, prog_bar=True)
        return total

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Clip the gradients' norm and log it. Lightning's own clipping refuses fused optimisers."""
        norm = nn.utils.clip_grad_norm_(self.tagger.parameters(), self.config.clip_norm)
        self.log("train/gradient_norm", norm)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Count losses and answers."""
        logits = self.tagger(batch).logits
        self._count_losses(self.val_means, self.loss(logits, batch.labels), batch)
        self.metrics.update({name: value.argmax(1) for name, value in logits.items()}, batch.labels)

    def on_train_epoch_end(self) -> None:
        """Log every task's term, averaged over the epoch."""
        self._log_losses(self.train_means, "train")

    def on_validation_epoch_end(self) -> None:
        """Log every task's term and the metrics."""
        self._log_losses(self.val_means, "val")
        found = {f"val/{name}": value for name, value in self.metrics.compute().items()}
        self.log_dict(found)
        self.metrics.reset()

    def configure_optimizers(self) -> Any:
        """AdamW with warm-up and cosine over the whole run."""
        optimizer = build_optimizer(self.tagger, self.config)
        # Not `trainer.estimated_stepping_batches`: it sets the loader up before a checkpoint's state can reach it, and
        # Lightning 2.6 then drops that state without a word.
        batches: int = self.trainer.datamodule.batches_per_epoch()  # type: ignore[attr-defined]
        steps = math.ceil(batches / self.trainer.accumulate_grad_batches) * (self.trainer.max_epochs or 1)
        scheduler = build_scheduler(optimizer, steps, self.config.warmup_fraction)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _count_losses(self, means: "EpochMeans", terms: dict[str, Tensor], batch: Batch) -> Tensor:
        total = self.loss.total(terms)
        means.update({"total": total, **terms}, len(batch))
        return total

    def _log_losses(self, means: "EpochMeans", stage: str) -> None:
        for name, value in means.compute_and_reset().items():
            self.log(f"{stage}/loss" if name == "total" else f"{stage}/loss/{name}", value)


class EpochMeans(nn.Module):
    """Running means by name. A checkpoint keeps them, so that an epoch resumed in its middle has the unbroken mean."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names
        self.means = nn.ModuleList(MeanMetric() for _ in names)
        for mean in self.means:
            mean.persistent(True)  # type: ignore[operator]

    def update(self, values: Mapping[str, Tensor], weight: int) -> None:
        """Add a batch of `weight` items."""
        for name, mean in zip(self.names, self.means, strict=True):
            mean.update(values[name].detach(), weight=weight)  # type: ignore[operator]

    def compute_and_reset(self) -> dict[str, Tensor]:
        """Each mean, by name."""
        found = {name: mean.compute() for name, mean in zip(self.names, self.means, strict=True)}  # type: ignore[operator]
        for mean in self.means:
            mean.reset()  # type: ignore[operator]
        return found
