"""CSV and TSV: every record is a row, or says what is wrong with it and takes no neighbour along.

The csv module rather than pandas: `pandas.read_csv(on_bad_lines=...)` cuts the surplus off when the first data row is
the ragged one, and an unclosed quote empties the whole frame without an error (pandas 3.1, measured).
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fashionmt.data.tables.lines import (
    Lookahead,
    beginning,
    decoded,
    decoded_anyhow,
    is_blank,
    physical_lines,
    too_long,
)
from fashionmt.data.tables.quotes import BrokenQuoteError, Quotes
from fashionmt.data.tables.row import MAX_FIELD, BadRow, Place, Scanned, TableRow
from fashionmt.errors import UserError
from fashionmt.problems import Code, Problem

TOO_FEW = "rows with too few fields, the absent ones read as empty"
REJOINED = "rows with an unquoted delimiter, rejoined into the title"


@dataclass(frozen=True)
class _Record:
    """The fields of a record, or what is wrong with it."""

    fields: list[str] | Problem
    content: bytes
    lines: int


class DelimitedFile:
    """A CSV or TSV file whose header has been read."""

    def __init__(self, path: Path, delimiter: str, free_text: str | None) -> None:
        """`free_text` names the column that an unquoted delimiter may have split. Raises `UserError`."""
        self.path = path
        self.delimiter = delimiter
        self._quotes = Quotes(delimiter)
        self.columns, self._first = self._header()
        self._free_text = self.columns.index(free_text) if free_text in self.columns else None

    def scan(self, start: Place | None = None) -> Iterator[Scanned]:
        """Every row from `start` on, with its place."""
        csv.field_size_limit(MAX_FIELD)
        lines = Lookahead(physical_lines(self.path, start or self._first))
        for offset, number, line in lines:
            if is_blank(line):
                continue
            fields = self._plain_fields(line)
            if fields is not None:
                yield Place(offset, number), self._fit(fields, number, line)
            else:
                yield Place(offset, number), self._row(number, self._record(line, lines, len(self.columns)))

    def _header(self) -> tuple[list[str], Place]:
        """The columns, and where the rows begin."""
        csv.field_size_limit(MAX_FIELD)
        lines = Lookahead(physical_lines(self.path, beginning(self.path)))
        for offset, number, line in lines:
            if is_blank(line):
                continue
            header = self._record(line, lines, None)
            if isinstance(header.fields, Problem):
                raise BadRow.of(number, header.fields, header.content).refused(self.path)
            return header.fields, Place(offset + len(header.content), number + header.lines)
        raise UserError(str(self.path), "the catalogue is empty", "Give it a header and rows")

    def _plain_fields(self, line: bytes) -> list[str] | None:
        """The fields of a line that is a sound record by itself, or None where it needs a closer look."""
        if b"\0" in line or len(line) > MAX_FIELD:
            return None
        try:
            text = line.decode()
        except UnicodeDecodeError:
            return None
        if '"' not in text:
            return text.rstrip("\r\n").split(self.delimiter)  # what the csv module finds, sooner
        fields, is_open = self._quotes.fields(text)
        return None if is_open else fields

    def _record(self, line: bytes, lines: Lookahead, width: int | None) -> _Record:
        """The record that begins with `line`, and with it those of `lines` that belong to it."""
        own, broken = [line], None
        try:
            own += self._rest(line, lines, width)
        except BrokenQuoteError as error:
            broken = Problem(Code.ROW_BROKEN_QUOTE, str(error))
        content = b"".join(own)
        text = decoded(content)
        if isinstance(text, Problem):  # the worse one: a broken quote may come of it
            return _Record(text, content, len(own))
        return _Record(broken or self._quotes.fields(text)[0], content, len(own))

    def _rest(self, line: bytes, lines: Lookahead, width: int | None) -> list[bytes]:
        if too_long(line):
            return []
        text = decoded_anyhow(line)
        _, is_open = self._quotes.fields(text)
        return lines.take(self._quotes.reach(text, lines.following(), width)) if is_open else []

    def _row(self, number: int, record: _Record) -> TableRow | BadRow:
        if isinstance(record.fields, Problem):
            return BadRow.of(number, record.fields, record.content)
        return self._fit(record.fields, number + record.lines - 1, record.content)

    def _fit(self, fields: list[str], line: int, content: bytes) -> TableRow | BadRow:
        """As many fields as columns: surplus ones are rejoined into the free text, absent ones are empty."""
        surplus = len(fields) - len(self.columns)
        repair = None
        if surplus < 0:
            fields, repair = fields + [""] * -surplus, TOO_FEW
        elif surplus > 0:
            if self._free_text is None:
                wrong = f"{len(fields)} fields for {len(self.columns)} columns"
                return BadRow.of(line, Problem(Code.ROW_RAGGED, wrong), content)
            fields, repair = self._rejoined(fields, self._free_text, surplus), REJOINED
        return TableRow(line, dict(zip(self.columns, fields, strict=True)), repair)

    def _rejoined(self, fields: list[str], at: int, surplus: int) -> list[str]:
        end = at + surplus + 1
        return [*fields[:at], self.delimiter.join(fields[at:end]), *fields[end:]]
