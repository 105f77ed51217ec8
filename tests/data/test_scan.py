"""Scans of every format: from any place the rest, and the same rows whatever the format."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from drawn_tables import COLUMNS, TEXTS, delimited, look_like_rows, scanned, told, write, write_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from fashionmt.data.tables import Place, Table

ROWS = st.lists(st.tuples(TEXTS, TEXTS, TEXTS), min_size=1, max_size=6)
PIECES = [b"a", b"1", b",", b",", b'"', b'"', b"\n", b"\r\n", b"\r", b"\0", b"\xe9", "é".encode(), b"a,b,c\n"]
OBJECTS = [b'{"a": 1}', b'{"a": "\\ud800"}', b"{}", b"[", b'{"a": "x", "b": 2}', b"\xe9", b"\n", b"\r\n", b"\r", b" "]


def assert_goes_on_from_any_place(path: Path) -> None:
    table = Table(path)
    whole = list(table.scan())
    for i, (place, _) in enumerate(whole):
        assert list(table.scan(place)) == whole[i:]
        assert list(table.scan(Place(*json.loads(json.dumps(place))))) == whole[i:]


@pytest.mark.parametrize("name", ["items.csv", "items.csv.gz"])
@settings(max_examples=200)
@given(content=st.lists(st.sampled_from(PIECES)).map(b"".join), mark=st.sampled_from([b"", b"\xef\xbb\xbf"]))
def test_a_scan_of_any_delimited_text_goes_on_from_any_place(
    tmp_path: Path, name: str, content: bytes, mark: bytes
) -> None:
    assert_goes_on_from_any_place(write(tmp_path, name, mark + b"id,title,colour\r\n" + content))


@pytest.mark.parametrize("name", ["items.jsonl", "items.jsonl.gz"])
@given(content=st.lists(st.sampled_from(OBJECTS)).map(b"".join), mark=st.sampled_from([b"", b"\xef\xbb\xbf"]))
def test_a_scan_of_any_json_lines_goes_on_from_any_place(
    tmp_path: Path, name: str, content: bytes, mark: bytes
) -> None:
    assert_goes_on_from_any_place(write(tmp_path, name, mark + content + b'\n{"b": 0}'))


@pytest.mark.parametrize(("rows", "group"), [(0, 1), (1, 1), (10, 3), (9, 3), (10, 100)])
def test_a_scan_of_parquet_goes_on_from_any_place(tmp_path: Path, rows: int, group: int) -> None:
    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"id": [str(i) for i in range(rows)]}), path, row_group_size=group)
    assert len(scanned(path)) == rows
    assert_goes_on_from_any_place(path)


def test_a_scan_of_parquet_goes_on_from_within_a_large_row_group(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    pq.write_table(pa.table({"id": range(20_000)}), path, row_group_size=15_000)
    for start in (4095, 4096, 9000, 14_999, 15_000, 19_999):
        found = list(Table(path).scan(Place(start, start + 1)))
        assert [(place.offset, told(row)) for place, row in found] == [(i, [str(i)]) for i in range(start, 20_000)]


@settings(max_examples=80)
@given(rows=ROWS)
def test_every_format_reads_the_same_texts(tmp_path: Path, rows: list[tuple[str, str, str]]) -> None:
    rows = [row for row in rows if not any(look_like_rows(delimited([row], mark), mark, 3) for mark in (",", "\t"))]
    names = ["items.csv", "items.tsv", "items.parquet", "items.csv.gz", "items.tsv.gz"]
    for name in names + ["items.jsonl", "items.jsonl.gz"] * bool(rows):
        path = write_rows(tmp_path, name, rows)
        assert Table(path).columns == list(COLUMNS)
        assert [told(row) for _, row in scanned(path)] == [list(row) for row in rows], name
