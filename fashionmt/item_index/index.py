"""An index in memory: its items in the order of their ids.

N items, vectors of E numbers.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow
import torch
from torch import Tensor

from fashionmt.errors import UserError
from fashionmt.item_index.approximate import ApproximateSearch, Held, read_approximate
from fashionmt.item_index.description import BundleMark, Description, read_description
from fashionmt.item_index.ids import id_key, near_ids
from fashionmt.item_index.segment import KEPT, read_segment

SAMPLE = 10_000
"""Items that tell what is usual."""
Column = npt.NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class ItemIndex:
    """What `load_index` gives."""

    folder: Path
    description: Description
    vectors: Tensor
    """float32 (N, E), rows of length 1."""
    table: Any
    """The pyarrow table of what is known of them, N rows."""
    segment_of: npt.NDArray[np.int64]
    """(N,), the segment that an item lies in."""
    order: npt.NDArray[np.int64]
    """(N,), its row, counted through all segments."""

    def __len__(self) -> int:
        return len(self.vectors)

    @cached_property
    def ids(self) -> list[str]:
        """In order: numbers by value, then other texts. No id is there twice."""
        found: list[str] = self.table.column("id").to_pylist()
        return found

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {item: row for row, item in enumerate(self.ids)}

    def __contains__(self, item: str) -> bool:
        return item in self._rows

    def row(self, item: str) -> int:
        """Raises `UserError` for an id that is not there."""
        if (found := self._rows.get(item)) is None:
            near = ", ".join(near_ids(item, self.ids))
            wrong = f"no item of this id among the {len(self)} of {self.folder}"
            raise UserError(f"id {item}", wrong, f"Near ones are {near}" if near else "Check the id")
        return found

    def values(self, row: int) -> dict[str, str]:
        """Attribute -> value of an item."""
        return {name: self.column(name)[row] for name in self.description.attributes}

    @cached_property
    def kept(self) -> list[str]:
        """The catalogue's columns that came through."""
        return [name.removeprefix(KEPT) for name in self.table.column_names if name.startswith(KEPT)]

    @cached_property
    def _columns(self) -> dict[str, Column]:
        return {}

    def column(self, name: str) -> Column:
        """Texts, or numbers, of all items, (N,); None where there is nothing."""
        if name not in self._columns:
            self._columns[name] = np.array(self.table.column(name).to_pylist(), dtype=object)
        return self._columns[name]

    @cached_property
    def products(self) -> npt.NDArray[np.int64]:
        """The product of each item, (N,): items of one title, or of the same picture, are one product, as the families
        of a split are."""
        # Imported here: it brings pandas, scipy and scikit-learn, which tagging loads no second for.
        from fashionmt.data.splits import families

        names = families(self.ids, self.column("title").tolist(), self.column("picture_sha256").tolist())
        return np.unique(names, return_inverse=True)[1].astype(np.int64)

    @property
    def held(self) -> Held:
        """What approximate search is made of."""
        return Held(self.folder, self.description, self.vectors, self.order)

    @cached_property
    def approximate(self) -> ApproximateSearch | None:
        """None where search is exact."""
        return read_approximate(self.held)

    @cached_property
    def usual(self) -> tuple[Tensor, Tensor]:
        """Mean, float64 (E,), and covariance, (E, E), of the vectors: of all, or of `SAMPLE` evenly through them."""
        some = self.vectors[:: max(1, len(self) // SAMPLE)].double()
        mean = some.mean(0)
        return mean, (some - mean).T @ (some - mean) / max(1, len(some))


def load_index(folder: str | Path, bundle: BundleMark | None = None) -> ItemIndex:
    """Read an index. `bundle`: it has to be this one's. Raises `UserError` where it is not, or not whole."""
    folder = Path(folder)
    description = read_description(folder)
    if bundle is not None:
        check_bundle(folder, description, bundle)
    segments = [read_segment(folder, description, segment) for segment in description.segments]
    ids = [item for segment in segments for item in segment.table.column("id").to_pylist()]
    last = {item: position for position, item in enumerate(ids)}  # of an id that was replaced, the newest
    order = np.array([last[item] for item in sorted(last, key=id_key)], dtype=np.int64)
    parts = [segment.vectors for segment in segments] or [np.zeros((0, description.size), dtype=np.float32)]
    vectors = np.concatenate(parts)[order]
    table = pyarrow.concat_tables([segment.table for segment in segments], promote_options="default").take(order)
    number = np.repeat(np.arange(len(segments)), [len(segment.table) for segment in segments])[order]
    return ItemIndex(folder, description, torch.from_numpy(vectors), table.combine_chunks(), number, order)


def check_bundle(folder: Path, description: Description, bundle: BundleMark) -> None:
    """Raises `UserError` where the index is another bundle's."""
    if description.bundle.digest != bundle.digest:
        wrong = f"holds vectors of the bundle {description.bundle}, and this is {bundle}"
        raise UserError(
            f"index={folder}", wrong, f"Set bundle={description.bundle.name}, or make an index with this one"
        )
