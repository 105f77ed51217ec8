"""What a query asks for: the items that share its labels. What it may not find: its own product.

N items, each of them a query and in the gallery.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor

from fashionmt.attributes import MISSING
from fashionmt.ranking.metrics import Relevant


@dataclass(frozen=True)
class Judged:
    """Test items and what counts as like them."""

    labels: Mapping[str, npt.NDArray[np.int64]]
    """Attribute -> (N,). Two items are alike where they agree in all of these; one that lacks a label is like none."""
    families: npt.NDArray[np.str_]
    """(N,): items of one family show the same product, and none of them is looked for or found."""

    def __len__(self) -> int:
        return len(self.families)

    @cached_property
    def same_product(self) -> list[Tensor]:
        """For each item the rows of its family, int64, its own among them."""
        return _members(pd.factorize(self.families)[0])

    @cached_property
    def relevant(self) -> Relevant:
        """For each item the rows that are like it and of another product."""
        columns = np.stack(list(self.labels.values()), axis=1)
        kinds = np.unique(columns, axis=0, return_inverse=True)[1].reshape(-1)
        labelled, families = (columns != MISSING).all(axis=1), pd.factorize(self.families)[0]
        alike = [
            rows[families[rows.numpy()] != families[row]].tolist() if labelled[row] else []
            for row, rows in enumerate(_members(kinds))
        ]
        return Relevant.from_lists(alike)


def _members(groups: npt.NDArray[np.int64]) -> list[Tensor]:
    """(N,) -> for each item the rows of its group, ascending."""
    order = np.argsort(groups, kind="stable")
    found = np.split(order, np.bincount(groups).cumsum()[:-1])
    tensors = [torch.from_numpy(rows) for rows in found]
    return [tensors[group] for group in groups]
