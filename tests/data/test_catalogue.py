"""Catalogues: ids byte for byte, holes where declared, and no picture from outside the picture folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from fashionmt.config import AttributeConfig, ColumnsConfig, DataConfig, SplitConfig
from fashionmt.data.catalogue import CatalogueFiles, CatalogueReader, CatalogueRow, ColumnMap
from fashionmt.data.findings import Findings
from fashionmt.data.stored_catalogue import read_catalogue
from fashionmt.errors import UserError

Write = Callable[[Sequence[Mapping[str, str]]], Path]
KIND = {"kind": AttributeConfig()}


def read(path: Path, images: Path | None = None, **options: object) -> tuple[list[CatalogueRow], Findings]:
    config = DataConfig(**{"attributes": KIND, **options})  # type: ignore[arg-type]
    catalogue, findings = read_catalogue(CatalogueFiles(path, images), config, path.parent / "cache")
    return list(catalogue.rows()), findings


def tally(findings: Findings) -> dict[str, int]:
    return {record["what"]: record["count"] for record in findings.to_json()}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    return folder


# What is refused


def test_an_absent_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.csv: no such catalogue"):
        read(tmp_path / "nothing.csv")


def test_an_unset_catalogue_is_refused() -> None:
    with pytest.raises(UserError, match=r"data\.catalogue: not set"):
        CatalogueFiles.locate(DataConfig(attributes=KIND))


def test_an_absent_picture_folder_is_refused(tmp_path: Path, write_csv: Write) -> None:
    with pytest.raises(UserError, match=r"pictures: no such picture folder\. Check data\.images=<folder>"):
        read(write_csv([{"id": "1", "title": "a", "kind": "b"}]), tmp_path / "pictures")


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"columns": ColumnsConfig(id="sku")}, "data.columns.id"),
        ({"columns": ColumnsConfig(title="sku")}, "data.columns.title"),
        ({"columns": ColumnsConfig(picture="sku")}, "data.columns.picture"),
        ({"columns": ColumnsConfig(time="sku")}, "data.columns.time"),
        ({"attributes": {"sku": AttributeConfig()}}, "data.attributes.sku.column"),
        ({"attributes": {"colour": AttributeConfig(column="sku")}}, "data.attributes.colour.column"),
    ],
)
def test_an_absent_column_is_refused_with_those_found(
    write_csv: Write, options: dict[str, object], option: str
) -> None:
    path = write_csv([{"id": "1", "title": "a", "kind": "b"}])
    with pytest.raises(UserError) as refused:
        read(path, **options)
    assert "no column 'sku'" in str(refused.value)
    assert "found: id, title, kind" in str(refused.value)
    assert f"Set {option}=<column>" in str(refused.value)


def test_a_duplicate_id_is_refused_with_both_lines(write_csv: Write) -> None:
    rows = [{"id": name, "title": "a", "kind": "b"} for name in ("x", "y", "z", "y")]
    with pytest.raises(UserError, match=r"items\.csv line 5: id 'y' stands already at line 3"):
        read(write_csv(rows))


def test_an_empty_id_is_refused_with_its_line(write_csv: Write) -> None:
    rows = [{"id": name, "title": "a", "kind": "b"} for name in ("x", "", "z")]
    with pytest.raises(UserError, match=r"items\.csv line 3: the id is empty"):
        read(write_csv(rows))


def test_a_catalogue_without_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("id,title,kind\n")
    with pytest.raises(UserError, match="the catalogue is empty"):
        read(path)


# What is read


def test_ids_are_kept_byte_for_byte(write_csv: Write) -> None:
    """Texts that pandas would read as one number, as a number, or as a hole; and ids that differ by little."""
    ids = ["007", "7", "7.0", "1e5", "100000", "NA", "nan", "null", " x ", "x", "X", "é", "e\u0301", "a,b", "True"]
    rows, _ = read(write_csv([{"id": name, "title": "a", "kind": "b"} for name in ids]))
    assert [row.id for row in rows] == ids


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        ([""], ["NA", None, "nan", "-", "Red"]),
        (["", "NA"], [None, None, "nan", "-", "Red"]),
        (["-"], ["NA", "", "nan", None, "Red"]),
        ([], ["NA", "", "nan", "-", "Red"]),
    ],
)
def test_a_label_is_a_hole_only_where_the_column_says_so(
    write_csv: Write, missing: list[str], expected: list[str | None]
) -> None:
    texts = ["NA", "", "nan", "-", "Red"]
    path = write_csv([{"id": f"{i}", "title": "a", "kind": text} for i, text in enumerate(texts)])
    rows, findings = read(path, attributes={"kind": AttributeConfig(missing=missing)})
    assert [row.labels for row in rows] == [{"kind": label} for label in expected]
    holes = [text for text, label in zip(texts, expected, strict=True) if label is None]
    assert tally(findings) == {f"kind labels that read {text!r}": 1 for text in holes}


def test_blanks_around_a_label_are_stripped_and_counted(write_csv: Write) -> None:
    texts = ["Red", " Red", "Red\t", " ", " NA ", "Dark Red"]
    path = write_csv([{"id": f"{i}", "title": "a", "kind": text} for i, text in enumerate(texts)])
    rows, findings = read(path, attributes={"kind": AttributeConfig(missing=["", "NA"])})
    assert [row.labels["kind"] for row in rows] == ["Red", "Red", "Red", None, None, "Dark Red"]
    assert tally(findings) == {
        "kind labels with blanks around them": 2,
        "kind labels that read ''": 1,
        "kind labels that read 'NA'": 1,
    }
    blank, _ = read(path, attributes={"kind": AttributeConfig(missing=[" "])})
    assert [row.labels["kind"] for row in blank] == ["Red", "Red", "Red", None, "NA", "Dark Red"]


def test_blanks_around_titles_and_values_are_stripped_and_counted(write_csv: Write) -> None:
    texts = [("Red Hat", "2003"), (" Red Hat", " 2004 "), ("Red Hat\t", ""), (" ", "  ")]
    path = write_csv([{"id": f"{i}", "title": t, "year": y, "kind": "Hat"} for i, (t, y) in enumerate(texts)])
    rows, findings = read(path, numeric=["year"])
    assert [row.title for row in rows] == ["Red Hat", "Red Hat", "Red Hat", None]
    assert [row.tabular["year"] for row in rows] == ["2003", "2004", "", ""]
    assert tally(findings) == {
        "titles with blanks around them": 2,
        "year values with blanks around them": 1,
        "titles that read ''": 1,
    }


def test_two_attributes_of_one_column_have_their_own_holes(write_csv: Write) -> None:
    path = write_csv([{"id": "1", "title": "a", "kind": "NA"}])
    attributes = {"kind": AttributeConfig(), "strict": AttributeConfig(column="kind", missing=["NA"])}
    rows, _ = read(path, attributes=attributes)
    assert rows[0].labels == {"kind": "NA", "strict": None}


@pytest.mark.parametrize(
    ("missing", "expected"),
    [(("",), ["NA", None, None, "Shirt", "na"]), (("", "NA"), [None, None, None, "Shirt", "na"])],
)
def test_titles_are_stripped_and_holes_where_declared(
    write_csv: Write, missing: tuple[str, ...], expected: list[str | None]
) -> None:
    texts = ["NA", "", " \t ", "  Shirt\n", "na"]
    path = write_csv([{"id": f"{i}", "title": text, "kind": "b"} for i, text in enumerate(texts)])
    rows, findings = read(path, missing_titles=list(missing))
    assert [row.title for row in rows] == expected
    assert tally(findings).pop("titles with blanks around them") == 1
    assert sum(tally(findings).values()) == expected.count(None) + 1


def test_a_blank_title_is_a_hole_even_if_none_is_declared(write_csv: Write) -> None:
    rows, _ = read(write_csv([{"id": "1", "title": " ", "kind": "b"}]), missing_titles=[])
    assert rows[0].title is None


def test_a_time_is_a_text_and_the_empty_one_is_none(write_csv: Write) -> None:
    path = write_csv([{"id": f"{i}", "title": "a", "kind": "b", "year": y} for i, y in enumerate(["2012", ""])])
    assert [row.time for row in read(path, columns=ColumnsConfig(time="year"))[0]] == ["2012", None]
    assert [row.time for row in read(path)[0]] == [None, None]


def test_times_that_mean_not_known_are_none_and_told_where_the_split_reads_them(write_csv: Write) -> None:
    texts = ["2012", " 2013 ", "NA", " NULL ", "", " "]
    path = write_csv([{"id": str(i), "title": "a", "kind": "b", "year": text} for i, text in enumerate(texts)])
    columns = ColumnsConfig(time="year", missing_times=["NA", "NULL"])
    rows, findings = read(path, columns=columns, split=SplitConfig(kind="time"))
    assert [row.time for row in rows] == ["2012", "2013", None, None, None, None]
    assert tally(findings) == {"times that read 'NA'": 1, "times that read 'NULL'": 1, "times that read ''": 2}
    assert tally(read(path, columns=columns)[1]) == {}


def test_a_catalogue_may_have_no_titles_and_no_pictures(write_csv: Write) -> None:
    rows, findings = read(write_csv([{"id": "1", "kind": "b"}]), columns=ColumnsConfig(title=None))
    assert rows == [CatalogueRow("1", None, None, None, {"kind": "b"}, None)]
    assert tally(findings) == {}


def test_a_repair_is_counted_with_the_item_it_was_made_for(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("id,kind,title\nx,b,Shirt, slim\ny,b,Shirt\nz\n")
    rows, findings = read(path)
    assert [row.title for row in rows] == ["Shirt, slim", "Shirt", None]
    repaired = {r["what"]: (r["count"], r["examples"]) for r in findings.to_json() if r["action"] == "repaired"}
    assert len(repaired) == 2
    assert sorted(repaired.values()) == [(1, ["x"]), (1, ["z"])]


# Pictures


HOSTILE = [
    "..",
    ".",
    "../secret",
    "../secret.jpg",
    "../images/../secret",
    "a/../../secret",
    "../../../../../../../../etc/passwd",
    "/etc/passwd",
    "//etc/passwd",
    "{outside}/secret",
    "~/secret",
    "link",
    "folder/secret",
    "folder/../secret",
    "chain",
    "loop",
    "loop/../link",
    "loop/../loop/../link",
    "there/../loop/../link",
    "absent/../link",
    "absent/../../secret",
    "\0",
    "link\0",
    "../secret\0.jpg",
    "..\\secret",
    "%2e%2e/secret",
    "\uff0e\uff0e/secret",
    "file:///etc/passwd",
    "C:\\secret",
    "a\n../secret",
    "x" * 300,
    "x/" * 3000,
    "{id}",
    "-",
    "*",
]


@pytest.mark.parametrize("pattern", ["{id}", "{id}.jpg", "there/{id}", "{id}/{id}"])
@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_no_id_leads_out_of_the_picture_folder(tmp_path: Path, images: Path, name: str, pattern: str) -> None:
    """Whatever is named, nothing that can be opened lies outside: checked by its contents, not by its path."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (images / "there").mkdir()
    for secret in (outside / "secret", outside / "secret.jpg", tmp_path / "secret", tmp_path / "secret.jpg"):
        secret.write_text("secret")
    for link in ("link", "link.jpg", "there/link", "there/link.jpg"):
        (images / link).symlink_to(outside / "secret")
    for link in ("folder", "there/folder"):
        (images / link).symlink_to(outside)
    for link in ("chain", "chain.jpg"):
        (images / link).symlink_to("link")
    for link in ("loop", "loop.jpg", "there/loop"):
        (images / link).symlink_to(Path(link).name)
    columns = ColumnMap("id", None, None, pattern, ())
    path = tmp_path / "items.parquet"
    _write_ids(path, [name.replace("{outside}", str(outside))])
    reader = CatalogueReader(path, images, columns)
    ((_, item),) = reader.rows()
    try:
        found = None if item.picture is None else item.picture.read_text()
    except (OSError, ValueError):
        found = None
    assert found is None
    assert item.picture is not None or tally(reader.findings) == {f"items whose id or column {item.picture_problem}": 1}


def _write_ids(path: Path, ids: list[str]) -> None:
    """Parquet, for ids that no text file may hold."""
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"id": ids}), path)


def test_links_that_stay_in_the_picture_folder_are_followed(write_csv: Write, images: Path) -> None:
    (images / "real.jpg").write_text("picture")
    (images / "1.jpg").symlink_to("real.jpg")
    (images / "2.jpg").symlink_to(images / "1.jpg")
    rows, findings = read(write_csv([{"id": i, "title": "a", "kind": "b"} for i in ("1", "2")]), images)
    assert [row.picture for row in rows] == [images / "real.jpg"] * 2
    assert tally(findings) == {}


def test_the_picture_folder_may_itself_be_a_link(tmp_path: Path, write_csv: Write, images: Path) -> None:
    (tmp_path / "alias").symlink_to(images)
    rows, _ = read(write_csv([{"id": "1", "title": "a", "kind": "b"}]), tmp_path / "alias")
    assert rows[0].picture == images / "1.jpg"


def test_a_picture_that_is_named_but_absent_is_left_to_the_decoder(write_csv: Write, images: Path) -> None:
    rows, findings = read(write_csv([{"id": "007", "title": "a", "kind": "b"}]), images)
    assert rows[0].picture == images / "007.jpg"
    assert tally(findings) == {}


def test_a_picture_column_names_files_in_subfolders(write_csv: Write, images: Path) -> None:
    (images / "men").mkdir()
    (images / "men" / "a b.png").write_text("picture")
    named = ["men/a b.png", "./men/../men/a b.png", "", "../items.csv"]
    path = write_csv([{"id": f"{i}", "title": "a", "kind": "b", "file": name} for i, name in enumerate(named)])
    rows, findings = read(path, images, columns=ColumnsConfig(picture="file"))
    assert [row.picture for row in rows] == [images / "men" / "a b.png"] * 2 + [None, None]
    assert [row.picture_problem is None for row in rows] == [True, True, True, False]
    assert tally(findings) == {"items whose id or column names a picture outside the picture folder": 1}


def test_the_pattern_replaces_the_id_and_nothing_else(write_csv: Write, images: Path) -> None:
    path = write_csv([{"id": name, "title": "a", "kind": "b"} for name in ("{id}", "{0}", "%s")])
    rows, _ = read(path, images, picture_pattern="{x}-{id}-{id}.webp")
    assert [row.picture for row in rows] == [images / f"{{x}}-{i}-{i}.webp" for i in ("{id}", "{0}", "%s")]
