"""Contrastive training of two towers: the loss, and its Lightning module.

Radford et al. 2021 (arXiv:2103.00020). B items, N validation items, S the size of the space.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy

from fashionmt.batch import Batch
from fashionmt.config import OptimConfig, PictureVariationConfig
from fashionmt.data import CatalogueDataset
from fashionmt.data.vary_pictures import vary_pictures
from fashionmt.model import TwoTowers
from fashionmt.training.base_module import BaseModule
from fashionmt.training.module import EpochMeans
from fashionmt.training.ordered_batches import evaluation_loader

MONITOR = "val/recall_at_10"
"""The score that chooses the best weights. Of a thousand pairs, recall at 1 finds too few to tell epochs apart."""
RANKS = (1, 10)
ROWS = 512
"""Pictures that are ranked at once, to bound the memory."""


def contrastive_loss(image: Tensor, text: Tensor, groups: Tensor, scale: Tensor) -> Tensor:
    """Symmetric InfoNCE, float (): each picture among the titles, and each title among the pictures.

    Items of one group, those with the same title, are no negatives of each other: they are left out of each other's
    softmax.

    Args:
        image, text: unit vectors, float (B, S); row i of both is one item.
        groups: int64 (B,), the same number for the same title.
        scale: float (), what cosines are multiplied by.
    """
    # Under bfloat16 cosines would have two digits.
    with torch.autocast(image.device.type, enabled=False):
        logits = scale.float() * image.float() @ text.float().T
        own = torch.arange(len(logits), device=logits.device)
        others = (groups[:, None] == groups) & (own[:, None] != own)
        logits = logits.masked_fill(others, -torch.inf)
        loss: Tensor = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
    return loss


def title_groups(token_ids: Tensor, token_mask: Tensor) -> Tensor:
    """int64 (B, T), bool (B, T) -> int64 (B,): the same number for titles that read the same."""
    groups: Tensor = torch.unique(token_ids.masked_fill(~token_mask, -1), dim=0, return_inverse=True)[1]
    return groups


def retrieval_recall(image: Tensor, text: Tensor, groups: Tensor, rank: int) -> float:
    """The share of pictures whose own title is among the `rank` nearest of the distinct titles.

    Args:
        image, text: unit vectors, float (N, S); row i of both is one item.
        groups: int64 (N,), as `title_groups` gives them; at least two distinct.
    """
    count = int(groups.max()) + 1
    titles = text.new_zeros(count, text.shape[1])
    titles[groups] = text  # those of one group are all the same
    metric = MulticlassAccuracy(count, top_k=min(rank, count), average="micro", validate_args=False).to(image.device)
    for start in range(0, len(image), ROWS):
        metric.update(image[start : start + ROWS] @ titles.T, groups[start : start + ROWS])
    return float(metric.compute())


def recalls(image: Tensor, text: Tensor, groups: Tensor) -> dict[str, float]:
    """`recall_at_1` and `recall_at_10`, picture to title."""
    return {f"recall_at_{rank}": retrieval_recall(image, text, groups, rank) for rank in RANKS}


class PairVectors:
    """The vectors of many pairs, batch by batch, and which of them have the same title."""

    def __init__(self) -> None:
        self._parts: list[tuple[Tensor, Tensor, Tensor]] = []

    def add(self, batch: Batch, image: Tensor, text: Tensor) -> None:
        """`image`, `text`: what two towers make of `batch`."""
        self._parts.append((image, text, batch.token_ids.masked_fill(~batch.token_mask, -1)))

    def joined(self) -> tuple[Tensor, Tensor, Tensor]:
        """float (N, S) twice, int64 (N,): pictures, titles, and the groups of `title_groups`."""
        image, text, tokens = zip(*self._parts, strict=True)
        longest = max(part.shape[1] for part in tokens)
        ids = torch.cat([F.pad(part, (0, longest - part.shape[1]), value=-1) for part in tokens])
        return torch.cat(image), torch.cat(text), title_groups(ids, ids >= 0)


@torch.inference_mode()
def score_towers(towers: TwoTowers, dataset: CatalogueDataset, device: torch.device, batch_size: int) -> dict[str, Any]:
    """Recall over all pairs of `dataset`, in float32; how many pairs and distinct titles these are."""
    towers = towers.to(device).eval()
    vectors = PairVectors()
    for batch in evaluation_loader(dataset, batch_size):
        there = batch.to(device)
        vectors.add(there, *towers(there))
    image, text, groups = vectors.joined()
    return {**recalls(image, text, groups), "pairs": len(image), "titles": int(groups.max()) + 1}


class ContrastModule(BaseModule):
    """Trains two towers to find each other; validated by retrieval among all validation pairs."""

    def __init__(
        self, towers: TwoTowers, config: OptimConfig, seed: int, variation: PictureVariationConfig | None = None
    ) -> None:
        """`variation`: how training pictures are varied; None: as the config's defaults say."""
        super().__init__(towers, config, seed)
        self.towers = towers
        self.variation = variation or PictureVariationConfig()
        self.train_means = EpochMeans(("total",))
        self._validated = PairVectors()

    @property
    def model(self) -> TwoTowers:
        """See `BaseModule.model`."""
        return self.towers

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """What the step minimises, float ()."""
        batch.pixels = vary_pictures(batch.pixels, self.variation)
        image, text = self.towers(batch)
        loss = contrastive_loss(image, text, title_groups(batch.token_ids, batch.token_mask), self.towers.scale)
        self.train_means.update({"total": loss}, len(batch))
        self.log_dict({"train/loss_step": loss, "train/scale": self.towers.scale}, prog_bar=True)
        return loss

    def after_step(self) -> None:
        """Keep the scale where training is stable."""
        self.towers.clamp_scale()

    def on_train_epoch_end(self) -> None:
        """Log the loss, averaged over the epoch."""
        self.log("train/loss", self.train_means.compute_and_reset()["total"])

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keep the vectors: a picture is looked for among all titles, not among those of its batch."""
        self._validated.add(batch, *self.towers(batch))

    def on_validation_epoch_end(self) -> None:
        """Log the loss, in batches of the training's size and of one order, and recall at 1 and 10."""
        pairs = self._validated.joined()
        self._validated = PairVectors()
        self.log("val/loss", self._validation_loss(*pairs))
        self.log_dict({f"val/{name}": value for name, value in recalls(*pairs).items()})

    def _validation_loss(self, image: Tensor, text: Tensor, groups: Tensor) -> Tensor:
        order = torch.from_numpy(np.random.default_rng(self.seed).permutation(len(image))).to(image.device)
        batches = order.tensor_split(max(1, round(len(order) / self.config.batch_size)))
        scale = self.towers.scale
        losses = [contrastive_loss(image[rows], text[rows], groups[rows], scale) for rows in batches]
        return torch.stack(losses).mean()
