"""Tagged items as a table: the columns of an output, exact in Parquet, safe for spreadsheets in CSV.

A attributes, R rows.
"""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.csv

from fashionmt.inference.items import ItemTags, Tag

TOP = 3
DIGITS = 6  # of a confidence: more are noise of the batch that an item stands in
DECISIONS = {True: "accept", False: "review"}
SOURCES = {True: "given", False: "predicted"}
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What makes a spreadsheet run a cell (OWASP, "CSV Injection")."""
READ_WELL = "ok"
NO_PICTURE = "none"
"""Picture status of an item that names no picture."""

top_type = pyarrow.list_(pyarrow.struct([("label", pyarrow.string()), ("p", pyarrow.float64())]))


@dataclass(frozen=True)
class TaggedRow:
    """A row of the output."""

    row: int
    """From 0, over all input files."""
    tags: ItemTags
    kept: tuple[str, ...] = ()
    """The input's columns that go through as they are."""


def schema(attributes: Iterable[str], kept: Iterable[str]) -> Any:
    """The columns. `kept`: the input's that go through."""
    fields = [("row", pyarrow.int64()), ("id", pyarrow.string())]
    for name in attributes:
        fields += [
            (name, pyarrow.string()),
            (f"{name}_confidence", pyarrow.float64()),
            (f"{name}_top3", top_type),
            (f"{name}_source", pyarrow.string()),
            (f"{name}_decision", pyarrow.string()),
        ]
    fields += [
        ("item_confidence", pyarrow.float64()),
        ("item_decision", pyarrow.string()),
        ("review", pyarrow.bool_()),
        ("review_reasons", pyarrow.list_(pyarrow.string())),
        ("inputs", pyarrow.string()),
        ("picture_status", pyarrow.string()),
    ]
    return pyarrow.schema([*fields, *((name, pyarrow.string()) for name in kept)])


def build_table(rows: Sequence[TaggedRow], attributes: Sequence[str], kept: Sequence[str]) -> Any:
    """A pyarrow table of R rows."""
    columns: dict[str, list[Any]] = {
        "row": [row.row for row in rows],
        "id": [row.tags.id for row in rows],
    }
    for name in attributes:
        columns |= _of_attribute(name, [row.tags.tags[name] for row in rows])
    columns |= {
        "item_confidence": [_rounded(row.tags.confidence) for row in rows],
        "item_decision": [DECISIONS[row.tags.accepted] for row in rows],
        "review": [bool(row.tags.review_reasons) for row in rows],
        "review_reasons": [list(row.tags.review_reasons) for row in rows],
        "inputs": ["+".join(row.tags.inputs) for row in rows],
        "picture_status": [_picture_status(row.tags) for row in rows],
    }
    columns |= {name: [row.kept[i] for row in rows] for i, name in enumerate(kept)}
    return pyarrow.Table.from_pydict(columns, schema(attributes, kept))


def build_embeddings(rows: Sequence[TaggedRow]) -> Any:
    """A pyarrow table of R rows: row, id, and embedding or vector or both, which are numbers of four bytes each; None
    where there are no rows."""
    columns = {
        "row": pyarrow.array([row.row for row in rows], pyarrow.int64()),
        "id": pyarrow.array([row.tags.id for row in rows], pyarrow.string()),
    }
    numbers = {
        "embedding": [row.tags.embedding for row in rows if row.tags.embedding is not None],
        "vector": [row.tags.vector for row in rows if row.tags.vector is not None],
    }
    for name, each in numbers.items():
        if each:
            flat = pyarrow.array(np.concatenate(each), pyarrow.float32())
            columns[name] = pyarrow.FixedSizeListArray.from_arrays(flat, len(each[0]))
    return pyarrow.table(columns) if rows else None


def _of_attribute(name: str, tags: Sequence[Tag]) -> dict[str, list[Any]]:
    return {
        name: [tag.value for tag in tags],
        f"{name}_confidence": [_rounded(tag.confidence) for tag in tags],
        f"{name}_top3": [_top(tag) for tag in tags],
        f"{name}_source": [SOURCES[tag.given] for tag in tags],
        f"{name}_decision": [DECISIONS[tag.accepted] for tag in tags],
    }


def _top(tag: Tag) -> list[dict[str, Any]]:
    """The answer, then the most probable others; of a value that was given, nothing."""
    if tag.confidence is None:
        return []
    ranked = [(tag.value, tag.confidence), *tag.alternatives][:TOP]
    return [{"label": label, "p": _rounded(p)} for label, p in ranked]


def _rounded(confidence: float | None) -> float | None:
    return None if confidence is None else round(confidence, DIGITS)


def _picture_status(tags: ItemTags) -> str:
    if tags.picture_problem is not None:
        return tags.picture_problem.code
    return READ_WELL if "image" in tags.inputs else NO_PICTURE


# CSV


def to_csv(table: Any, header: bool = True) -> bytes:
    """The same columns flat: lists as `a=0.91;b=0.05`, texts that a spreadsheet would run behind an apostrophe."""
    flat = {field.name: _flat(table.column(field.name), field.type) for field in table.schema}
    sink = io.BytesIO()
    options = pyarrow.csv.WriteOptions(include_header=header, quoting_style="needed")
    pyarrow.csv.write_csv(pyarrow.table(flat), sink, options)
    return sink.getvalue()


def _flat(column: Any, kind: Any) -> Any:
    if kind == top_type:
        cells = (";".join(f"{each['label']}={each['p']:g}" for each in cell) for cell in column.to_pylist())
        return pyarrow.array([guarded(cell) for cell in cells], pyarrow.string())
    if pyarrow.types.is_list(kind):
        return pyarrow.array([guarded("; ".join(cell)) for cell in column.to_pylist()], pyarrow.string())
    if pyarrow.types.is_string(kind):
        return pyarrow.array([None if cell is None else guarded(cell) for cell in column.to_pylist()], pyarrow.string())
    return column


def read_csv(path: Path, attributes: Sequence[str], columns: Sequence[str]) -> Any:
    """These columns of what `to_csv` wrote, as a pyarrow table. Texts are guarded, as they stand there; lists too."""
    kinds = {field.name: _read_as(field.type) for field in schema(attributes, ())}
    return pyarrow.csv.read_csv(
        path,
        # A row that is longer than a block is refused: the file is one block.
        pyarrow.csv.ReadOptions(block_size=min(path.stat().st_size + 1, 2**31 - 1)),
        pyarrow.csv.ParseOptions(newlines_in_values=True),
        pyarrow.csv.ConvertOptions(column_types=kinds, include_columns=columns),
    )


def _read_as(kind: Any) -> Any:
    return pyarrow.string() if pyarrow.types.is_list(kind) else kind


def guarded(text: str) -> str:
    """A text that no spreadsheet runs."""
    return f"'{text}" if text.startswith(FORMULA) else text
