"""The items that are recommended: ids, vectors, attributes, and which of them are the same product."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd
from torch import Tensor

from fashionmt.item_index import BundleMark, ItemIndex

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Items:
    """A catalogue's N items in the order of their ids: a tie that goes to the lower row goes to the lower id."""

    ids: Sequence[str]
    """Each of them once."""
    vectors: Tensor
    """float32 (N, D), of length 1, or 0 where nothing is known."""
    attributes: pd.DataFrame
    """N rows of texts, a column an attribute; the empty text where it is not known."""
    products: Rows
    """(N,): the same number for items that are one product in several listings."""
    bundle: BundleMark
    """Which model made the vectors."""

    @classmethod
    def of(cls, index: ItemIndex) -> "Items":
        """Those of an index: its attributes, and the catalogue's columns that were kept."""
        columns = {name: f"kept.{name}" for name in index.kept} | {name: name for name in index.description.attributes}
        table = {
            name: ["" if value is None else str(value) for value in index.column(at)] for name, at in columns.items()
        }
        attributes = pd.DataFrame(table, index=range(len(index)), dtype=str)
        return cls(index.ids, index.vectors, attributes, index.products, index.description.bundle)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def rows(self) -> dict[str, int]:
        """Id -> row."""
        return {item: row for row, item in enumerate(self.ids)}

    @cached_property
    def product_members(self) -> tuple[Rows, Rows]:
        """(rows by product, where each product's begin; one more at the end)."""
        order = np.argsort(self.products, kind="stable")
        counts = np.bincount(self.products, minlength=1)
        return order.astype(np.int64), np.concatenate([[0], counts.cumsum()])

    def with_duplicates(self, groups: Rows, rows: Rows) -> tuple[Rows, Rows]:
        """`rows` (P,) of `groups` (P,), and for each the rows of the same product too."""
        members, starts = self.product_members
        products = self.products[rows]
        counts = starts[products + 1] - starts[products]
        begins = np.repeat(starts[products] - (counts.cumsum() - counts), counts)
        return np.repeat(groups, counts), members[begins + np.arange(counts.sum())]

    def codes(self, name: str) -> tuple[Rows, list[str]]:
        """((N,) the index of an attribute's value, -1 where it is not known; the values)."""
        known = self.attributes[name].where(self.attributes[name] != "")
        codes, values = pd.factorize(known, sort=True)
        return codes.astype(np.int64), [str(value) for value in values]
