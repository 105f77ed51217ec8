"""JSON Lines: one object a line, of texts, numbers, true, false and null. A number is the text that it is written as.

The columns are the keys of the first `KEY_LINES` lines: a key that comes up later is passed over, and its rows say so;
one that is absent is empty.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fashionmt.data.tables.lines import beginning, decoded, physical_lines
from fashionmt.data.tables.row import BadRow, Place, Scanned, TableRow
from fashionmt.errors import UserError
from fashionmt.problems import Code, Problem

KEY_LINES = 5000
LATE_KEYS = f"rows with a key that none of the first {KEY_LINES:,} lines has, read without it"
LITERALS = {None: "", True: "true", False: "false"}


class JsonLinesFile:
    """A JSON Lines file whose columns are known."""

    def __init__(self, path: Path) -> None:
        """Raises `UserError` where no line holds an object."""
        self.path = path
        self._first = beginning(path)
        self.columns = self._keys()
        self._known = frozenset(self.columns)

    def scan(self, start: Place | None = None) -> Iterator[Scanned]:
        """Every row from `start` on, with its place."""
        for offset, number, line in physical_lines(self.path, start or self._first):
            if line.isspace():
                continue
            texts = _texts(line)
            if isinstance(texts, Problem):
                yield Place(offset, number), BadRow.of(number, texts, line)
            else:
                yield Place(offset, number), self._row(number, texts)

    def _row(self, number: int, texts: dict[str, str]) -> TableRow:
        repair = None if texts.keys() <= self._known else LATE_KEYS
        return TableRow(number, {name: texts.get(name, "") for name in self.columns}, repair)

    def _keys(self) -> list[str]:
        """In the order in which they come up; of a file that begins with many bad lines, those of the first object."""
        keys: dict[str, None] | None = None
        bad = None
        for _, number, line in physical_lines(self.path, self._first):
            if keys is not None and number > KEY_LINES:
                break
            if line.isspace():
                continue
            texts = _texts(line)
            if isinstance(texts, Problem):
                bad = bad or BadRow.of(number, texts, line)
            else:
                keys = (keys or {}) | dict.fromkeys(texts)
        if keys is None:
            error = UserError(str(self.path), "the catalogue is empty", "Give it rows, one JSON object a line")
            raise bad.refused(self.path) if bad else error
        return list(keys)


def _texts(line: bytes) -> dict[str, str] | Problem:
    """The texts of a line's object by their keys, or why there are none."""
    text = decoded(line)
    if isinstance(text, Problem):
        return text
    try:
        found = DECODER.decode(text)
        if not isinstance(found, dict):
            return Problem(Code.ROW_NOT_JSON, "no JSON object")
        texts = {key: value if isinstance(value, str) else _literal(value) for key, value in found.items()}
        if "\\u" in text:
            "".join([*texts, *texts.values()]).encode()
    except UnicodeEncodeError:
        return Problem(Code.ROW_NOT_UTF8, "half a character, an escaped surrogate without the other")
    except json.JSONDecodeError as error:
        return Problem(Code.ROW_NOT_JSON, f"no JSON object ({error.msg} at character {error.colno})")
    except (ValueError, RecursionError) as error:
        return Problem(Code.ROW_NOT_JSON, f"no flat JSON object ({error})")
    return texts


def _literal(value: Any) -> str:
    """The text of what is no text. Raises ValueError for what is no value."""
    if isinstance(value, list | dict):
        raise ValueError("a list or an object within it")
    return LITERALS[value]


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object. Raises ValueError for a key that stands there twice: which value is meant?"""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key that stands there twice")
    return found


DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_int=str, parse_float=str, parse_constant=str)
