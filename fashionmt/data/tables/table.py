"""A table file of any format, streamed: strictly, as training wants it, or row by row whatever a row holds."""

from collections.abc import Iterator
from pathlib import Path

from fashionmt.data.tables.delimited import DelimitedFile
from fashionmt.data.tables.json_lines import JsonLinesFile
from fashionmt.data.tables.parquet import ParquetFile
from fashionmt.data.tables.row import BadRow, Place, Scanned, TableRow
from fashionmt.errors import UserError, nearest

DELIMITERS = {".csv": ",", ".tsv": "\t", ".inter": "\t"}
JSON_LINES = (".jsonl", ".ndjson")


class Table:
    """A table file whose header has been read. Rows are streamed, so size does not matter."""

    def __init__(self, path: Path, free_text: str | None = None) -> None:
        """Open `path`; `free_text` names the column that an unquoted delimiter may have split.

        Raises `UserError` where there is no such file, an unknown suffix, or no header.
        """
        self.path = path
        self.free_text = free_text
        if not path.is_file():
            raise UserError(str(path), "no such catalogue", "Check the path")
        self._file = _opened(path, free_text)
        self.columns = self._file.columns
        twice = sorted({name for name in self.columns if self.columns.count(name) > 1})
        if twice:
            raise UserError(str(path), f"columns named twice: {', '.join(twice)}", "Rename them")

    def require(self, column: str, purpose: str, option: str) -> None:
        """Raise a `UserError` that names the columns found where `column` is not one of them."""
        if column not in self.columns:
            found = ", ".join(self.columns)
            raise UserError(
                str(self.path),
                f"no column {column!r} ({purpose}); found: {found}",
                f"{nearest(column, self.columns)}Set {option}=<column>",
            )

    def rows(self) -> Iterator[TableRow]:
        """Every row, as texts; a null is the empty text. Raises `UserError` at the first that cannot be read."""
        for _, row in self.scan():
            if isinstance(row, BadRow):
                raise row.refused(self.path)
            yield row

    def scan(self, start: Place | None = None) -> Iterator[Scanned]:
        """Every row with its place, the bad ones too; from `start` on, a place that a scan of this file has named.

        Raises `UserError` only for what is wrong with the file as a whole.
        """
        return self._file.scan(start)


def _opened(path: Path, free_text: str | None) -> DelimitedFile | JsonLinesFile | ParquetFile:
    if path.suffix.lower() == ".parquet":
        return ParquetFile(path)
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix in JSON_LINES:
        return JsonLinesFile(path)
    if suffix in DELIMITERS:
        return DelimitedFile(path, DELIMITERS[suffix], free_text)
    raise UserError(str(path), "not a catalogue format", "Use .csv, .tsv or .jsonl, each also as .gz, or .parquet")
