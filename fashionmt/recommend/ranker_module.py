"""The Lightning module of a ranker, and its batches. B histories, N items, R items of training."""

from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.optim import AdamW
from torch.utils.data import DataLoader, Dataset

from fashionmt.config import OptimConfig, RankerConfig
from fashionmt.ranking.metrics import measure
from fashionmt.recommend.evaluation import Question
from fashionmt.recommend.items import Rows
from fashionmt.recommend.losses import bce_loss, bpr_loss, draw_negatives, softmax_loss
from fashionmt.recommend.people import People, best_unseen, people_at
from fashionmt.recommend.ranker import Ranker
from fashionmt.recommend.samples import RankerBatch, RankerSamples
from fashionmt.recommend.trends import Trends, trends_at
from fashionmt.training.base_module import BaseModule
from fashionmt.training.datamodule import EpochBatchSampler, ResumableLoader
from fashionmt.training.module import EpochMeans
from fashionmt.training.ordered_batches import OrderedBatches

MONITOR = "val/ndcg"
"""The score that chooses the best weights."""


class ValidationPeople(Dataset[People]):
    """The users of a question, a batch at a time."""

    def __init__(self, question: Question) -> None:
        self.question = question

    def __len__(self) -> int:
        return len(self.question.users)

    def __getitem__(self, positions: Rows) -> People:
        """Those at `positions` (B,)."""
        question = self.question
        return people_at(question.past, question.users[positions], question.targets.time, question.length)


class RankerData(pl.LightningDataModule):
    """The samples to learn from and the people to validate on."""

    def __init__(self, samples: RankerSamples, question: Question, batch_size: int, seed: int) -> None:
        super().__init__()
        self.samples, self.people = samples, ValidationPeople(question)
        self.batch_size, self.seed = batch_size, seed

    def batches_per_epoch(self) -> int:
        """Of each process."""
        return len(self._sampler())

    def train_dataloader(self) -> ResumableLoader[RankerBatch]:
        """Shuffled by seed and epoch."""
        return ResumableLoader(self.samples, self._sampler())

    def val_dataloader(self) -> DataLoader[People]:
        """In order."""
        return DataLoader(self.people, batch_size=None, sampler=OrderedBatches(len(self.people), self.batch_size))

    def _sampler(self) -> EpochBatchSampler:
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return EpochBatchSampler(len(self.samples), self.batch_size, self.seed, rank, world)


class RankerModule(BaseModule):
    """Trains a ranker on what was taken next; validated by ranking the whole catalogue at the cut."""

    vectors: Tensor
    own_rows: Tensor
    numbers: Tensor
    there: Tensor

    def __init__(
        self,
        ranker: Ranker,
        question: Question,
        own_rows: Tensor,
        trends: Trends,
        config: RankerConfig,
        optim: OptimConfig,
        seed: int,
    ) -> None:
        """`question`: of validation. `own_rows`: int64 (R,), the items that training holds. `trends`: of training."""
        super().__init__(ranker, optim, seed)
        self.ranker, self.question, self.options = ranker, question, config
        self.at_cut = trends_at(question.past, len(question.items), question.targets.time)
        # Not of the checkpoint: they are the index's.
        self.register_buffer("vectors", question.items.vectors, persistent=False)
        self.register_buffer("own_rows", own_rows, persistent=False)
        self.register_buffer("numbers", trends.numbers, persistent=False)
        self.register_buffer("there", trends.there, persistent=False)
        self.train_means = EpochMeans(("total",))
        self._tops: list[Tensor] = []
        self._losses: list[Tensor] = []

    @property
    def model(self) -> Ranker:
        """See `BaseModule.model`."""
        return self.ranker

    def training_step(self, batch: RankerBatch, batch_idx: int) -> Tensor:
        """What the step minimises, float ()."""
        kept = None
        if self.ranker.sizes.own:
            kept = (torch.rand(len(self.own_rows), device=self.device) >= self.options.id_dropout).float()
        priors = self.ranker.priors(self.numbers)[batch.weeks]
        scores = self.ranker(self.ranker.space(self.vectors, self.own_rows, kept), batch.histories, priors)
        loss = self._loss(scores, batch.targets, batch.allowed(self.there))
        self.train_means.update({"total": loss}, len(batch))
        self.log("train/loss_step", loss, prog_bar=True)
        return loss

    def _loss(self, scores: Tensor, targets: Tensor, allowed: Tensor) -> Tensor:
        if self.options.loss == "softmax":
            return softmax_loss(scores, targets, allowed)
        negatives = draw_negatives(allowed, self.options.negatives)
        return (bpr_loss if self.options.loss == "bpr" else bce_loss)(scores, targets, negatives)

    def on_train_epoch_end(self) -> None:
        """Log the loss, averaged over the epoch."""
        self.log("train/loss", self.train_means.compute_and_reset()["total"])

    def validation_step(self, people: People, batch_idx: int) -> None:
        """Rank the whole catalogue, and see what the first target costs."""
        priors = self.ranker.priors(self.at_cut.to(self.device))
        scores = self.ranker(self.ranker.space(self.vectors, self.own_rows), people.histories, priors).float()
        self._tops.append(best_unseen(scores.cpu(), people, self.question.k))
        allowed = torch.ones_like(scores, dtype=torch.bool)
        allowed[people.seen.user, people.seen.item] = False
        first = len(self._losses) and sum(len(each) for each in self._tops[:-1])
        targets = self.question.first_targets()[first : first + len(people)].to(scores.device)
        self._losses.append(softmax_loss(scores, targets, allowed))

    def on_validation_epoch_end(self) -> None:
        """Log the loss and NDCG@k."""
        ndcg = measure(torch.cat(self._tops), self.question.relevant(), self.question.k)[f"NDCG@{self.question.k}"]
        sizes = torch.tensor([float(len(each)) for each in self._tops], device=self.device)
        self.log("val/loss", (torch.stack(self._losses) * sizes).sum() / sizes.sum())
        self.log(MONITOR, ndcg.nanmean().float())
        self._tops, self._losses = [], []

    def build_optimizer(self) -> AdamW:
        """AdamW; what is an item's own decays more, vectors of the rest not at all."""
        own = [self.ranker.own, self.ranker.own_bias]
        rest = [each for name, each in self.ranker.named_parameters() if not name.startswith("own")]
        groups: list[dict[str, Any]] = [
            {"params": [each for each in rest if each.ndim > 1], "weight_decay": self.config.weight_decay},
            {"params": [each for each in rest if each.ndim <= 1], "weight_decay": 0.0},
            {"params": own, "weight_decay": self.options.id_decay},
        ]
        return AdamW([each | {"lr": self.config.learning_rate} for each in groups if each["params"]], fused=True)
