"""A catalogue to tag, of one file or several: its rows from any place on, as items or as what is wrong with them."""

import hashlib
import json
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fashionmt.bundle import Bundle
from fashionmt.data.tables import BadRow, Place, Table, TableRow
from fashionmt.errors import UserError
from fashionmt.inference.column_map import TaggingColumns
from fashionmt.inference.items import Item, StoredPicture
from fashionmt.inference.manifest import InputFile, PartStart
from fashionmt.inference.picture_listing import PictureListing
from fashionmt.inference.pictures import PictureSource
from fashionmt.inference.quarantine import Record
from fashionmt.problems import Code, Problem


@dataclass(frozen=True)
class ReadItem:
    """A row that could be read."""

    row: int
    """From 0, over all files."""
    item: Item
    file: str
    source: TableRow
    kept: tuple[str, ...]
    """Of the columns that go through."""
    findings: tuple[str, ...] = ()
    """What was repaired to read it."""

    def record(self, problem: Problem) -> Record:
        """What stands in the quarantine if the item cannot be tagged."""
        return Record.of(self.row, self.item.id, (self.file, self.source.line), problem, _raw(self.source))


@dataclass(frozen=True)
class Survey:
    """What a catalogue holds."""

    inputs: list[InputFile]
    rows: int
    duplicate_ids: int
    parts: list[PartStart]


class Catalogue:
    """The files of a catalogue, or a folder of pictures, as one table."""

    def __init__(self, tables: Mapping[str, Table | PictureListing]) -> None:
        """`tables` by what they are called in messages and outputs. Raises `UserError` where one has other columns than
        the first."""
        self.names, self.tables = list(tables), list(tables.values())
        first = set(self.tables[0].columns)
        for name, table in tables.items():
            if other := sorted(set(table.columns) ^ first):
                wrong = f"not the columns of {self.names[0]}: {', '.join(other)}"
                raise UserError(name, wrong, "Tag it by itself, or rename them")

    @property
    def columns(self) -> list[str]:
        """Of every file."""
        return list(self.tables[0].columns)

    def rows(self, start: PartStart | None = None) -> Iterator[tuple[PartStart, TableRow | BadRow]]:
        """Every row from `start` on, and where it begins."""
        begun = start or PartStart(0, 0, 0, 0)
        row = begun.row
        for index, table in enumerate(self.tables[begun.file :], begun.file):
            place = Place(begun.offset, begun.line) if start is not None and index == begun.file else None
            for at, found in table.scan(place):
                yield PartStart(row, index, at.offset, at.line), found
                row += 1

    def survey(self, id_column: str, part_rows: int) -> Survey:
        """Count rows and ids, and cut into parts: the whole catalogue is read once."""
        parts: list[PartStart] = []
        ids, counts = array("q"), [0] * len(self.tables)
        rows = 0
        for place, found in self.rows():
            if rows % part_rows == 0:
                parts.append(place)
            if isinstance(found, TableRow) and found.values[id_column]:
                ids.append(hash(found.values[id_column]))
            counts[place.file] += 1
            rows += 1
        digests = self.digests()
        inputs = [InputFile(name, digests[name], count) for name, count in zip(self.names, counts, strict=True)]
        repeated = len(ids) - len(np.unique(np.frombuffer(ids, dtype=np.int64))) if ids else 0
        return Survey(inputs, rows, repeated, parts or [PartStart(0, 0, 0, 0)])

    def digests(self) -> dict[str, str]:
        """File -> sha256."""
        return {
            name: table.digest() if isinstance(table, PictureListing) else _sha256(table.path)
            for name, table in zip(self.names, self.tables, strict=True)
        }


@dataclass(frozen=True)
class ItemReader:
    """Makes items of rows."""

    catalogue: Catalogue
    columns: TaggingColumns
    bundle: Bundle
    pictures: PictureSource | None
    """None: the catalogue has none."""

    def items(self, start: PartStart | None = None) -> Iterator[ReadItem | Record]:
        """From `start` on, or all: an item, or the record of a row that is none."""
        for place, row in self.catalogue.rows(start):
            name = self.catalogue.names[place.file]
            if isinstance(row, BadRow):
                yield Record.of(place.row, None, (name, row.line), row.problem, row.raw)
            elif row.values[self.columns.id] == "":
                empty = Problem(Code.ID_MISSING, "the id is empty")
                yield Record.of(place.row, "", (name, row.line), empty, _raw(row))
            else:
                yield self._item(place.row, name, row)

    def _item(self, number: int, file: str, row: TableRow) -> ReadItem:
        columns, values = self.columns, row.values
        tabular = {name: values[column].strip() for name, column in columns.tabular.items()}
        told = {name: values[column] for name, column in columns.given.items()}
        stated = {name: self.bundle.spaces[name].stated(text) for name, text in told.items()}
        given = {name: value for name, value in stated.items() if value is not None}
        item = Item(values[columns.id], self._title(row), self._picture(row), None, given, tabular)
        findings = [] if row.repair is None else [row.repair]
        findings += [f"{what}: {action}" for what, action in self.bundle.tabular.unread(tabular)]
        silent = {name: text.strip() for name, text in told.items() if stated[name] is None}
        findings += [f"{name} values that read {text!r}: taken as not given" for name, text in silent.items() if text]
        findings += self._stripped(values, given)
        return ReadItem(number, item, file, row, tuple(values[name] for name in columns.kept), tuple(findings))

    def _stripped(self, values: Mapping[str, str], given: Iterable[str]) -> list[str]:
        """What is read without the blanks around it, of the `given` attributes, other columns and the title."""
        columns = self.columns
        read = {f"{name} values": columns.given[name] for name in given}
        read |= {f"{name} values": column for name, column in columns.tabular.items()}
        if columns.title is not None:
            read["titles"] = columns.title
        blank = [what for what, column in read.items() if values[column].strip() not in ("", values[column])]
        return [f"{what} with blanks around them: stripped" for what in blank]

    def _title(self, row: TableRow) -> str | None:
        if self.columns.title is None:
            return None
        title = row.values[self.columns.title].strip()
        return None if title == "" or title in self.columns.missing_titles else title

    def _picture(self, row: TableRow) -> StoredPicture | None:
        if self.pictures is None:
            return None
        if self.columns.picture is not None:
            name = row.values[self.columns.picture]
        else:
            name = self.columns.picture_pattern.replace("{id}", row.values[self.columns.id])
        return StoredPicture(self.pictures, name) if name else None


def _raw(row: TableRow) -> bytes:
    return json.dumps(row.values, ensure_ascii=False).encode(errors="replace")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
