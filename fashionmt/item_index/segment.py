"""Items of an index, in memory and in the two files of a segment.

R rows, vectors of E numbers.
"""

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.parquet
import safetensors
import safetensors.numpy

from fashionmt.item_index.description import Description, Segment, checked_bytes, damaged, segment_files
from fashionmt.storage import publish

VECTORS = "vectors"
KEPT = "kept."
"""Before the name of a column of the catalogue that was kept."""
UNIT = 1e-3
"""A vector's length may differ so much from 1."""


@dataclass(frozen=True, eq=False)
class Items:
    """What an index knows of items."""

    vectors: npt.NDArray[np.float32]
    """(R, E), of length 1; an item of which the model says nothing is 0."""
    table: Any
    """A pyarrow table of R rows, as `schema` has it."""

    def __post_init__(self) -> None:
        lengths = np.linalg.norm(self.vectors, axis=1)
        if self.vectors.dtype != np.float32 or len(self.vectors) != len(self.table):
            raise ValueError(f"{self.vectors.dtype} {self.vectors.shape} for {len(self.table)} items")
        if not (np.isfinite(lengths) & ((np.abs(lengths - 1) < UNIT) | (lengths == 0))).all():
            raise ValueError("not every vector is of length 1")

    def take(self, rows: Sequence[int] | npt.NDArray[np.int64]) -> "Items":
        """Some of them, in that order."""
        chosen = np.asarray(rows, dtype=np.int64)
        return Items(self.vectors[chosen], self.table.take(pyarrow.array(chosen)))


def schema(attributes: Sequence[str], kept: Sequence[str]) -> Any:
    """The columns of what is known of an item. `kept`: columns of the catalogue that came through."""
    fields = [(name, pyarrow.string()) for name in ("id", "title", "picture", "picture_sha256")]
    for name in attributes:
        fields += [(name, pyarrow.string()), (f"{name}_confidence", pyarrow.float64())]
    return pyarrow.schema([*fields, *((f"{KEPT}{name}", pyarrow.string()) for name in kept)])


def write_segment(folder: Path, number: int, items: Items, source: str, images: str | None) -> Segment:
    """Put both files on the disk. Raises `ResourceError`."""
    name = f"segment-{number:05}"
    vectors, table = segment_files(name)
    sink = io.BytesIO()
    pyarrow.parquet.write_table(items.table, sink, write_page_checksum=True)
    contents = {
        vectors: safetensors.numpy.save({VECTORS: np.ascontiguousarray(items.vectors)}),
        table: sink.getvalue(),
    }
    for file, content in contents.items():
        publish(folder / file, content)
    digests = {file: hashlib.sha256(content).hexdigest() for file, content in contents.items()}
    return Segment(name, len(items.table), source, images, digests)


def read_segment(folder: Path, description: Description, segment: Segment) -> Items:
    """Raises `UserError` where a file is missing, was changed, or holds what no segment does."""
    vectors, table = segment_files(segment.name)
    try:
        stored = safetensors.numpy.load(checked_bytes(folder, vectors, segment.sha256[vectors]))
        rows = pyarrow.parquet.read_table(pyarrow.BufferReader(checked_bytes(folder, table, segment.sha256[table])))
        items = Items(stored[VECTORS], rows)
        kept = [name.removeprefix(KEPT) for name in rows.column_names if name.startswith(KEPT)]
        if not rows.schema.equals(schema(description.attributes, kept)):
            raise ValueError(f"{table} has other columns")
        if items.vectors.shape != (segment.rows, description.size):
            raise ValueError(f"{items.vectors.shape} vectors, not {(segment.rows, description.size)}")
    except (KeyError, ValueError, pyarrow.ArrowException, safetensors.SafetensorError) as error:
        raise damaged(folder, f"{segment.name} is no segment of it ({error!r:.100})") from error
    return items
