"""Batches for the trainer: shuffled alike for one seed and epoch, and resumable in mid-epoch."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset, Sampler

from fashionmt.batch import Batch
from fashionmt.config import TitleVariationConfig
from fashionmt.data.prepare import PreparedData
from fashionmt.training.ordered_batches import evaluation_loader

Positions = npt.NDArray[np.int64]
B = TypeVar("B")


class EpochBatchSampler(Sampler[Positions]):
    """Batches of positions 0..count-1, reshuffled each epoch as a pure function of seed and epoch.

    Every position occurs once an epoch: batches differ by one in size rather than leave a remainder, which would be
    lost or, alone in a batch, break batch normalisation.
    """

    def __init__(self, count: int, batch_size: int, seed: int, rank: int = 0, world: int = 1) -> None:
        """`rank` of `world` processes takes every world-th position; all have the same number of batches."""
        self.count, self.seed, self.rank, self.world = count, seed, rank, world
        self.batches = max(1, min(round(count / world / batch_size), count // world // 2))  # none of one item
        self.epoch = 0
        self.first_batch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls it before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.batches

    def __iter__(self) -> Iterator[Positions]:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.count)
        mine = order[self.rank :: self.world]
        first, self.first_batch = self.first_batch, 0
        yield from np.array_split(mine, self.batches)[first:]


def one_ahead(batches: Iterator[B]) -> Iterator[B]:
    """The same, the next one made by a thread while the last is at work."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, batches, None)
            yield batch


class ResumableLoader(DataLoader[B]):
    """A loader whose sampler starts where a checkpoint stopped. Lightning asks for the state and gives it back."""

    sampler: EpochBatchSampler

    def __init__(self, dataset: Dataset[B], sampler: EpochBatchSampler) -> None:
        """`dataset[positions]` is a batch."""
        super().__init__(dataset, batch_size=None, sampler=sampler)
        self.given = 0

    def __iter__(self) -> Any:
        """Count what is given out, from the batch where the sampler starts."""
        self.given = self.sampler.first_batch
        for batch in one_ahead(super().__iter__()):
            self.given += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Where a run that resumes goes on."""
        return {"epoch": self.sampler.epoch, "given": self.given}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """The inverse of `state_dict`; an epoch that was given out whole is followed by the next."""
        whole = state["given"] >= len(self.sampler)
        self.sampler.set_epoch(state["epoch"] + whole)
        self.sampler.first_batch = 0 if whole else state["given"]


class CatalogueDataModule(pl.LightningDataModule):
    """The training and validation batches of a prepared catalogue. Batches are gathered from arrays: no workers."""

    def __init__(
        self,
        data: PreparedData,
        batch_size: int,
        seed: int,
        titles: TitleVariationConfig | None = None,
        struck: bool = False,
    ) -> None:
        """`titles`: how training titles are varied; None: not at all. `struck`: whether they are given with label words
        struck too."""
        super().__init__()
        self.data, self.batch_size, self.seed = data, batch_size, seed
        self.titles, self.struck = titles or TitleVariationConfig(), struck

    def batches_per_epoch(self) -> int:
        """Of each process."""
        return len(self._sampler())

    def train_dataloader(self) -> ResumableLoader[Batch]:
        """Shuffled by seed and epoch."""
        return ResumableLoader(self.data.training_dataset(self.titles, self.struck), self._sampler())

    def _sampler(self) -> EpochBatchSampler:
        rank, world = (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)
        return EpochBatchSampler(len(self.data.dataset("train")), self.batch_size, self.seed, rank, world)

    def val_dataloader(self) -> DataLoader[Batch]:
        """In order. Twice the training batch: nothing is kept for a backward."""
        return evaluation_loader(self.data.dataset("validation"), 2 * self.batch_size)
