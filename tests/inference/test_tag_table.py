"""The columns of an output: exact in Parquet, the same and safe for spreadsheets in CSV."""

import io
from pathlib import Path

import pandas as pd

from fashionmt.inference import ItemTags, Tag
from fashionmt.inference.tag_table import TaggedRow, build_table, read_csv, to_csv
from fashionmt.problems import Code, Problem


def row(number: int, item_id: str = "007", picture: Problem | None = None, kept: str = "x") -> TaggedRow:
    tags = {
        "colour": Tag('Red, "dark"', 0.1234567, alternatives=(("Blue", 0.1), ("Green", 0.05), ("Grey", 0.01))),
        "type": Tag("Shirt", None, accepted=True, given=True),
    }
    inputs = ("text",) if picture else ("image", "text")
    return TaggedRow(
        number, ItemTags(item_id, tags, inputs, picture, None, 0.5, False, ("low_confidence:colour",)), (kept,)
    )


def test_every_column_of_a_row() -> None:
    found = build_table([row(3), row(9, picture=Problem(Code.IMAGE_DAMAGED, "cut"))], ["colour", "type"], ["price"])
    first, second = found.to_pylist()
    top = [{"label": 'Red, "dark"', "p": 0.123457}, {"label": "Blue", "p": 0.1}, {"label": "Green", "p": 0.05}]
    assert first == {
        "row": 3,
        "id": "007",
        "colour": 'Red, "dark"',
        "colour_confidence": 0.123457,
        "colour_top3": top,
        "colour_source": "predicted",
        "colour_decision": "review",
        "type": "Shirt",
        "type_confidence": None,
        "type_top3": [],
        "type_source": "given",
        "type_decision": "accept",
        "item_confidence": 0.5,
        "item_decision": "review",
        "review": True,
        "review_reasons": ["low_confidence:colour"],
        "inputs": "image+text",
        "picture_status": "ok",
        "price": "x",
    }
    assert (second["row"], second["inputs"], second["picture_status"]) == (9, "text", "IMAGE_DAMAGED")


def test_no_rows_have_the_columns_too() -> None:
    empty = build_table([], ["colour", "type"], ["price"])
    assert empty.schema == build_table([row(0)], ["colour", "type"], ["price"]).schema
    assert to_csv(empty).decode().startswith('"row","id","colour"')


def test_csv_holds_the_same_and_nothing_that_a_spreadsheet_would_run() -> None:
    hostile = ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "=cmd|' /C calc'!A0"]
    table = build_table(
        [row(i, text, kept=text) for i, text in enumerate(["007", *hostile])], ["colour", "type"], ["k"]
    )
    read = pd.read_csv(io.BytesIO(to_csv(table)), dtype=str, keep_default_na=False)
    assert read.columns.tolist() == table.column_names
    assert read["id"].tolist() == ["007", *(f"'{text}" for text in hostile)]
    assert read["k"].tolist()[1:] == [f"'{text}" for text in hostile]
    assert read["colour_top3"][0] == 'Red, "dark"=0.123457;Blue=0.1;Green=0.05'
    assert read["review_reasons"][0] == "low_confidence:colour"
    assert read["colour"][0] == 'Red, "dark"'
    assert read["type_confidence"][0] == ""
    assert [part.count(b"\n") for part in (to_csv(table), to_csv(table, header=False))] == [9, 8]


def test_what_a_csv_file_holds_exactly_is_read_back(tmp_path: Path) -> None:
    table = build_table([row(2, "007"), row(7, 'a\n"b",', kept="x" * 2**21), row(8, "=1")], ["colour", "type"], ["k"])
    (tmp_path / "part.csv").write_bytes(to_csv(table))
    columns = ["row", "id", "colour_confidence", "type_confidence", "type_source", "review", "review_reasons"]
    read = read_csv(tmp_path / "part.csv", ["colour", "type"], columns)
    expected = table.select(columns).to_pylist()
    expected[2]["id"] = "'=1"
    assert read.to_pylist() == [each | {"review_reasons": "low_confidence:colour"} for each in expected]


def test_a_csv_file_without_rows_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "part.csv").write_bytes(to_csv(build_table([], ["colour"], [])))
    assert read_csv(tmp_path / "part.csv", ["colour"], ["row", "colour"]).to_pylist() == []
