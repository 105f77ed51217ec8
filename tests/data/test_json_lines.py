"""JSON Lines: values are the texts they are written as, and a line that is no flat object is one bad row."""

import json
from pathlib import Path

import pytest
from drawn_tables import TEXTS, scanned, told, write
from hypothesis import given
from hypothesis import strategies as st

from fashionmt.data.tables import Table, TableRow
from fashionmt.data.tables.json_lines import KEY_LINES, LATE_KEYS
from fashionmt.errors import UserError

HOSTILE = {
    b"{": "ROW_NOT_JSON",
    b"id": "ROW_NOT_JSON",
    b"[1]": "ROW_NOT_JSON",
    b'"id"': "ROW_NOT_JSON",
    b"null": "ROW_NOT_JSON",
    b'{"id": 1} {"id": 2}': "ROW_NOT_JSON",
    b'{"id": 1, "title": [1]}': "ROW_NOT_JSON",
    b'{"id": 1, "title": {"a": 1}}': "ROW_NOT_JSON",
    b'{"id": 1, "other": []}': "ROW_NOT_JSON",
    b'{"id": 1, "id": 2}': "ROW_NOT_JSON",
    b'{"id": 01}': "ROW_NOT_JSON",
    b"{'id': 1}": "ROW_NOT_JSON",
    b'{"id": "a\tb"}': "ROW_NOT_JSON",
    b'{"id": ' * 100_000: "ROW_NOT_JSON",
    b'{"id": "\xe9"}': "ROW_NOT_UTF8",
    b'{"id": "\xed\xa0\x80"}': "ROW_NOT_UTF8",
    b'{"id": "\\ud800"}': "ROW_NOT_UTF8",
    b'{"id": "\\ude00\\ud83d"}': "ROW_NOT_UTF8",
    b'{"\\ud800": 1}': "ROW_NOT_UTF8",
    b'{"id": "a\0"}': "ROW_NUL_BYTE",
    b'{"id": "' + b"a" * 1_000_000 + b'"}': "ROW_TOO_LONG",
}


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("1e5", "1e5"),
        ("1.50", "1.50"),
        ("-0", "-0"),
        ("1E+400", "1E+400"),
        ("9" * 5000, "9" * 5000),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("true", "true"),
        ("false", "false"),
        ("null", ""),
        ('""', ""),
        ('"null"', "null"),
        ('" 007 "', " 007 "),
        (r'"\ud83d\ude00 \u00e9\n\u0000\/"', "😀 é\n\0/"),
        ('"\u2028"', "\u2028"),
    ],
)
def test_a_value_is_the_text_it_is_written_as(tmp_path: Path, written: str, text: str) -> None:
    path = write(tmp_path, "items.jsonl", f'{{"id": {written}}}\n'.encode())
    assert [row.values for row in Table(path).rows()] == [{"id": text}]


@given(rows=st.lists(st.dictionaries(st.sampled_from("abc"), TEXTS), min_size=1), ascii=st.booleans())
def test_columns_are_the_keys_of_all_objects(tmp_path: Path, rows: list[dict[str, str]], ascii: bool) -> None:
    """In the order in which they come up; absent ones are empty."""
    content = "\r\n \n".join(json.dumps(row, ensure_ascii=ascii) for row in rows)
    table = Table(write(tmp_path, "items.jsonl", content.encode()))
    keys = list(dict.fromkeys(key for row in rows for key in row))
    assert table.columns == keys
    assert list(table.rows()) == [
        TableRow(2 * i + 1, {key: row.get(key, "") for key in keys}) for i, row in enumerate(rows)
    ]


def test_a_key_that_comes_up_late_is_passed_over_and_its_row_says_so(tmp_path: Path) -> None:
    lines = ['{"id": 1}'] * (KEY_LINES - 1) + ['{"id": 2, "hue": "Red"}', '{"id": 3, "size": "M"}', '{"hue": "Blue"}']
    table = Table(write(tmp_path, "items.jsonl", "\n".join(lines).encode()))
    assert table.columns == ["id", "hue"]
    assert list(table.rows())[-3:] == [
        TableRow(KEY_LINES, {"id": "2", "hue": "Red"}),
        TableRow(KEY_LINES + 1, {"id": "3", "hue": ""}, LATE_KEYS),
        TableRow(KEY_LINES + 2, {"id": "", "hue": "Blue"}),
    ]


@pytest.mark.parametrize("bad", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("before", [0, 2])
def test_a_hostile_line_is_one_bad_row(tmp_path: Path, bad: bytes, before: int) -> None:
    """As the first line too, which then does not name the columns."""
    good = [b'{"id": %d, "title": "a"}' % i for i in range(4)]
    path = write(tmp_path, "items.jsonl", b"\n".join([*good[:before], bad, *good[before:]]))
    found = [told(row) for _, row in scanned(path)]
    expected: list[object] = [[str(i), "a"] for i in range(4)]
    assert found == [*expected[:before], (before + 1, HOSTILE[bad]), *expected[before:]]
    with pytest.raises(UserError, match=rf"items\.jsonl line {before + 1}: .*\. .*\."):
        list(Table(path).rows())


def test_a_byte_order_mark_is_no_part_of_the_first_object(tmp_path: Path) -> None:
    ((place, row),) = scanned(write(tmp_path, "items.jsonl", b'\xef\xbb\xbf{"id": 1}'))
    assert place == (3, 1)
    assert told(row) == ["1"]


@pytest.mark.parametrize(
    ("content", "wrong"),
    [(b"", "the catalogue is empty"), (b"\n \n", "is empty"), (b"\nid,title\n[]\n", "line 2: no JSON")],
)
def test_a_file_without_an_object_is_refused(tmp_path: Path, content: bytes, wrong: str) -> None:
    with pytest.raises(UserError, match=wrong):
        Table(write(tmp_path, "items.jsonl", content))
