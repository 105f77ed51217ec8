"""Tables that Hypothesis draws: sound rows, lines that are not, and the files that hold them."""

import gzip
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from fashionmt.data.tables import BadRow, Scanned, Table

# The same examples every time, as a test must not fail by chance; each may write over the last one's files in tmp_path.
settings.register_profile(
    "same", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.load_profile("same")

COLUMNS = ("id", "title", "colour")
TEXTS = st.text(
    st.sampled_from(list("ab1 ,\t\"\n\r'é😀\u2028\x0b\\")) | st.characters(codec="utf-8", exclude_characters="\0")
)


def delimited(rows: Iterable[Sequence[str]], delimiter: str, end: str = "\n") -> bytes:
    """The rows as CSV; the csv module itself leaves some line ends unquoted."""
    return "".join(delimiter.join(_quoted(text, delimiter) for text in row) + end for row in rows).encode()


def _quoted(text: str, delimiter: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"' if {*text} & {delimiter, '"', "\r", "\n"} else text


def look_like_rows(record: bytes, delimiter: str, width: int) -> bool:
    """Whether each of several lines has `width` fields if a quote is a mere character."""
    lines = record.splitlines()
    return len(lines) > 1 and all(line.count(delimiter.encode()) + 1 == width for line in lines)


def write(folder: Path, name: str, content: bytes) -> Path:
    """The file, compressed if its name says so."""
    path = folder / name
    path.write_bytes(gzip.compress(content, 1) if name.endswith(".gz") else content)
    return path


def write_rows(folder: Path, name: str, rows: Sequence[Sequence[str]]) -> Path:
    """Rows of `COLUMNS` in a file of any format."""
    if name.endswith(".parquet"):
        columns = {column: [row[i] for row in rows] for i, column in enumerate(COLUMNS)}
        pq.write_table(pa.table(columns, pa.schema([(column, pa.string()) for column in COLUMNS])), folder / name)
        return folder / name
    if ".jsonl" in name:
        lines = [json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) + "\n" for row in rows]
        return write(folder, name, "".join(lines).encode())
    return write(folder, name, delimited([COLUMNS, *rows], "\t" if ".tsv" in name else ","))


def scanned(path: Path, free_text: str | None = None) -> list[Scanned]:
    """All rows with their places."""
    return list(Table(path, free_text).scan())


def told(row: object) -> object:
    """A bad row's line and code, a good one's texts."""
    return (row.line, row.problem.code.value) if isinstance(row, BadRow) else list(row.values.values())
