"""The physical lines of a text file, plain or compressed: bytes, each with its place, none held that is too long."""

import codecs
import gzip
import io
import zlib
from collections import deque
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from fashionmt.data.tables.row import MAX_FIELD, Place
from fashionmt.errors import UserError
from fashionmt.problems import Code, Problem

CHUNK = 1 << 18  # bytes read at a time
MAX_BYTES = 4 * MAX_FIELD + 2  # of a line: no character of UTF-8 has more than four; "\r\n"
OTHER_ENCODINGS = {  # UTF-32 first: its mark begins with that of UTF-16
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}

Line = tuple[int, int, bytes]
"""Its offset, its number, and the line with its end; of one that is too long only the beginning."""


def beginning(path: Path) -> Place:
    """Where the text begins, after a byte order mark. Raises `UserError` where the mark is not that of UTF-8."""
    _, _, line = next(physical_lines(path, Place(0, 1)), (0, 1, b""))
    for mark, encoding in OTHER_ENCODINGS.items():
        if line.startswith(mark):
            raise UserError(str(path), f"written in {encoding}, not UTF-8", "Save it as UTF-8")
    return Place(len(codecs.BOM_UTF8) if line.startswith(codecs.BOM_UTF8) else 0, 1)


def physical_lines(path: Path, start: Place) -> Iterator[Line]:
    r"""The lines from `start` on; \n, \r\n and \r end one. Raises `UserError` where a gzip stream is damaged."""
    offset, number = start
    sound = 0  # the last line read
    with _opened(path) as file:
        try:
            file.seek(offset)
            for lost, lines in _blocks(file):
                for line in lines:
                    sound = number
                    yield offset, number, line
                    offset += len(line) + lost
                    number, lost = number + 1, 0
        except (gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise UserError(f"{path} after line {sound}", str(error), "Repair the file") from error


def _opened(path: Path) -> io.BufferedIOBase:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")


def _blocks(file: io.BufferedIOBase) -> Iterator[tuple[int, list[bytes]]]:
    """Whole lines, many at a time, and how many bytes at the end of the first were not held."""
    held, lost = bytearray(), 0
    while chunk := file.read1(CHUNK):  # what comes before the damage of a gzip stream is still read
        if held and not held.endswith(b"\r") and b"\n" not in chunk and b"\r" not in chunk:
            held += chunk
            lost += max(0, len(held) - MAX_BYTES - 1)
            del held[MAX_BYTES + 1 :]
            continue
        lines = (bytes(held) + chunk).splitlines(keepends=True)
        held = bytearray() if lines[-1].endswith(b"\n") else bytearray(lines.pop())  # "\r" may be half of "\r\n"
        if lines:
            yield lost, lines
            lost = 0
    if held:
        yield lost, [bytes(held)]


class Lookahead:
    """Lines one after the other, of which the next ones can be looked at before their turn."""

    def __init__(self, lines: Iterator[Line]) -> None:
        """`lines` are read no further than they are looked at."""
        self._lines = lines
        self._ahead: deque[Line] = deque()

    def __iter__(self) -> Iterator[Line]:
        for line in self._lines:
            yield line
            while self._ahead:
                yield self._ahead.popleft()

    def following(self) -> Iterator[bytes]:
        """What comes next; its turn is still to come."""
        for i in count():
            if i == len(self._ahead):
                if (line := next(self._lines, None)) is None:
                    return
                self._ahead.append(line)
            yield self._ahead[i][2]

    def take(self, count: int) -> list[bytes]:
        """The next ones, which were looked at: their turn is over."""
        return [self._ahead.popleft()[2] for _ in range(count)]


def is_blank(line: bytes) -> bool:
    """Whether nothing but a line's end is there."""
    return line[0] in b"\r\n"


def too_long(line: bytes) -> bool:
    """Whether a line has more than a million characters."""
    if len(line) <= MAX_FIELD:
        return False
    return len(line) > MAX_BYTES or len(decoded_anyhow(line).rstrip("\r\n")) > MAX_FIELD


def decoded(content: bytes) -> str | Problem:
    """A record's text, or why it has none."""
    if too_long(content):
        return Problem(Code.ROW_TOO_LONG, f"more than {MAX_FIELD:,} characters")
    if b"\0" in content:
        return Problem(Code.ROW_NUL_BYTE, "a NUL byte in the text")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        return Problem(Code.ROW_NOT_UTF8, f"not UTF-8 ({error.reason})")


def decoded_anyhow(content: bytes) -> str:
    """A text where it is no UTF-8 too: enough to see how far a record reaches."""
    return content.decode(errors="surrogateescape")
