"""Tables: every row comes out as written, repaired in the open, or refused by name."""

import csv
import gzip
import io
import random
from pathlib import Path

import pytest

from fashionmt.data.tables import Table, TableRow
from fashionmt.errors import UserError


def read(
    folder: Path, content: str | bytes, name: str = "items.csv", free_text: str | None = "title"
) -> list[TableRow]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(Table(path, free_text).rows())


# Ragged rows


@pytest.mark.parametrize(
    ("columns", "line", "values"),
    [
        ("id,colour,title", "1,red,Shirt, slim", ("1", "red", "Shirt, slim")),
        ("id,colour,title", "1,red,Shirt, slim, long, new", ("1", "red", "Shirt, slim, long, new")),
        ("id,title,colour", "1,Shirt, slim,red", ("1", "Shirt, slim", "red")),
        ("title,id,colour", "Shirt, slim, long,1,red", ("Shirt, slim, long", "1", "red")),
    ],
)
@pytest.mark.parametrize("before", [0, 3])
def test_a_ragged_row_is_rejoined_into_the_title(
    tmp_path: Path, columns: str, line: str, values: tuple[str, ...], before: int
) -> None:
    """As the first data row (where pandas cuts the surplus off) and later on."""
    names = columns.split(",")
    sound = "".join(",".join(f"{name}{i}" for name in names) + "\n" for i in range(before))
    rows = read(tmp_path, f"{columns}\n{sound}{line}\n")
    assert rows[before].values == dict(zip(names, values, strict=True))
    assert rows[before].repair is not None
    assert [row.repair for row in rows[:before]] == [None] * before
    assert [row.values for row in rows[:before]] == [{name: f"{name}{i}" for name in names} for i in range(before)]


def test_a_row_of_twelve_fields_in_ten_columns_is_rejoined(tmp_path: Path) -> None:
    header = ",".join([f"c{i}" for i in range(9)] + ["title"])
    (row,) = read(tmp_path, f"{header}\n0,1,2,3,4,5,6,7,8,a,b,c\n")
    assert row.values == {f"c{i}": str(i) for i in range(9)} | {"title": "a,b,c"}


def test_a_tab_splits_a_title_only_in_a_tsv(tmp_path: Path) -> None:
    (row,) = read(tmp_path, "id\ttitle\n1\ta\tb,c\n", "items.tsv")
    assert row.values == {"id": "1", "title": "a\tb,c"}
    assert row.repair is not None


def test_without_a_free_text_a_surplus_field_is_refused_by_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"items\.csv line 3: 3 fields for 2 columns"):
        read(tmp_path, "id,colour\n1,red\n2,red,blue\n", free_text=None)


@pytest.mark.parametrize(("line", "title", "colour"), [("1", "", ""), ("1,Shirt", "Shirt", "")])
def test_a_short_row_has_empty_values_and_says_so(tmp_path: Path, line: str, title: str, colour: str) -> None:
    (row,) = read(tmp_path, f"id,title,colour\n{line}\n")
    assert row.values == {"id": "1", "title": title, "colour": colour}
    assert row.repair is not None
    assert "too few" in row.repair


# Quotes


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ('"Shirt, slim"', "Shirt, slim"),
        ('"Shirt\nslim"', "Shirt\nslim"),
        ('"Shirt\r\nslim,\n\nnew"', "Shirt\r\nslim,\n\nnew"),
        ('"a ""quoted"" word"', 'a "quoted" word'),
        ('"two ""quoted""\nlines"', 'two "quoted"\nlines'),
        ('5" heel', '5" heel'),
        ('"Nike" shoes', "Nike shoes"),
        ('""', ""),
    ],
)
@pytest.mark.parametrize("last", ["red", '5" red'])
def test_quotes_are_read_and_nothing_needs_repair(tmp_path: Path, field: str, value: str, last: str) -> None:
    rows = read(tmp_path, f"id,title,colour\n1,{field},{last}\n2,b,blue\n")
    assert [row.values for row in rows] == [
        {"id": "1", "title": value, "colour": last},
        {"id": "2", "title": "b", "colour": "blue"},
    ]
    assert {row.repair for row in rows} == {None}


def test_a_row_says_where_it_ends(tmp_path: Path) -> None:
    rows = read(tmp_path, 'id,title\n1,a\n\n2,"b\nc"\n3,d\n')
    assert [(row.values["id"], row.line) for row in rows] == [("1", 2), ("2", 5), ("3", 6)]


@pytest.mark.parametrize(
    "rest",
    [
        "2,b\n3,c\n",  # never closed
        "",  # in the last row
        '2,"b"\n3,c\n',  # closed by the next row's opening quote
        '2,"b\n3,c\n',  # the same, and the next row's own quote is not closed either
    ],
)
@pytest.mark.parametrize("end", ["\n", ""])
def test_an_unclosed_quote_is_refused_by_its_line(tmp_path: Path, rest: str, end: str) -> None:
    with pytest.raises(UserError, match=r"items\.csv line 3: a quote is opened and never closed\. Close it\."):
        read(tmp_path, f'id,title\n0,a\n1,"Shirt{end if not rest else chr(10)}{rest}')


def test_an_unclosed_quote_before_much_text_is_refused_by_its_line(tmp_path: Path) -> None:
    """As is one that is closed after so much that nobody meant it."""
    with pytest.raises(UserError, match=r"line 3: a quote is opened and not closed within 1,000 lines"):
        read(tmp_path, 'id,title\n0,a\n1,"Shirt\n' + "2,Shirt of a long description\n" * 40_000)


def each_line_looks_like_a_row(row: list[str], delimiter: str) -> bool:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="").writerow(row)
    lines = out.getvalue().encode().splitlines()
    return len(lines) > 1 and all(line.count(delimiter.encode()) == len(row) - 1 for line in lines)


def test_random_tables_read_as_python_csv_wrote_them(tmp_path: Path) -> None:
    draw = random.Random(0)
    pieces = ["a", "1", ",", '"', "\n", "\r\n", " ", "é", "😀", "\t", "'", ";"]
    for name, delimiter in (("items.csv", ","), ("items.tsv", "\t")):
        rows = [[f"{i}", *("".join(draw.choices(pieces, k=draw.randrange(6))) for _ in range(2))] for i in range(300)]
        rows = [row for row in rows if not each_line_looks_like_a_row(row, delimiter)]
        assert len(rows) > 280
        out = io.StringIO()
        writer = csv.writer(out, delimiter=delimiter, lineterminator=draw.choice(["\n", "\r\n"]))
        writer.writerows([["id", "title", "colour"], *rows])
        found = read(tmp_path, out.getvalue(), name)
        assert [list(row.values.values()) for row in found] == rows
        assert {row.repair for row in found} == {None}


# Encodings and files


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    (row,) = read(tmp_path, b"\xef\xbb\xbfid,title\n1,a\n")
    assert row.values == {"id": "1", "title": "a"}


@pytest.mark.parametrize("line", [1, 3])
def test_a_file_that_is_not_utf8_is_refused_by_its_line(tmp_path: Path, line: int) -> None:
    content = "".join("café,b\n" if number == line else f"a{number},b\n" for number in range(1, 5))
    with pytest.raises(UserError, match=rf"items\.csv line {line}: not UTF-8 \(.*\)\. Save it as UTF-8"):
        read(tmp_path, content.encode("latin-1"))


@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-32"])
@pytest.mark.parametrize("order", ["le", "be"])
@pytest.mark.parametrize("name", ["items.csv", "items.jsonl", "items.tsv.gz"])
def test_another_encoding_is_refused_by_its_name(tmp_path: Path, encoding: str, order: str, name: str) -> None:
    content = "\ufeffid,title\n1,a\n".encode(f"{encoding}-{order}")
    with pytest.raises(UserError, match=rf"{name}: written in {encoding}, not UTF-8\. Save it as UTF-8"):
        read(tmp_path, gzip.compress(content) if name.endswith("gz") else content, name)


@pytest.mark.parametrize(("content", "line"), [("id,title\n1,a\n2,a\0b\n", 3), ("\0id,title\n1,a\n", 1)])
def test_a_nul_byte_is_refused_by_its_line(tmp_path: Path, content: str, line: int) -> None:
    with pytest.raises(UserError, match=rf"line {line}: a NUL byte"):
        read(tmp_path, content)


@pytest.mark.parametrize("content", ["", "\n\n", b"\xef\xbb\xbf", gzip.compress(b"", mtime=0)])
def test_a_file_without_a_header_is_an_empty_catalogue(tmp_path: Path, content: str | bytes) -> None:
    name = "items.csv.gz" if content[:2] == b"\x1f\x8b" else "items.csv"
    with pytest.raises(UserError, match="the catalogue is empty"):
        read(tmp_path, content, name)


def test_a_header_alone_has_columns_and_no_rows(tmp_path: Path) -> None:
    assert read(tmp_path, "id,title\n") == []
    assert Table(tmp_path / "items.csv").columns == ["id", "title"]


def test_columns_of_one_name_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="columns named twice: colour, id"):
        read(tmp_path, "id,colour,title,id,colour\n1,2,3,4,5\n")


@pytest.mark.parametrize("name", ["items.xlsx", "items", "items.gz", "items.csv.zip", "items.parquet.gz"])
def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        UserError, match=r"not a catalogue format.*\.csv, \.tsv or \.jsonl, each also as \.gz, or \.parquet"
    ):
        read(tmp_path, "id,title\n1,a\n", name)


@pytest.mark.parametrize("name", ["nothing.csv", "."])
def test_a_path_that_is_no_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="no such catalogue"):
        Table(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("items.csv.gz", "id,title\n1,a\n"),
        ("items.tsv.gz", "id\ttitle\n1\ta\n"),
        ("items.jsonl", '{"id": "1", "title": "a"}\n'),
        ("items.jsonl.gz", '{"id": "1", "title": "a"}\n'),
        ("items.NDJSON", '{"id": "1", "title": "a"}\n'),
        ("ITEMS.CSV", "id,title\n1,a\n"),
        ("ITEMS.TSV.GZ", "id\ttitle\n1\ta\n"),
    ],
)
def test_suffixes_in_any_case_and_compressed(tmp_path: Path, name: str, text: str) -> None:
    content = gzip.compress(text.encode()) if name.lower().endswith("gz") else text.encode()
    assert [row.values for row in read(tmp_path, content, name)] == [{"id": "1", "title": "a"}]


LONG_GZIP = gzip.compress(b"id,title\n" + b"".join(b"%d,title %d\n" % (i, i * 7919) for i in range(3000)), mtime=0)


@pytest.mark.parametrize(
    "content",
    [
        b"id,title\n1,a\n",  # no gzip file
        LONG_GZIP[: len(LONG_GZIP) // 2],
        LONG_GZIP[:-8] + bytes(8),  # another checksum
        *(LONG_GZIP[:at] + bytes([LONG_GZIP[at] ^ 0xFF]) + LONG_GZIP[at + 1 :] for at in (12, 30, 60, 100, 1000)),
    ],
    ids=["none", "half", "checksum", "at12", "at30", "at60", "at100", "at1000"],
)
def test_a_damaged_gzip_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UserError, match=r"items\.csv\.gz after line \d+: .*Repair the file"):
        read(tmp_path, content, "items.csv.gz")


@pytest.mark.parametrize(
    "title",
    ["x" * 10_000, "é" * 200_000, "👗 robe d'été 👩🏽‍🎤", "ﷺ\u202e\u200b", "a\u2028b\x0bc\x85d"],
    ids=["long", "longer", "emoji", "arabic", "separators"],
)
def test_a_title_of_any_length_and_script_is_kept(tmp_path: Path, title: str) -> None:
    rows = read(tmp_path, f"id,title\n1,{title}\n2,b\n")
    assert [row.values["title"] for row in rows] == [title, "b"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_any_system(tmp_path: Path, end: str) -> None:
    rows = read(tmp_path, f"id,title{end}1,a{end}2,b{end}")
    assert [row.values for row in rows] == [{"id": "1", "title": "a"}, {"id": "2", "title": "b"}]


def test_require_names_the_columns_found(tmp_path: Path) -> None:
    read(tmp_path, "id,title\n1,a\n")
    table = Table(tmp_path / "items.csv")
    table.require("title", "the title", "data.columns.title")
    with pytest.raises(
        UserError, match=r"no column 'name' \(the title\); found: id, title\. Set data\.columns\.title="
    ):
        table.require("name", "the title", "data.columns.title")
