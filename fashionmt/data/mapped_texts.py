"""Columns of texts that lie on the disk as an Arrow table, so that a catalogue may be larger than memory."""

import mmap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import numpy as np
import numpy.typing as npt
import pyarrow

from fashionmt.data.mapped import unseen_file

Text = TypeVar("Text", str, str | None, bytes | None)
BLOCK = 8192
"""Rows at a time."""
NAME = "text"


class MappedTexts(Sequence[Text], Generic[Text]):
    """A column of a table of `mapped_table`; None where a text is missing."""

    def __init__(self, column: pyarrow.ChunkedArray) -> None:
        self._column = column

    @classmethod
    def written(cls, texts: Iterable[Text], folder: Path) -> "MappedTexts[Text]":
        """Write `texts` to `folder`."""
        schema = pyarrow.schema([(NAME, pyarrow.large_string())])
        return cls(mapped_table(({NAME: text} for text in texts), schema, folder)[NAME])

    def __len__(self) -> int:
        return len(self._column)

    @overload
    def __getitem__(self, row: int) -> Text: ...
    @overload
    def __getitem__(self, row: slice) -> list[Text]: ...
    def __getitem__(self, row: int | slice) -> Any:
        return self._column[row].to_pylist() if isinstance(row, slice) else self._column[int(row)].as_py()

    def __iter__(self) -> Iterator[Text]:
        """A block at a time: faster than one by one, and never all of them in memory."""
        for chunk in self._column.iterchunks():
            yield from chunk.to_pylist()


def mapped_table(rows: Iterable[Mapping[str, Any]], schema: pyarrow.Schema, folder: Path) -> pyarrow.Table:
    """The rows as a table, mapped from a file in `folder` that nobody else sees and that is gone with the process."""
    left = iter(rows)
    blocks = iter(lambda: list(islice(left, BLOCK)), [])
    return _mapped((pyarrow.RecordBatch.from_pylist(block, schema) for block in blocks), schema, folder)


def chosen_rows(table: pyarrow.Table, rows: npt.NDArray[np.int64], folder: Path) -> pyarrow.Table:
    """The rows `rows` of a table, which ascend, as `mapped_table` has it."""
    return _mapped(_chosen(table, rows), table.schema, folder)


def _chosen(table: pyarrow.Table, rows: npt.NDArray[np.int64]) -> Iterator[pyarrow.RecordBatch]:
    first = 0
    for batch in table.to_batches():
        low, high = np.searchsorted(rows, [first, first + len(batch)])
        if low < high:
            yield batch.take(pyarrow.array(rows[low:high] - first))
        first += len(batch)


def _mapped(batches: Iterable[pyarrow.RecordBatch], schema: pyarrow.Schema, folder: Path) -> pyarrow.Table:
    with unseen_file(folder) as file:
        with pyarrow.ipc.new_file(file, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        file.flush()
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return pyarrow.ipc.open_file(pyarrow.py_buffer(content)).read_all()
