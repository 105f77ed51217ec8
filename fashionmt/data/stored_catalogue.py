"""A catalogue to train on: its items with their labels, in columns that lie on the disk."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import pyarrow

from fashionmt.config import DataConfig
from fashionmt.data.catalogue import CatalogueFiles, CatalogueReader, CatalogueRow, ColumnMap
from fashionmt.data.findings import Findings
from fashionmt.data.mapped_texts import MappedTexts, chosen_rows, mapped_table
from fashionmt.data.tables import TableRow

ID, TITLE, PICTURE, PROBLEM, TIME = "id", "title", "picture", "problem", "time"
LABEL, TABULAR = "label ", "tabular "


class StoredCatalogue:
    """Every item of a catalogue, in its order, on the disk (`fashionmt.data.mapped_texts`)."""

    def __init__(self, table: pyarrow.Table) -> None:
        """`table`: of `_schema`."""
        self._table = table
        self.ids = MappedTexts[str](table[ID])
        self.titles = MappedTexts[str | None](table[TITLE])
        self.times = MappedTexts[str | None](table[TIME])
        self.pictures = _Paths(table[PICTURE])
        self.tabular = {name: MappedTexts[str](table[column]) for name, column in _named(table, TABULAR)}

    @classmethod
    def written(cls, rows: Iterable[CatalogueRow], config: DataConfig, folder: Path) -> "StoredCatalogue":
        """Write the items to `folder`."""
        return cls(mapped_table(map(_record, rows), _schema(config), folder))

    def __len__(self) -> int:
        return len(self._table)

    def has_title(self) -> npt.NDArray[np.bool_]:
        """Which items have one, (items,)."""
        return np.asarray(self._table[TITLE].is_valid())

    def labels(self) -> dict[str, list[str | None]]:
        """Attribute -> each item's label. One text a class, and not one an item."""
        columns = {name: MappedTexts[str | None](self._table[column]) for name, column in _named(self._table, LABEL)}
        return {
            name: [None if text is None else sys.intern(text) for text in column] for name, column in columns.items()
        }

    def rows(self) -> Iterator[CatalogueRow]:
        """The items, one after another."""
        labels, tabular = _named(self._table, LABEL), _named(self._table, TABULAR)
        for batch in self._table.to_batches():
            for row in batch.to_pylist():
                yield CatalogueRow(
                    row[ID],
                    row[TITLE],
                    _path(row[PICTURE]),
                    row[PROBLEM],
                    {name: row[column] for name, column in labels},
                    row[TIME],
                    {name: row[column] for name, column in tabular},
                )

    def take(self, rows: npt.NDArray[np.int64], folder: Path) -> "StoredCatalogue":
        """The items `rows`, which ascend, written to `folder`."""
        return self if len(rows) == len(self) else StoredCatalogue(chosen_rows(self._table, rows, folder))


def _schema(config: DataConfig) -> pyarrow.Schema:
    names = [ID, TITLE, PROBLEM, TIME]
    names += [f"{LABEL}{name}" for name in config.attributes] + [f"{TABULAR}{name}" for name in config.tabular]
    # A path may hold bytes that are no text.
    return pyarrow.schema([(PICTURE, pyarrow.large_binary()), *((name, pyarrow.large_string()) for name in names)])


def _record(row: CatalogueRow) -> dict[str, str | bytes | None]:
    picture = None if row.picture is None else os.fsencode(row.picture)
    own = {ID: row.id, TITLE: row.title, PICTURE: picture, PROBLEM: row.picture_problem, TIME: row.time}
    labels = {f"{LABEL}{name}": label for name, label in row.labels.items()}
    return own | labels | {f"{TABULAR}{name}": text for name, text in row.tabular.items()}


def _named(table: pyarrow.Table, kind: str) -> list[tuple[str, str]]:
    """(name, column) of those of a kind."""
    return [(column.removeprefix(kind), column) for column in table.column_names if column.startswith(kind)]


def _path(written: bytes | None) -> Path | None:
    return None if written is None else Path(os.fsdecode(written))


class _Paths(Sequence[Path | None]):
    """A column of paths."""

    def __init__(self, column: pyarrow.ChunkedArray) -> None:
        self._written = MappedTexts[bytes | None](column)

    def __len__(self) -> int:
        return len(self._written)

    @overload
    def __getitem__(self, row: int) -> Path | None: ...
    @overload
    def __getitem__(self, row: slice) -> list[Path | None]: ...
    def __getitem__(self, row: int | slice) -> Any:
        return [_path(one) for one in self._written[row]] if isinstance(row, slice) else _path(self._written[row])

    def __iter__(self) -> Iterator[Path | None]:
        return map(_path, self._written)


def open_catalogue(files: CatalogueFiles, config: DataConfig) -> CatalogueReader:
    """A catalogue that has every column which the config names. Raises `UserError`."""
    reader = CatalogueReader(files.catalogue, files.images, ColumnMap.of(config))
    for name in config.attributes:
        reader.table.require(config.column_of(name), f"attribute {name}", f"data.attributes.{name}.column")
    for name, column in config.tabular_columns().items():
        reader.table.require(column, f"what the model reads as {name}", f"data.tabular.{name}.column")
    if config.columns.time is not None:
        reader.table.require(config.columns.time, "the time", "data.columns.time")
    return reader


def read_catalogue(files: CatalogueFiles, config: DataConfig, folder: Path) -> tuple[StoredCatalogue, Findings]:
    """Every item of a catalogue with its labels, on the disk in `folder`, and what was found. Raises `UserError`."""
    reader = open_catalogue(files, config)
    rows = (_labelled(row, item, config, reader.findings) for row, item in reader.rows())
    return StoredCatalogue.written(rows, config, folder), reader.findings


def _labelled(row: TableRow, item: CatalogueRow, config: DataConfig, findings: Findings) -> CatalogueRow:
    labels: dict[str, str | None] = {}
    for name, attribute in config.attributes.items():
        written = row.values[config.column_of(name)]
        text = written.strip()
        labels[name] = None if {text, written} & set(attribute.missing) else text
        if labels[name] is None:
            findings.add(f"{name} labels that read {text!r}", "kept, masked in the loss", item.id)
        elif text != written:
            findings.add(f"{name} labels with blanks around them", "stripped", item.id)
    return replace(item, labels=labels, time=_time(row, item, config, findings))


def _time(row: TableRow, item: CatalogueRow, config: DataConfig, findings: Findings) -> str | None:
    columns = config.columns
    if columns.time is None:
        return None
    time = row.values[columns.time].strip()
    if time and time not in columns.missing_times:
        return time
    if config.split.kind == "time":
        findings.add(f"times that read {time!r}", "kept, older than all others in the split", item.id)
    return None
