"""Parquet: columns as texts, rows numbered over all row groups, and damage named by its row."""

import datetime
import decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawn_tables import scanned, told

from fashionmt.data.tables import BadRow, Place, Table
from fashionmt.errors import UserError


def read_parquet(folder: Path, table: pa.Table) -> list[dict[str, str]]:
    path = folder / "items.parquet"
    pq.write_table(table, path)
    return [row.values for row in Table(path).rows()]


def test_parquet_values_are_texts_and_nulls_are_empty(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array([7, 2**53 + 1]),
            "title": pa.array(["a,b\n", None]),
            "year": pa.array([None, 2012], pa.int16()),
            "sold": pa.array([True, None]),
            "none": pa.nulls(2),
            "kind": pa.array(["Shirt", None]).dictionary_encode(),
            "large": pa.array([None, "x"], pa.large_string()),
        }
    )
    empty = {"none": ""}
    assert read_parquet(tmp_path, table) == [
        {"id": "7", "title": "a,b\n", "year": "", "sold": "true", "kind": "Shirt", "large": ""} | empty,
        {"id": str(2**53 + 1), "title": "", "year": "2012", "sold": "", "kind": "", "large": "x"} | empty,
    ]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([[1], []]),
        pa.array([{"bytes": b"\xff", "path": "a"}, None]),
        pa.array([b"\xff", b"a"]),
        pa.array([b"\xff", b"a"], pa.large_binary()),
        pa.array([b"\xff", b"a"], pa.binary_view()),
        pa.array([b"\xff", b"a"], pa.binary(1)),
        pa.array([b"\xff", b"a"]).dictionary_encode(),
        pa.ExtensionArray.from_storage(pa.uuid(), pa.array([b"\xff" * 16, None], pa.binary(16))),
    ],
    ids=lambda column: str(column.type),
)
def test_parquet_columns_that_are_no_text_do_not_exist(tmp_path: Path, column: pa.Array) -> None:
    assert read_parquet(tmp_path, pa.table({"id": ["1", "2"], "picture": column})) == [{"id": "1"}, {"id": "2"}]


def test_parquet_rows_are_numbered_over_all_batches(tmp_path: Path) -> None:
    count = 10_000
    pq.write_table(pa.table({"id": range(count)}), tmp_path / "items.parquet", row_group_size=3000)
    rows = list(Table(tmp_path / "items.parquet").rows())
    assert [(row.line, row.values["id"]) for row in rows] == [(i + 1, str(i)) for i in range(count)]


def test_parquet_columns_of_one_name_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="columns named twice: id"):
        read_parquet(tmp_path, pa.table([pa.array(["a"]), pa.array(["b"])], names=["id", "id"]))


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.99])
def test_a_truncated_parquet_file_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"id": [str(i) for i in range(1000)]}), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match="not a readable Parquet file"):
        Table(path)


@pytest.mark.parametrize("at", [10, 30, 200, 2000])
def test_a_parquet_file_with_damaged_pages_is_refused(tmp_path: Path, at: int) -> None:
    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"id": [str(i) for i in range(5000)]}), path)
    content = bytearray(path.read_bytes())
    content[at : at + 20] = b"\xff" * 20
    path.write_bytes(content)
    table = Table(path)
    with pytest.raises(UserError, match="after row 0: not a readable Parquet file"):
        list(table.rows())


@pytest.mark.parametrize(
    ("column", "texts"),
    [
        (pa.array([decimal.Decimal("1.50"), None]), ["1.50", ""]),
        (pa.array([datetime.datetime(2020, 1, 2, 3, 4, 5), None], pa.timestamp("s")), ["2020-01-02 03:04:05.000", ""]),
        (pa.array([datetime.date(2020, 1, 2), None]), ["2020-01-02", ""]),
        (pa.array([0.1, 5.0]), ["0.1", "5"]),
        (pa.array([0.1, None], pa.float32()), ["0.1", ""]),
        (pa.array([2**63, 1], pa.uint64()), [str(2**63), "1"]),
        (pa.array(["a", None]).dictionary_encode(), ["a", ""]),
        (pa.array(["a", None], pa.string_view()), ["a", ""]),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_parquet_columns_of_any_kind_become_their_text(tmp_path: Path, column: pa.Array, texts: list[str]) -> None:
    assert read_parquet(tmp_path, pa.table({"a": column})) == [{"a": text} for text in texts]


def invalid(values: list[bytes], type: pa.DataType) -> pa.Array:
    binary = pa.array(values, pa.large_binary() if pa.types.is_large_string(type) else pa.binary())
    return pa.Array.from_buffers(type, len(values), binary.buffers())


@pytest.mark.parametrize("type", [pa.string(), pa.large_string()], ids=str)
def test_a_text_that_is_not_utf8_is_one_bad_row(tmp_path: Path, type: pa.DataType) -> None:
    column = invalid([b"a", b"caf\xe9", b"c"], type)
    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"id": [1, 2, 3], "title": column}), path)
    found = scanned(path)
    assert [told(row) for _, row in found] == [["1", "a"], (2, "ROW_NOT_UTF8"), ["3", "c"]]
    assert isinstance(found[1][1], BadRow)
    assert found[1][1].raw == b"2caf\xe9"
    with pytest.raises(UserError, match=r"items\.parquet line 2: .*not UTF-8"):
        list(Table(path).rows())


def test_a_column_of_one_row_group_that_cannot_be_read_is_named_by_its_row(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    table = pa.table({"id": [str(i) for i in range(3000)], "title": [f"title {i}" for i in range(3000)]})
    pq.write_table(table, path, row_group_size=1000)
    chunk = pq.ParquetFile(path).metadata.row_group(1).column(1)
    content = bytearray(path.read_bytes())
    at = chunk.dictionary_page_offset or chunk.data_page_offset
    content[at : at + chunk.total_compressed_size] = b"\xff" * chunk.total_compressed_size
    path.write_bytes(content)
    rows = Table(path).scan()
    assert [next(rows)[0] for _ in range(1000)] == [Place(i, i + 1) for i in range(1000)]
    with pytest.raises(UserError, match=r"items\.parquet after row 1000: not a readable Parquet file"):
        next(rows)
    assert next(Table(path).scan(Place(2000, 2001)))[1].line == 2001  # the row group is passed over unread
