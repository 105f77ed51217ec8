"""CSV and TSV, row by row: a bad record is one bad record, and its neighbours are read as if it were not there."""

import csv
import io
import time
import tracemalloc
from pathlib import Path

import pytest
from drawn_tables import COLUMNS, TEXTS, delimited, look_like_rows, scanned, told, write
from hypothesis import given, settings
from hypothesis import strategies as st

from fashionmt.data.tables import MAX_FIELD, BadRow, Place, Table, TableRow
from fashionmt.errors import UserError

HEADER = b"id,title,colour\n"
HOSTILE = {  # no two of them make a record
    b'x,"open,red': "ROW_BROKEN_QUOTE",
    b'x,"open': "ROW_BROKEN_QUOTE",
    b'"x,""open"",': "ROW_BROKEN_QUOTE",
    b'x,"shut" wrongly,"open': "ROW_BROKEN_QUOTE",
    b"x,caf\xe9,red": "ROW_NOT_UTF8",
    b'x,"caf\xe9,red': "ROW_NOT_UTF8",
    b"\xff\xfe": "ROW_NOT_UTF8",
    b"x,\xed\xa0\x80,red": "ROW_NOT_UTF8",
    b"x,a\0b,red": "ROW_NUL_BYTE",
    b'x,"\0,red': "ROW_NUL_BYTE",
    b"x,Shirt, slim,red": "ROW_RAGGED",
    b'x,"a",b,c': "ROW_RAGGED",
}


# Neighbours

GOOD_TEXTS = TEXTS.map(lambda text: f"t{text}")  # a field that begins with a delimiter could close a quote before it
GOOD = st.tuples(GOOD_TEXTS, GOOD_TEXTS, GOOD_TEXTS)


@settings(max_examples=150)
@given(
    pieces=st.lists(GOOD | st.sampled_from(sorted(HOSTILE)), max_size=12),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    last=st.booleans(),
)
def test_hostile_lines_leave_every_good_row_unchanged(
    tmp_path: Path, pieces: list[tuple[str, str, str] | bytes], end: str, last: bool
) -> None:
    """And each of them gives its record, with its line and what stands there."""
    content, expected, line = HEADER, [], 2
    for piece in pieces:
        record = piece + end.encode() if isinstance(piece, bytes) else delimited([piece], ",", end)
        if isinstance(piece, bytes):
            expected.append((Place(len(content), line), (line, HOSTILE[piece]), record))
        elif look_like_rows(record, ",", 3):
            continue
        else:
            expected.append((Place(len(content), line), list(piece), None))
        content += record
        line += len(record.splitlines())
    content = content if last else content.removesuffix(end.encode())
    found = scanned(write(tmp_path, "items.csv", content))
    assert [(place, told(row)) for place, row in found] == [known[:2] for known in expected]
    for (_, row), (*_, record) in zip(found, expected, strict=True):
        assert not isinstance(row, BadRow) or row.raw.rstrip() == record.rstrip()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_row_is_refused_by_a_strict_reader(tmp_path: Path, text: bytes) -> None:
    path = write(tmp_path, "items.csv", HEADER + b"1,a,b\n" + text + b"\n2,a,b\n")
    rows = Table(path).rows()
    assert next(rows).values["id"] == "1"
    with pytest.raises(UserError, match=r"items\.csv line 3: .*\. .*\."):
        next(rows)


def test_raw_is_the_beginning_of_a_bad_row(tmp_path: Path) -> None:
    bad = b"x," + b"\xe9" * 600
    ((_, row),) = scanned(write(tmp_path, "items.csv", HEADER + bad))
    assert isinstance(row, BadRow)
    assert row.raw == bad[:500]


# Quotes


def is_open(line: str, delimiter: str) -> bool:
    """Whether the csv module takes the next line for a part of the record."""
    return len(list(csv.reader([line.rstrip("\r\n") + "\n", "next"], delimiter=delimiter))) == 1


def slow_records(content: str, delimiter: str, width: int) -> list[object]:
    """What is read, by trying for each open line how many it takes to make sound CSV."""
    lines = [line.decode() for line in content.encode().splitlines(keepends=True)]
    found: list[object] = []
    i = 0
    while i < len(lines):
        number, reach = i + 1, _slow_reach(lines[i:], delimiter, width) if is_open(lines[i], delimiter) else 1
        fields = next(csv.reader(lines[i : i + reach], delimiter=delimiter), [])
        if reach == 0:
            found.append((number, "ROW_BROKEN_QUOTE"))
        elif len(fields) > width:
            found.append((number, "ROW_RAGGED"))
        elif fields:
            found.append(fields + [""] * (width - len(fields)))
        i += max(reach, 1)
    return found


def _slow_reach(lines: list[str], delimiter: str, width: int) -> int:
    """How many lines a record has that is open at the end of the first; 0 where its quote is broken."""
    for count in range(2, len(lines) + 1):
        try:
            (fields,) = csv.reader(lines[:count], delimiter=delimiter, strict=True)
        except csv.Error:
            continue
        rows = all(line.count(delimiter) + 1 == width for line in lines[:count])
        return count if len(fields) == width and not rows else 0
    return 0


SOUP = ["a", "1", "D", "D", '"', '"', '""', "\n", "\n", "\r\n", "\r", " "]  # D: the delimiter


@pytest.mark.parametrize(("name", "delimiter"), [("items.csv", ","), ("items.tsv", "\t")])
@settings(max_examples=300)
@given(
    content=st.lists(st.sampled_from(["a", "1", "D", "D", '"', '"', '""', "\n", "\n", "\r\n", "\r", " "])).map("".join)
)
def test_records_are_those_of_a_slow_and_obvious_reader(
    tmp_path: Path, name: str, delimiter: str, content: str
) -> None:
    content = content.replace("D", delimiter)
    header = delimiter.join(COLUMNS) + "\n"
    found = [told(row) for _, row in scanned(write(tmp_path, name, (header + content).encode()))]
    assert found == slow_records(header + content, delimiter, 3)[1:]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'1,"Shirt\nslim",red\n2,b,c\n', [["1", "Shirt\nslim", "red"], ["2", "b", "c"]]),
        (b'1,"Shirt\n\n2,b,c\n",red\n', [["1", "Shirt\n\n2,b,c\n", "red"]]),
        # each line looks like a row: a quote too many in the first, an inch in the last
        (b'1,"Shirt,red\n2,5",c\n', [(2, "ROW_BROKEN_QUOTE"), ["2", '5"', "c"]]),
        (b'1,"Shirt,red\n2,b,c\n3,5",c\n', [(2, "ROW_BROKEN_QUOTE"), ["2", "b", "c"], ["3", '5"', "c"]]),
        # all but the first do, or all but the last: a text with delimiters in it
        (b'1,"Shirt\nslim, long",red\n', [["1", "Shirt\nslim, long", "red"]]),
        (b'1,"Shirt,red\nslim",c\n', [["1", "Shirt,red\nslim", "c"]]),
        # sound CSV, but of too few or too many fields
        (b'1,"Shirt\nslim"\n2,b,c\n', [(2, "ROW_BROKEN_QUOTE"), ['slim"', "", ""], ["2", "b", "c"]]),
        (b'1,"Shirt\nslim",b,c\n2,b,c\n', [(2, "ROW_BROKEN_QUOTE"), ['slim"', "b", "c"], ["2", "b", "c"]]),
        # the whole record is the bad one, not a line of it
        (b'1,"Shirt\ncaf\xe9",red\n2,b,c\n', [(2, "ROW_NOT_UTF8"), ["2", "b", "c"]]),
        (b'1,"Shirt\n\0",red\n2,b,c\n', [(2, "ROW_NUL_BYTE"), ["2", "b", "c"]]),
    ],
)
def test_where_a_quoted_text_runs_over_lines_and_where_a_quote_is_broken(
    tmp_path: Path, content: bytes, expected: list[object]
) -> None:
    found = scanned(write(tmp_path, "items.csv", HEADER + content))
    assert [told(row) for _, row in found] == expected


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b'1,"Shirt\nslim,red\n', "a quote is opened and never closed"),
        (b'1,"Shirt,red\n2,b",c\n', "and each line up to there looks like a row"),
        (b'1,"Shirt\nslim"\n', "a quote is closed only in a later line, at 2 fields for 3 columns"),
        (b'1,"' + b"Shirt\n" * 1000 + b'",red\n', "1,000 lines and 1,000,000 characters"),
        (b'1,"' + b"Shirt" * 100_000 + b"\n" + b"slim," * 100_000 + b'",red\n', "1,000 lines and 1,000,000 characters"),
    ],
)
def test_it_is_said_why_a_quote_is_broken(tmp_path: Path, content: bytes, wrong: str) -> None:
    path = write(tmp_path, "items.csv", HEADER + content)
    with pytest.raises(UserError, match=rf"items\.csv line 2: .*{wrong}\. Close it\."):
        list(Table(path).rows())


@pytest.mark.parametrize(("lines", "is_read"), [(1000, True), (1001, False)])
def test_a_text_runs_over_a_thousand_lines_at_most(tmp_path: Path, lines: int, is_read: bool) -> None:
    text = "\n".join(["a"] * lines)
    found = scanned(write(tmp_path, "items.csv", HEADER + f'1,"{text}",red\n2,b,c\n'.encode()))
    assert (told(found[0][1]) == ["1", text, "red"]) is is_read
    assert told(found[-1][1]) == ["2", "b", "c"]


@pytest.mark.parametrize("title", ['5" heel', '"Nike" shoes', 'the "best"'])
def test_a_quote_that_shuts_nothing_in_is_text(tmp_path: Path, title: str) -> None:
    """As the csv module reads it."""
    line = f"1,{title},red\n"
    (row,) = Table(write(tmp_path, "items.csv", HEADER + line.encode())).rows()
    assert [list(row.values.values())] == list(csv.reader(io.StringIO(line)))
    assert row.repair is None


# Time and memory

BROKEN = {
    "never closed": b'x,"open,red\n',
    "opened, closed and opened": b'5",",\n',
    "among long rows": b'x,"open,red\n' + b"1,b,c\n" * 20,
    "by itself": b'"\n',
    "long": b'5",",' + b"a" * 100 + b"\n",
}


@pytest.mark.parametrize("line", BROKEN.values(), ids=BROKEN)
def test_a_hundred_thousand_broken_quotes_take_linear_time(tmp_path: Path, line: bytes) -> None:
    """Where each looked at the thousand lines after it, minutes would pass."""
    count = 100_000 // line.count(b"\n")
    path = write(tmp_path, "items.csv", HEADER + line * count)
    start = time.process_time()
    rows = sum(1 for _ in Table(path).scan())
    assert time.process_time() - start < 20
    assert rows >= count * line.count(b"\n") / 2


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    rows = b"".join(b'%d,"Shirt, slim",red\n' % i for i in range(60_000))
    path = write(tmp_path, "items.csv", HEADER + b'x,"open\n' + rows)
    tracemalloc.start()
    try:
        assert sum(1 for _ in Table(path).scan()) == 60_001
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3_000_000


# Limits


@pytest.mark.parametrize("character", ["a", "é", "😀"])
def test_a_line_of_a_million_characters_is_read_and_a_longer_one_is_not(tmp_path: Path, character: str) -> None:
    longest = "1,," + character * (MAX_FIELD - 3)
    content = f"{longest}\r\n{longest}a\r\n2,b,c\n"
    (_, read), (place, bad), (_, after) = scanned(write(tmp_path, "items.csv", HEADER + content.encode()))
    assert isinstance(read, TableRow)
    assert read.values["colour"] == longest[3:]
    assert told(bad) == (3, "ROW_TOO_LONG")
    assert place == (len(HEADER) + len(longest.encode()) + 2, 3)
    assert told(after) == ["2", "b", "c"]


def test_a_line_that_is_far_too_long_is_passed_over(tmp_path: Path) -> None:
    """A quote in it, or open before it, changes nothing."""
    long = b'x,"' + b"a" * 9_000_000 + b'"b\n'
    path = write(tmp_path, "items.csv", HEADER + b'1,"open\n' + long + b'2,"b",c\n')
    found = [told(row) for _, row in scanned(path)]
    assert found == [(2, "ROW_BROKEN_QUOTE"), (3, "ROW_TOO_LONG"), ["2", "b", "c"]]


# Header


@pytest.mark.parametrize(
    ("header", "wrong"),
    [
        (b'id,"title\n', "line 1: a quote is opened and never closed"),
        (b"\n\nid,caf\xe9\n", "line 3: not UTF-8"),
        (b"id,\0\n", "line 1: a NUL byte"),
        (b"i" * (MAX_FIELD + 1), "line 1: more than 1,000,000 characters"),
    ],
)
def test_a_header_that_cannot_be_read_is_refused(tmp_path: Path, header: bytes, wrong: str) -> None:
    with pytest.raises(UserError, match=wrong):
        Table(write(tmp_path, "items.csv", header))


def test_a_header_may_run_over_lines(tmp_path: Path) -> None:
    path = write(tmp_path, "items.csv", b'\xef\xbb\xbf\r\n"the\r\nid",title\r\n1,a\r\n')
    ((place, row),) = scanned(path)
    assert place == (path.read_bytes().index(b"1,a"), 4)
    assert row == TableRow(4, {"the\r\nid": "1", "title": "a"})
