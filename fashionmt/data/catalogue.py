"""A catalogue as its owner wrote it: ids, titles, picture files, labels, and what had to be repaired to read them."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from fashionmt.config import DataConfig
from fashionmt.data.contained import find_contained
from fashionmt.data.findings import Findings
from fashionmt.data.sample import sample_catalogue
from fashionmt.data.tables import Table, TableRow
from fashionmt.errors import UserError
from fashionmt.paths import cache_dir


@dataclass(frozen=True)
class ColumnMap:
    """Which column holds what, and how a picture's file is found. The bundle keeps it for tagging."""

    id: str
    title: str | None
    picture: str | None
    picture_pattern: str
    missing_titles: tuple[str, ...]
    tabular: dict[str, str] = field(default_factory=dict)
    """What else the model reads -> its column."""

    @classmethod
    def of(cls, config: DataConfig) -> "ColumnMap":
        """The map that a data config declares."""
        columns = config.columns
        return cls(
            columns.id,
            columns.title,
            columns.picture,
            config.picture_pattern,
            tuple(config.missing_titles),
            config.tabular_columns(),
        )


@dataclass(frozen=True, slots=True)
class CatalogueRow:
    """One item, before its picture is opened."""

    id: str
    title: str | None
    picture: Path | None
    """A file below the picture folder that was not yet looked at; None where no file is named."""
    picture_problem: str | None = None
    """Why `picture` is None although the item names one."""
    labels: dict[str, str | None] = field(default_factory=dict)
    time: str | None = None
    tabular: dict[str, str] = field(default_factory=dict)
    """The texts of the other columns that the model reads."""


class PictureFolder:
    """Finds an item's picture, and never outside the folder, whatever the id holds."""

    def __init__(self, root: Path | None, columns: ColumnMap) -> None:
        """`root` None: the catalogue has no pictures. Raises `UserError` where `root` is not a folder."""
        if root is not None and not root.is_dir():
            raise UserError(str(root), "no such picture folder", "Check data.images=<folder>")
        self.root = None if root is None else root.resolve()
        self.columns = columns

    def find(self, row: TableRow) -> tuple[Path | None, str | None]:
        """(file, None), or (None, why the named file is refused), or (None, None) where no file is named."""
        name = self._name(row)
        if self.root is None or not name:
            return None, None
        found = find_contained(self.root, name)
        return (found, None) if isinstance(found, Path) else (None, found.message)

    def _name(self, row: TableRow) -> str:
        if self.columns.picture is not None:
            return row.values[self.columns.picture]
        return self.columns.picture_pattern.replace("{id}", row.values[self.columns.id])


class CatalogueReader:
    """Streams the items of a catalogue; what it repairs or refuses is in `findings`."""

    def __init__(self, catalogue: Path, images: Path | None, columns: ColumnMap, options: str = "data.columns") -> None:
        """Open the table and check its columns. Raises `UserError`, which names the repair below `options`."""
        self.table = Table(catalogue, free_text=columns.title)
        self.table.require(columns.id, "the id", f"{options}.id")
        for name, purpose in ((columns.title, "title"), (columns.picture, "picture")):
            if name is not None:
                self.table.require(name, f"the {purpose}", f"{options}.{purpose}")
        self.columns = columns
        self.folder = PictureFolder(images, columns)
        self.findings = Findings()

    def rows(self) -> Iterator[tuple[TableRow, CatalogueRow]]:
        """Each row of the table and the item in it. A duplicate or empty id is a `UserError` that names it."""
        seen: dict[str, int] = {}
        for row in self.table.rows():
            item_id = row.values[self.columns.id]
            where = f"{self.table.path} line {row.line}"
            if item_id == "":
                raise UserError(where, "the id is empty", "Give every item an id of its own")
            if item_id in seen:
                wrong = f"id {item_id!r} stands already at line {seen[item_id]}"
                raise UserError(where, wrong, "Give every item an id of its own")
            seen[item_id] = row.line
            yield row, self._item(item_id, row)
        if not seen:
            raise UserError(str(self.table.path), "the catalogue is empty", "Give it rows")

    def _item(self, item_id: str, row: TableRow) -> CatalogueRow:
        if row.repair:
            self.findings.add(row.repair, "repaired", item_id)
        picture, problem = self.folder.find(row)
        if problem:
            self.findings.add(f"items whose id or column {problem}", "kept without the picture", item_id)
        columns = self.columns.tabular
        tabular = {name: self._stripped(f"{name} values", column, item_id, row) for name, column in columns.items()}
        return CatalogueRow(item_id, self._title(item_id, row), picture, problem, tabular=tabular)

    def _title(self, item_id: str, row: TableRow) -> str | None:
        if self.columns.title is None:
            return None
        title = row.values[self.columns.title].strip()
        if title == "" or title in self.columns.missing_titles:
            self.findings.add(f"titles that read {title!r}", "kept without a title", item_id)
            return None
        return self._stripped("titles", self.columns.title, item_id, row)

    def _stripped(self, what: str, column: str, item_id: str, row: TableRow) -> str:
        written = row.values[column]
        text = written.strip()
        if text and text != written:
            self.findings.add(f"{what} with blanks around them", "stripped", item_id)
        return text


@dataclass(frozen=True)
class CatalogueFiles:
    """Where a catalogue lies."""

    catalogue: Path
    images: Path | None

    @classmethod
    def locate(cls, config: DataConfig) -> "CatalogueFiles":
        """The files a data config names; the sample catalogue is drawn first if it is not there yet."""
        if config.kind == "sample":
            drawn = sample_catalogue(cache_dir())
            return cls(drawn.catalogue, drawn.images)
        if config.catalogue is None:
            raise UserError("data.catalogue", "not set", "Set data.catalogue=<file.csv or file.parquet>")
        catalogue = Path(config.catalogue)
        if not catalogue.is_file():
            repair = "FASHIONMT_DATA=<folder>" if config.name == "fashion_products" else "data.catalogue=<file>"
            raise UserError(str(catalogue), "no such catalogue", f"Set {repair}")
        return cls(catalogue, None if config.images is None else Path(config.images))
