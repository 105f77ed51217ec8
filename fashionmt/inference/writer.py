"""Tags go to a CSV or Parquet file, batch by batch; the file appears under its name when it is whole."""

import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow
import pyarrow.csv
import pyarrow.parquet

from fashionmt.errors import UserError
from fashionmt.inference.items import ItemTags

FORMATS = {
    ".csv": partial(pyarrow.csv.CSVWriter, write_options=pyarrow.csv.WriteOptions(quoting_style="needed")),
    ".parquet": pyarrow.parquet.ParquetWriter,
}
CHUNK = 1024  # rows
DECISIONS = {True: "accept", False: "review"}


class TagWriter:
    """Writes `id`, each attribute with its confidence and decision, the decision on the item as a whole, the inputs
    read, and what was wrong with the picture."""

    def __init__(self, path: Path, attributes: Iterable[str], overwrite: bool) -> None:
        """Raises `UserError` for an unknown suffix, or where the file is there and may not be overwritten."""
        if path.suffix.lower() not in FORMATS:
            raise UserError(f"output={path}", "not a format of tags", f"Use {' or '.join(FORMATS)}")
        if path.exists() and not overwrite:
            raise UserError(f"output={path}", "is there already", "Choose another, or set overwrite=true")
        self.path = path
        self.attributes = list(attributes)
        self._unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        self._rows: list[dict[str, Any]] = []

    @property
    def schema(self) -> Any:
        """The columns: texts, and confidences in [0, 1]."""
        fields = [("id", pyarrow.string())]
        for name in self.attributes:
            fields += [
                (name, pyarrow.string()),
                (f"{name}_confidence", pyarrow.float64()),
                (f"{name}_decision", pyarrow.string()),
            ]
        fields += [(name, pyarrow.string()) for name in ("decision", "inputs", "picture_problem")]
        return pyarrow.schema(fields)

    def __enter__(self) -> Self:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            # A Python file: its errors carry their errno (no space left), Arrow's own do not.
            self._file = self._unfinished.open("wb")
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            raise UserError(f"output={self.path}", str(error.strerror), "Choose another place") from error
        try:
            self._writer = FORMATS[self.path.suffix.lower()](self._file, self.schema)
        except BaseException:  # the header is written here, and a disk may be full already
            self._discard()
            raise
        return self

    def write(self, tags: ItemTags) -> None:
        """Add a tagged item."""
        row: dict[str, Any] = {"id": tags.id}
        for name in self.attributes:
            tag = tags.tags[name]
            row[name] = tag.value
            row[f"{name}_confidence"] = round(tag.confidence, 4)
            row[f"{name}_decision"] = DECISIONS[tag.accepted]
        row["decision"] = DECISIONS[tags.accepted]
        row |= {"inputs": "+".join(tags.inputs), "picture_problem": tags.image_problem or ""}
        self._rows.append(row)
        if len(self._rows) >= CHUNK:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            self._writer.write_table(pyarrow.Table.from_pylist(self._rows, self.schema))
            self._rows.clear()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._flush()
                self._writer.close()
                self._file.flush()
                os.fsync(self._file.fileno())
                self._unfinished.replace(self.path)
        finally:
            self._discard()

    def _discard(self) -> None:
        """Close the unfinished file and remove it, unless it has its name by now."""
        try:
            self._file.close()  # may write, and fail, once more
        finally:
            self._unfinished.unlink(missing_ok=True)
