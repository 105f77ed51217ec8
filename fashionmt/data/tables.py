"""Rows of a CSV, TSV or Parquet file as texts, streamed.

The csv module rather than pandas: `pandas.read_csv(on_bad_lines=...)` cuts the surplus off when the first data row is
the ragged one, and an unclosed quote empties the whole frame without an error (pandas 3.1, measured).
"""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from fashionmt.errors import UserError

TEXT_SUFFIXES = {".csv": ",", ".tsv": "\t"}
MAX_FIELD = 1_000_000  # characters; the csv module's own limit of 131,072 refuses honest descriptions


@dataclass(frozen=True)
class TableRow:
    """One row: its values by column name, and what had to be done to read it."""

    line: int
    """Where the row ends in a text file (1-based); in a Parquet file the row's number (1-based)."""
    values: dict[str, str]
    repair: str | None = None
    """What was repaired, or None."""


class Table:
    """A table file whose header has been read. Rows are streamed by `rows()`, so size does not matter."""

    def __init__(self, path: Path, free_text: str | None = None) -> None:
        """Open `path`; `free_text` names the column that an unquoted delimiter may have split.

        Raises `UserError` where there is no such file, an unknown suffix, or no header.
        """
        self.path = path
        self.free_text = free_text
        if not path.is_file():
            raise UserError(str(path), "no such catalogue", "Check the path")
        self.columns = self._parquet_columns() if self._is_parquet else self._text_columns()

    @property
    def _is_parquet(self) -> bool:
        return self.path.suffix.lower() == ".parquet"

    def require(self, column: str, purpose: str, option: str) -> None:
        """Raise a `UserError` that names the columns found where `column` is not one of them."""
        if column not in self.columns:
            found = ", ".join(self.columns)
            raise UserError(
                str(self.path), f"no column {column!r} ({purpose}); found: {found}", f"Set {option}=<column>"
            )

    def rows(self) -> Iterator[TableRow]:
        """Every row, as texts; a null of a Parquet file is the empty text."""
        return self._parquet_rows() if self._is_parquet else self._text_rows()

    # Text files

    def _open(self) -> TextIO:  # closed by whoever reads it
        plain = self.path.name.lower().removesuffix(".gz")
        if Path(plain).suffix not in TEXT_SUFFIXES:
            raise UserError(str(self.path), "not a catalogue format", "Use .csv, .tsv, .csv.gz, .tsv.gz or .parquet")
        raw: Any = gzip.open(self.path) if self.path.suffix.lower() == ".gz" else self.path.open("rb")  # noqa: SIM115
        return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")

    @property
    def _delimiter(self) -> str:
        return TEXT_SUFFIXES[Path(self.path.name.lower().removesuffix(".gz")).suffix]

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """(last line, fields) of every record that is not blank; a quote that never closes is an error."""
        csv.field_size_limit(MAX_FIELD)
        with self._open() as file:
            raw: list[str] = []
            reader = csv.reader(_recorded(file, raw), delimiter=self._delimiter)
            try:
                for fields in reader:
                    if _is_open(raw, self._delimiter):
                        first = reader.line_num - len(raw) + 1
                        raise UserError(f"{self.path} line {first}", "a quote is opened and never closed", "Close it")
                    raw.clear()
                    if fields:
                        yield reader.line_num, fields
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{self.path} after line {reader.line_num}",
                    f"not UTF-8 ({error.reason})",
                    "Save it as UTF-8",
                ) from error
            except csv.Error as error:
                line = reader.line_num - len(raw) + 1  # where the record starts
                raise UserError(f"{self.path} from line {line}", str(error), "Repair it, or close its quote") from error
            except (gzip.BadGzipFile, zlib.error, EOFError) as error:
                raise UserError(f"{self.path} after line {reader.line_num}", str(error), "Repair the file") from error

    def _text_columns(self) -> list[str]:
        header = next(self._records(), None)
        if header is None:
            raise UserError(str(self.path), "the catalogue is empty", "Give it a header and rows")
        return self._named_once(header[1])

    def _named_once(self, columns: list[str]) -> list[str]:
        twice = sorted({name for name in columns if columns.count(name) > 1})
        if twice:
            raise UserError(str(self.path), f"columns named twice: {', '.join(twice)}", "Rename them")
        return columns

    def _text_rows(self) -> Iterator[TableRow]:
        records = self._records()
        next(records)
        for line, fields in records:
            fields, repair = self._fit(fields, line)
            yield TableRow(line, dict(zip(self.columns, fields, strict=True)), repair)

    def _fit(self, fields: list[str], line: int) -> tuple[list[str], str | None]:
        """As many fields as columns: surplus ones are rejoined into the free text, absent ones are empty."""
        surplus = len(fields) - len(self.columns)
        if surplus == 0:
            return fields, None
        if surplus < 0:
            return fields + [""] * -surplus, "rows with too few fields, the absent ones read as empty"
        if self.free_text is None:
            raise UserError(
                f"{self.path} line {line}",
                f"{len(fields)} fields for {len(self.columns)} columns",
                "Quote the text that holds the delimiter",
            )
        at = self.columns.index(self.free_text)
        joined = self._delimiter.join(fields[at : at + surplus + 1])
        fitted = [*fields[:at], joined, *fields[at + surplus + 1 :]]
        return fitted, "rows with an unquoted delimiter, rejoined into the title"

    # Parquet files

    def _parquet_columns(self) -> list[str]:
        import pyarrow
        import pyarrow.parquet

        try:
            schema = pyarrow.parquet.read_schema(self.path)
        except (pyarrow.ArrowInvalid, OSError) as error:
            raise UserError(str(self.path), f"not a readable Parquet file ({error})", "Write it again") from error
        types = pyarrow.types
        binary = (types.is_binary, types.is_large_binary, types.is_binary_view, types.is_fixed_size_binary)
        no_text = (types.is_nested, *binary)
        return self._named_once([f.name for f in schema if not any(check(f.type) for check in no_text)])

    def _parquet_rows(self) -> Iterator[TableRow]:
        import pyarrow
        import pyarrow.parquet

        number = 0
        with pyarrow.parquet.ParquetFile(self.path) as file:
            batches = file.iter_batches(batch_size=4096, columns=self.columns)
            while (texts := self._parquet_texts(batches, number)) is not None:
                for row in zip(*texts, strict=True):
                    number += 1
                    yield TableRow(number, dict(zip(self.columns, row, strict=True)))

    def _parquet_texts(self, batches: Iterator[Any], number: int) -> list[list[str]] | None:
        """The next batch's columns as texts, or None after the last; `number` rows came before."""
        import pyarrow

        try:
            if (batch := next(batches, None)) is None:
                return None
            return [batch.column(name).cast(pyarrow.string()).fill_null("").to_pylist() for name in self.columns]
        except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
            where = f"{self.path} after row {number}"
            raise UserError(where, f"not a readable Parquet file ({error})", "Write it again") from error


def _is_open(raw: list[str], delimiter: str) -> bool:
    """Whether a quote in a record's lines never closes, or closes only in a later row, in the middle of its text."""
    if not any('"' in line for line in raw):
        return False
    try:
        list(csv.reader(raw, delimiter=delimiter, strict=True))
    except csv.Error as error:
        return len(raw) > 1 or "unexpected end of data" in str(error)
    return False


def _recorded(file: TextIO, raw: list[str]) -> Iterator[str]:
    """The lines of `file`; each is also put in `raw`, which the reader of a record clears."""
    for line in file:
        if "\0" in line:
            raise csv.Error("a NUL byte in the text")
        raw.append(line)
        yield line
