"""What a table is read as: rows, rows that cannot be read, and where each begins."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fashionmt.errors import UserError
from fashionmt.problems import Code, Problem

MAX_FIELD = 1_000_000  # characters; the csv module's own limit of 131,072 refuses honest descriptions
MAX_RAW = 500  # bytes
REPAIRS = {
    Code.ROW_BROKEN_QUOTE: "Close it",
    Code.ROW_RAGGED: "Quote the text that holds the delimiter",
    Code.ROW_NOT_UTF8: "Save it as UTF-8",
    Code.ROW_NUL_BYTE: "Take it out, or save the file as UTF-8",
    Code.ROW_TOO_LONG: "Shorten it",
    Code.ROW_NOT_JSON: "Write one object a line, of texts, numbers, true, false and null",
}


class Place(NamedTuple):
    """Where a row begins: what a scan can be taken up from."""

    offset: int
    """In bytes of the text, decompressed; in a Parquet file the number of rows before."""
    line: int
    """1-based; in a Parquet file the row's number."""


class TableRow(NamedTuple):
    """One row: its values by column name, and what had to be done to read it."""

    line: int
    """Where the row ends in a text file (1-based); in a Parquet file the row's number (1-based)."""
    values: dict[str, str]
    repair: str | None = None
    """What was repaired, or None."""


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be read."""

    line: int
    """Where it begins (1-based); in a Parquet file the row's number."""
    problem: Problem
    raw: bytes
    """What stands there, its first 500 bytes."""

    @classmethod
    def of(cls, line: int, problem: Problem, content: bytes) -> "BadRow":
        """The row that `content` is, of any length."""
        return cls(line, problem, content[:MAX_RAW])

    def refused(self, path: Path) -> UserError:
        """The error where every row of `path` has to be read."""
        return UserError(f"{path} line {self.line}", self.problem.message, REPAIRS[self.problem.code])


Scanned = tuple[Place, TableRow | BadRow]
