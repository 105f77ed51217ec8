"""The Lightning module: a tagger, its loss and its metrics, one step for training and validation alike."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim import AdamW
from torchmetrics import MeanMetric, SumMetric

from fashionmt.attributes import LabelSpace
from fashionmt.batch import Batch
from fashionmt.config import OptimConfig, PictureVariationConfig
from fashionmt.data.vary_pictures import vary_pictures
from fashionmt.model import Tagger
from fashionmt.training.balancing import LEARNING_RATE, FixedBalancer
from fashionmt.training.base_module import BaseModule
from fashionmt.training.loss import MultiTaskLoss
from fashionmt.training.metrics import TaggerMetrics

MONITOR = "val/accuracy/mean"
"""The score that chooses the best weights: validation accuracy, averaged over the attributes that have labels there."""


class TaggerModule(BaseModule):
    """Trains a tagger."""

    def __init__(
        self,
        tagger: Tagger,
        loss: MultiTaskLoss,
        spaces: Mapping[str, LabelSpace],
        config: OptimConfig,
        seed: int,
        variation: PictureVariationConfig | None = None,
    ) -> None:
        """`variation`: how training pictures are varied; None: as the config's defaults say."""
        super().__init__(tagger, config, seed)
        self.tagger, self.loss = tagger, loss
        self.variation = variation or PictureVariationConfig()
        self.metrics = TaggerMetrics(spaces)
        self.train_means = EpochMeans(tuple(spaces))
        self.val_means = EpochMeans(tuple(spaces))
        self._last_batch: Batch | None = None

    @property
    def model(self) -> Tagger:
        """See `BaseModule.model`."""
        return self.tagger

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """What the step minimises, float ()."""
        if self.tagger.image is not None:
            batch.pixels = vary_pictures(batch.pixels, self.variation)
            if self.variation.varies:
                batch.frozen.pop("image", None)  # they are of the pictures as they were
        terms = self.training_terms(batch)
        self._count_losses(self.train_means, terms, batch)
        total, weights = self.loss.balance(terms)
        self.log("train/loss_step", total, prog_bar=True)
        if not isinstance(self.loss.balancer, FixedBalancer):
            self.log_dict({f"train/task_weight/{name}": weight for name, weight in weights.items()})
        self._last_batch = batch if self.loss.balancer.looks_back else None
        return total

    def training_terms(self, batch: Batch) -> dict[str, Tensor]:
        """Each task's term of the loss, float (), of a batch whose pictures are varied already."""
        if self.loss.balancer.looks_back:
            torch.manual_seed(self._batch_seed)  # the same dropout before and after the step
        terms: dict[str, Tensor] = {}
        for share, output in self.tagger.training_outputs(batch):
            for name, term in self.loss(output.logits, batch.labels).items():
                terms[name] = terms[name] + share * term if name in terms else share * term
        return terms

    def after_step(self) -> None:
        """Let the balancer look back at the batch."""
        if self._last_batch is not None:
            with torch.no_grad(), self.trainer.precision_plugin.train_step_context():
                self.loss.look_back(self.training_terms(self._last_batch))

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

    def build_optimizer(self) -> AdamW:
        """Over the tagger's parameters; what the loss learns is a group of its own."""
        optimizer = super().build_optimizer()
        if learned := [parameter for parameter in self.loss.parameters() if parameter.requires_grad]:
            optimizer.add_param_group({"params": learned, "lr": LEARNING_RATE, "weight_decay": 0.0})
        return optimizer

    def _count_losses(self, means: "EpochMeans", terms: dict[str, Tensor], batch: Batch) -> None:
        means.update(terms, self.loss.items(batch.labels))

    def _log_losses(self, means: "EpochMeans", stage: str) -> None:
        found = means.compute_and_reset()
        nothing = torch.zeros((), device=self.device)
        self.log(f"{stage}/loss", self.loss.total({name: found.get(name, nothing) for name in means.names}))
        self.log_dict({f"{stage}/loss/{name}": value for name, value in found.items()})


class EpochMeans(nn.Module):
    """Running means by name. A checkpoint keeps them, so that an epoch resumed in its middle has the unbroken mean."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__()
        self.names = names
        self.means = nn.ModuleList(MeanMetric() for _ in names)
        for mean in self.means:
            mean.persistent(True)  # type: ignore[operator]
        # A mean drops what is no number, weight and all: these tell a loss that diverged from one that is not there.
        self.items = nn.ModuleList(SumMetric() for _ in names)

    def update(self, values: Mapping[str, Tensor], items: int | Mapping[str, Tensor]) -> None:
        """Add a batch. `items`: of how many its values are the means, each of as many or by name."""
        for name, mean, count in zip(self.names, self.means, self.items, strict=True):
            weight = items if isinstance(items, int) else items[name]
            mean.update(values[name].detach(), weight=weight)  # type: ignore[operator]
            count.update(weight)  # type: ignore[operator]

    def compute_and_reset(self) -> dict[str, Tensor]:
        """Each mean, by name, less those of no items."""
        found: dict[str, Tensor] = {}
        for name, mean, count in zip(self.names, self.means, self.items, strict=True):
            value = mean.compute()  # type: ignore[operator]
            if count.compute() or not value.isnan():  # type: ignore[operator]
                found[name] = value
            mean.reset()  # type: ignore[operator]
            count.reset()  # type: ignore[operator]
        return found
