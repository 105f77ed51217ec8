"""The items that could not be tagged: one record each, in a file beside the part that they would stand in."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fashionmt.problems import Code, Problem

LONGEST = 500
"""Characters of a message, bytes of a raw text."""


@dataclass(frozen=True)
class Record:
    """An item that could not be tagged."""

    row: int
    """From 0, over all input files."""
    id: str | None
    """None where the row could not be read."""
    file: str
    line: int
    code: Code
    message: str
    raw: str
    """The beginning of the row; in base64 where it is no text."""
    raw_base64: bool = False

    @classmethod
    def of(cls, row: int, item_id: str | None, place: tuple[str, int], problem: Problem, raw: bytes) -> "Record":
        """`place`: file and line."""
        text, encoded = _as_text(raw[:LONGEST])
        return cls(row, item_id, *place, problem.code, _one_line(problem.message)[:LONGEST], text, encoded)

    def to_json(self) -> dict[str, Any]:
        """A line of the file: with the stage, and whether trying again may help."""
        return {**asdict(self), "stage": self.code.stage, "retryable": self.code.retryable}


def encode_records(records: Sequence[Record]) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(record.to_json(), ensure_ascii=False).encode() + b"\n" for record in records)


def read_records(file: Path) -> Iterator[dict[str, Any]]:
    """What `encode_records` wrote."""
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _as_text(raw: bytes) -> tuple[str, bool]:
    """A text cut in the middle of a character is still a text."""
    try:
        return raw.decode(), False
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and len(raw) == LONGEST:
            return raw[: error.start].decode(), False
        return base64.b64encode(raw).decode(), True


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)
