"""Batches in order, for evaluation: without a trainer."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from torch.utils.data import DataLoader, Sampler

from fashionmt.batch import Batch
from fashionmt.data import CatalogueDataset

Positions = npt.NDArray[np.int64]


class OrderedBatches(Sampler[Positions]):
    """Positions in order, for evaluation."""

    def __init__(self, count: int, batch_size: int) -> None:
        self.count, self.batch_size = count, batch_size

    def __len__(self) -> int:
        return -(-self.count // self.batch_size)

    def __iter__(self) -> Iterator[Positions]:
        for start in range(0, self.count, self.batch_size):
            yield np.arange(start, min(start + self.batch_size, self.count))


def evaluation_loader(dataset: CatalogueDataset, batch_size: int) -> DataLoader[Batch]:
    """Every item of `dataset` once, in order."""
    return DataLoader(dataset, batch_size=None, sampler=OrderedBatches(len(dataset), batch_size))
