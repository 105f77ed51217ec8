"""A whole catalogue: every row is in the tags or in quarantine, whatever its columns are called and its files hold."""

import gzip
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from fashionmt.bundle import read_bundle, save_bundle
from fashionmt.config import PredictColumnsConfig, PredictConfig
from fashionmt.data.tabular import NumericColumn, TabularEncoder
from fashionmt.decoding import Threshold, Thresholds
from fashionmt.errors import ExitCode, TakenError, TooManyBadError, UserError
from fashionmt.inference import Item, TaggingEngine
from fashionmt.inference.quarantine import read_records
from fashionmt.inference.run import tag_catalogue
from fashionmt.model import build_tagger

ATTRIBUTES = ("articleType", "baseColour", "gender", "masterCategory", "subCategory", "season")


@pytest.fixture
def catalogue(tmp_path: Path, trained: Path) -> PredictConfig:
    images = tmp_path / "photos"
    images.mkdir()
    Image.new("RGB", (60, 80), "red").save(images / "007.jpg")
    Image.new("RGB", (60, 80), "red").save(tmp_path / "secret.jpg")
    table = tmp_path / "items.csv"
    table.write_text("sku,name\n007,\n1e5,Blue Shirt\nNA,Red, White Shirt\n../secret,Black Belt\nlost,\n")
    return PredictConfig(
        bundle=str(trained / "bundle"),
        catalogue=str(table),
        images=str(images),
        output=str(tmp_path / "out"),
        columns=PredictColumnsConfig(id="sku", title="name"),
        max_bad_fraction=0.5,
        batch_size=2,
        part_rows=2,
    )


def tags_in(folder: str | Path | None) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted(Path(str(folder)).glob("part-*"))], ignore_index=True)


def quarantined_in(folder: str | Path | None) -> list[dict[str, Any]]:
    return [record for path in sorted(Path(str(folder)).glob("quarantine-*")) for record in read_records(path)]


def test_every_row_is_tagged_or_in_quarantine(catalogue: PredictConfig) -> None:
    summary = tag_catalogue(catalogue)
    tags = tags_in(catalogue.output)
    assert tags["id"].tolist() == ["007", "1e5", "NA", "../secret"]
    assert tags["row"].tolist() == [0, 1, 2, 3]
    assert tags["inputs"].tolist() == ["image", "text", "text", "text"]
    assert tags["picture_status"].tolist() == ["ok", "IMAGE_NOT_FOUND", "IMAGE_NOT_FOUND", "IMAGE_OUTSIDE_ROOT"]
    assert quarantined_in(catalogue.output) == [
        {
            "row": 4,
            "id": "lost",
            "file": catalogue.catalogue,
            "line": 6,
            "code": "IMAGE_NOT_FOUND",
            "message": "no such file",
            "raw": '{"sku": "lost", "name": ""}',
            "raw_base64": False,
            "stage": "fetch",
            "retryable": True,
        }
    ]
    table = pd.read_csv(Path(str(catalogue.output)) / "quarantine.csv")
    assert (table["row"].tolist(), table["code"].tolist()) == ([4], ["IMAGE_NOT_FOUND"])
    assert (summary["rows"], summary["tagged"], summary["quarantined"], summary["complete"]) == (5, 4, 1, True)
    manifest = json.loads((Path(str(catalogue.output)) / "_manifest.json").read_text())
    assert manifest["totals"]["findings"] == {"rows with an unquoted delimiter, rejoined into the title": 1}
    assert manifest["totals"]["picture_problems"] == {"IMAGE_NOT_FOUND": 2, "IMAGE_OUTSIDE_ROOT": 1}
    assert (Path(str(catalogue.output)) / "_SUCCESS").read_text().strip() == manifest["fingerprint"]


def test_bad_rows_are_quarantined_with_their_place_and_take_nobody_along(catalogue: PredictConfig) -> None:
    table = Path(str(catalogue.catalogue))
    table.write_bytes(b'sku,name\na,Shirt\nb,"Shirt\n,Shirt\nc,Sh\xff\nd,Shirt\n')
    catalogue.max_bad_fraction = 1
    tag_catalogue(catalogue)
    assert tags_in(catalogue.output)["id"].tolist() == ["a", "d"]
    found = [(each["row"], each["line"], each["code"], each["id"]) for each in quarantined_in(catalogue.output)]
    assert found == [
        (1, 3, "ROW_BROKEN_QUOTE", None),
        (2, 4, "ID_MISSING", ""),
        (3, 5, "ROW_NOT_UTF8", None),
    ]


def test_more_bad_rows_than_allowed_are_no_success(catalogue: PredictConfig) -> None:
    catalogue.max_bad_fraction = 0.1
    with pytest.raises(
        TooManyBadError, match=r"1 of 5 rows are in quarantine, over 10% \(IMAGE_NOT_FOUND 1\)"
    ) as raised:
        tag_catalogue(catalogue)
    assert raised.value.code == ExitCode.TOO_MANY_BAD
    assert not (Path(str(catalogue.output)) / "_SUCCESS").exists()
    assert len(tags_in(catalogue.output)) == 4
    catalogue.max_bad_fraction = 0.2
    assert tag_catalogue(catalogue)["rows_done_now"] == 0
    assert (Path(str(catalogue.output)) / "_SUCCESS").exists()


def test_a_job_whose_first_rows_are_mostly_bad_is_stopped(
    catalogue: PredictConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fashionmt.inference.run.FIRST_ROWS", 4)
    with pytest.raises(TooManyBadError, match=r"of the first 4 rows 3 have no tags.* Is images= right\?"):
        tag_catalogue(catalogue)
    assert not list(Path(str(catalogue.output)).glob("*SUCCESS"))
    catalogue.early_stop = False
    tag_catalogue(catalogue)
    assert len(tags_in(catalogue.output)) == 4


def test_a_small_catalogue_is_judged_at_its_end_before_its_last_part_is_there(
    catalogue: PredictConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fashionmt.inference.run.FEWEST", 5)
    table = Path(str(catalogue.catalogue))
    with pytest.raises(TooManyBadError, match=r"of the first 5 rows 4 have no tags.* Is images= right\?"):
        tag_catalogue(catalogue)
    assert len(list(Path(str(catalogue.output)).glob("part-*"))) == 2  # of three
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:5]))  # four rows: too few to judge
    catalogue.overwrite = True
    tag_catalogue(catalogue)


def test_an_item_without_its_picture_may_be_quarantined(catalogue: PredictConfig) -> None:
    catalogue.picture_missing, catalogue.max_bad_fraction = "quarantine", 1
    tag_catalogue(catalogue)
    assert tags_in(catalogue.output)["id"].tolist() == ["007"]
    assert [each["row"] for each in quarantined_in(catalogue.output)] == [1, 2, 3, 4]


def test_without_pictures_titles_are_enough(catalogue: PredictConfig) -> None:
    catalogue.images = None
    tag_catalogue(catalogue)
    tags = tags_in(catalogue.output)
    assert tags["id"].tolist() == ["1e5", "NA", "../secret"]
    assert set(tags["picture_status"]) == {"none"}
    assert {each["code"] for each in quarantined_in(catalogue.output)} == {"NOTHING_TO_READ"}


def test_rows_without_an_id_are_not_taken_for_one_item(
    catalogue: PredictConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Path(str(catalogue.catalogue))
    table.write_text(table.read_text() + ",Red Shirt\n,Red Shirt\n")
    catalogue.max_bad_fraction = 1
    tag_catalogue(catalogue)
    assert "whose id an earlier row has" not in capsys.readouterr().err
    assert [each["code"] for each in quarantined_in(catalogue.output)][-2:] == ["ID_MISSING", "ID_MISSING"]


def test_people_read_what_is_no_text_with_its_bytes_named(catalogue: PredictConfig) -> None:
    table = Path(str(catalogue.catalogue))
    table.write_bytes(table.read_bytes() + b"A-1,Caf\xe9 Shirt\n")
    catalogue.max_bad_fraction = 1
    tag_catalogue(catalogue)
    assert r"A-1,Caf\xe9 Shirt" in (Path(str(catalogue.output)) / "quarantine.csv").read_text()


def test_ids_that_stand_twice_are_counted_and_tagged(
    catalogue: PredictConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    table = Path(str(catalogue.catalogue))
    table.write_text(table.read_text() + "007,again\n")
    tag_catalogue(catalogue)
    assert tags_in(catalogue.output)["id"].tolist() == ["007", "1e5", "NA", "../secret", "007"]
    assert "1 rows whose id an earlier row has" in capsys.readouterr().err


def test_a_missing_column_names_those_found_and_nothing_is_written(catalogue: PredictConfig) -> None:
    catalogue.columns = PredictColumnsConfig(id="sku")
    with pytest.raises(UserError, match=r"found: sku, name\. Set columns\.title=<column>, or columns\.title= where"):
        tag_catalogue(catalogue)
    catalogue.columns = PredictColumnsConfig(id="sku", title="name")
    catalogue.keep_columns = ["price"]
    with pytest.raises(UserError, match="keep_columns: no column 'price'"):
        tag_catalogue(catalogue)
    Path(str(catalogue.catalogue)).write_text("sku,name,review\n")
    catalogue.keep_columns = ["review"]
    with pytest.raises(UserError, match="keep_columns: 'review' is a column of the tags themselves"):
        tag_catalogue(catalogue)
    assert not Path(str(catalogue.output)).exists()


def test_no_rows_are_an_output_with_all_columns(catalogue: PredictConfig) -> None:
    Path(str(catalogue.catalogue)).write_text("sku,name\n")
    assert tag_catalogue(catalogue)["rows"] == 0
    assert "articleType_top3" in tags_in(catalogue.output).columns
    assert (Path(str(catalogue.output)) / "_SUCCESS").exists()


# Formats


def same_tags(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    columns = [column for column in one.columns if not column.endswith(("_top3", "_confidence"))]
    numbers = [column for column in one.columns if column.endswith("_confidence")]
    close = bool(((one[numbers] - other[numbers]).abs().fillna(0) < 1e-5).all().all())
    return close and bool(one[columns].astype(str).equals(other[columns].astype(str)))


@pytest.mark.parametrize("suffix", ["tsv", "jsonl", "parquet", "csv.gz"])
def test_every_format_gives_the_same_tags(catalogue: PredictConfig, tmp_path: Path, suffix: str) -> None:
    rows = [("007", ""), ("1e5", "Blue Shirt"), ("NA", "Red, White Shirt"), (" x", 'The "5\t inch" Belt\nnew')]
    frame = pd.DataFrame(rows, columns=["sku", "name"])
    outputs = []
    for name in ("csv", suffix):
        path = tmp_path / f"same.{name}"
        if name == "parquet":
            frame.to_parquet(path)
        elif name == "jsonl":
            frame.to_json(path, orient="records", lines=True)
        else:
            frame.to_csv(path, index=False, sep="\t" if name == "tsv" else ",")
        catalogue.catalogue, catalogue.output = str(path), str(tmp_path / f"out-{name}")
        tag_catalogue(catalogue)
        outputs.append(tags_in(catalogue.output))
    assert outputs[0]["id"].tolist() == ["007", "1e5", "NA", " x"]
    assert same_tags(*outputs)


def test_several_files_are_one_catalogue(catalogue: PredictConfig, tmp_path: Path) -> None:
    tag_catalogue(catalogue)
    whole = tags_in(catalogue.output)
    lines = Path(str(catalogue.catalogue)).read_text().splitlines(keepends=True)
    (tmp_path / "part1.csv").write_text("".join(lines[:4]))
    with gzip.open(tmp_path / "part2.csv.gz", "wt") as file:
        file.write("".join([lines[0], *lines[4:]]))
    for names in ([str(tmp_path / "part1.csv"), str(tmp_path / "part2.csv.gz")], str(tmp_path / "part*")):
        catalogue.catalogue, catalogue.output = names, str(tmp_path / f"out{len(names)}")
        tag_catalogue(catalogue)
        assert same_tags(tags_in(catalogue.output), whole)
        assert [(each["row"], Path(each["file"]).name, each["line"]) for each in quarantined_in(catalogue.output)] == [
            (4, "part2.csv.gz", 3)
        ]


def test_a_folder_of_pictures_is_a_catalogue(catalogue: PredictConfig, tmp_path: Path) -> None:
    photos = Path(str(catalogue.images))
    (photos / "new").mkdir()
    Image.new("RGB", (60, 80), "blue").save(photos / "new" / "1.png")
    (photos / "new" / "broken.jpg").write_bytes(b"\xff\xd8")
    (photos / "notes.txt").write_text("no picture")
    catalogue.catalogue, catalogue.images, catalogue.columns = str(photos), None, PredictColumnsConfig()
    tag_catalogue(catalogue)
    tags = tags_in(catalogue.output)
    assert tags["id"].tolist() == ["007.jpg", "new/1.png"]
    assert set(tags["inputs"]) == {"image"}
    assert [(each["id"], each["code"]) for each in quarantined_in(catalogue.output)] == [
        ("new/broken.jpg", "IMAGE_FORMAT_REFUSED")
    ]


@pytest.mark.parametrize("name", ["tags.csv", "tags.parquet"])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_one_file_is_the_parts_joined(catalogue: PredictConfig, tmp_path: Path, name: str, form: str) -> None:
    if name == "tags.parquet" and form == "csv":
        catalogue.output, catalogue.format = str(tmp_path / name), form
        with pytest.raises(UserError, match=r"Set format=parquet"):
            tag_catalogue(catalogue)
        return
    tag_catalogue(catalogue)
    whole = tags_in(catalogue.output)
    catalogue.output, catalogue.format = str(tmp_path / name), form
    assert tag_catalogue(catalogue)["output"] == catalogue.output
    if name == "tags.csv":
        read = pd.read_csv(tmp_path / name, dtype={"id": str}, keep_default_na=False)
        assert read["id"].tolist() == whole["id"].tolist()
        assert read["articleType"].tolist() == whole["articleType"].tolist()
        assert read.columns.tolist() == whole.columns.tolist()
    else:
        assert same_tags(pd.read_parquet(tmp_path / name), whole)
    (tmp_path / name).unlink()
    assert tag_catalogue(catalogue)["rows_done_now"] == 0
    assert (tmp_path / name).is_file()


# The folder


def test_a_finished_job_is_not_done_again_and_another_one_does_not_touch_it(catalogue: PredictConfig) -> None:
    tag_catalogue(catalogue)
    before = {path: path.stat().st_mtime_ns for path in Path(str(catalogue.output)).iterdir() if path.suffix != ".lock"}
    assert tag_catalogue(catalogue)["rows_done_now"] == 0
    catalogue.part_rows = 4
    with pytest.raises(TakenError, match="holds another job's tags") as raised:
        tag_catalogue(catalogue)
    assert raised.value.code == ExitCode.TAKEN
    assert {path: path.stat().st_mtime_ns for path in before} == before
    catalogue.overwrite = True
    assert tag_catalogue(catalogue)["rows_done_now"] == 5
    catalogue.overwrite = False
    assert tag_catalogue(catalogue)["rows_done_now"] == 0


def test_a_folder_or_file_of_someone_else_is_left_alone(catalogue: PredictConfig, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    (tmp_path / "tags.csv").write_text("mine")
    for output in ("out", "tags.csv"):
        catalogue.output = str(tmp_path / output)
        with pytest.raises(TakenError):
            tag_catalogue(catalogue)
        catalogue.overwrite = True
        tag_catalogue(catalogue)
        catalogue.overwrite = False
    assert (tmp_path / "out" / "thesis.txt").read_text() == "mine"
    assert (tmp_path / "tags.csv").read_text() != "mine"


def test_rows_in_quarantine_are_tried_again_when_asked(catalogue: PredictConfig) -> None:
    tag_catalogue(catalogue)
    Image.new("RGB", (60, 80), "blue").save(Path(str(catalogue.images)) / "lost.jpg")
    assert tag_catalogue(catalogue)["rows_done_now"] == 0
    catalogue.retry = "quarantine"
    summary = tag_catalogue(catalogue)
    assert (summary["quarantined"], summary["tagged"]) == (0, 5)
    assert summary["rows_done_now"] == 5  # each part has a row that may pass now
    assert not (Path(str(catalogue.output)) / "quarantine.csv").exists()
    tags = tags_in(catalogue.output)
    assert tags["row"].tolist() == [0, 1, 2, 3, 4]


def test_shards_make_the_whole_together(catalogue: PredictConfig, tmp_path: Path) -> None:
    tag_catalogue(catalogue)
    whole = tags_in(catalogue.output)
    catalogue.output = str(tmp_path / "sharded")
    done = []
    for shard in ("1/3", "0/3", "2/3"):
        catalogue.shard = shard
        done.append(tag_catalogue(catalogue))
    assert [(each["complete"], each.get("parts_missing", 0)) for each in done] == [(False, 2), (False, 1), (True, 0)]
    assert tags_in(catalogue.output).equals(whole)


def test_finalize_closes_what_is_whole_and_names_what_is_not(catalogue: PredictConfig) -> None:
    catalogue.shard = "0/2"
    tag_catalogue(catalogue)
    catalogue.finalize = True
    with pytest.raises(UserError, match=r"1 of 3 parts are missing \(1\)"):
        tag_catalogue(catalogue)
    tag_catalogue(replace(catalogue, shard="1/2", finalize=False))
    success = Path(str(catalogue.output)) / "_SUCCESS"
    success.unlink()
    done = tag_catalogue(catalogue)
    assert (done["complete"], done["rows_done_now"]) == (True, 0)
    assert success.is_file()


# Read and written otherwise


def test_embeddings_stand_beside_the_tags_row_by_row(catalogue: PredictConfig) -> None:
    tag_catalogue(replace(catalogue, embeddings=True))
    found = [pd.read_parquet(path) for path in sorted(Path(str(catalogue.output)).glob("embeddings-*"))]
    beside = pd.concat(found, ignore_index=True)
    assert beside[["row", "id"]].equals(tags_in(catalogue.output)[["row", "id"]])
    vectors = np.stack(beside["embedding"].tolist())
    assert vectors.dtype == np.float32
    items = [Item("1e5", "Blue Shirt"), Item("007", None, Path(str(catalogue.images)) / "007.jpg")]
    told = TaggingEngine(read_bundle(Path(str(catalogue.bundle))), embeddings=True).tag(items)
    assert np.allclose(vectors[[1, 0]], np.stack([np.asarray(tags.embedding) for tags in told]), atol=1e-4)
    with pytest.raises(TakenError):  # tags without embeddings are another job
        tag_catalogue(catalogue)


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl"])
def test_the_standard_input_is_a_catalogue(
    catalogue: PredictConfig, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {
        "csv": "sku,name\n007,\n1e5,Blue Shirt\n",
        "tsv": "sku\tname\n007\t\n1e5\tBlue Shirt\n",
        "jsonl": '{"sku": "007", "name": ""}\n{"sku": "1e5", "name": "Blue Shirt"}\n',
    }
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(texts[form].encode())))
    done = tag_catalogue(replace(catalogue, catalogue="-", stdin_format=form))
    assert done["tagged"] == 2
    assert tags_in(catalogue.output)[["id", "inputs"]].to_numpy().tolist() == [["007", "image"], ["1e5", "text"]]


# Deciding


@pytest.fixture
def tag_with(
    catalogue: PredictConfig, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[Thresholds | None], tuple[pd.DataFrame, str]]:
    """Tags the catalogue under these thresholds alone, nothing being unknown: the tags, and what was told."""

    def tag(thresholds: Thresholds | None) -> tuple[pd.DataFrame, str]:
        decided = replace(read_bundle(trained / "bundle"), thresholds=thresholds, novelty=None)
        save_bundle(decided, tmp_path / "decided")
        catalogue.bundle = str(tmp_path / "decided")
        tag_catalogue(catalogue)
        return tags_in(catalogue.output), capsys.readouterr().err

    return tag


def test_the_decisions_are_in_the_file_and_their_shares_on_the_screen(
    tag_with: Callable[[Thresholds | None], tuple[pd.DataFrame, str]],
) -> None:
    heads = {name: Threshold(0.9, 0.0) for name in ATTRIBUTES} | {"season": Threshold(0.95, None)}
    tags, printed = tag_with(Thresholds(heads | {"gender": Threshold(0.9, 1.0)}, Threshold(0.8, 0.0)))
    assert set(tags["articleType_decision"]) == set(tags["item_decision"]) == {"accept"}
    assert set(tags["season_decision"]) == set(tags["gender_decision"]) == {"review"}
    assert tags["review"].all()
    assert {reason for reasons in tags["review_reasons"] for reason in reasons} == {
        "low_confidence:gender",
        "low_confidence:season",
    }
    assert "accepted: articleType 100%, baseColour 100%, gender 0%" in printed
    assert "all of them 100%; the rest is for review" in printed
    assert "for the accuracy asked: season (0.95)" in printed
    first = next(line for line in printed.splitlines() if "1e5" in line)
    assert first.count("?") == 2


def test_nothing_accepted_is_said(tag_with: Callable[[Thresholds | None], tuple[pd.DataFrame, str]]) -> None:
    tags, printed = tag_with(None)
    assert set(tags["item_decision"]) == {"review"}
    assert "accepted: nothing, as the bundle has no thresholds" in printed
    assert "?" not in printed.split("accepted:")[0].split("inputs")[1]


# Other columns


def test_what_the_seller_gave_is_kept(catalogue: PredictConfig, capsys: pytest.CaptureFixture[str]) -> None:
    Path(str(catalogue.catalogue)).write_text("sku,name,gender,hue\n1,Red Shirt,Women,\n2,Belt,,Teal\n3,Belt,,\n")
    catalogue.columns.given = {"baseColour": "hue"}
    catalogue.keep_columns = ["hue"]
    tag_catalogue(catalogue)
    assert "given: baseColour = hue, gender = gender" in capsys.readouterr().err
    tags = tags_in(catalogue.output)
    assert tags["gender_source"].tolist() == ["given", "predicted", "predicted"]
    assert tags["baseColour"].tolist()[1] == "Teal"
    assert tags["hue"].tolist() == ["", "Teal", ""]
    assert tags["gender"].tolist()[0] == "Women"
    catalogue.given, catalogue.output = False, f"{catalogue.output}2"
    tag_catalogue(catalogue)
    assert set(tags_in(catalogue.output)["gender_source"]) == {"predicted"}
    catalogue.given, catalogue.columns.given = True, {"colour": "hue"}
    with pytest.raises(UserError, match=r"columns\.given\.colour: the bundle has no such attribute"):
        tag_catalogue(catalogue)


@pytest.fixture
def with_year(trained: Path, tmp_path: Path) -> Path:
    """A bundle whose tagger reads a year too: that of `trained`, and a tower of random weights."""
    torch.manual_seed(0)
    bundle = read_bundle(trained / "bundle")
    encoder = TabularEncoder({"year": NumericColumn(("",), (2010.0, 2012.0, 2014.0))})
    classes = {name: len(space) for name, space in bundle.spaces.items()}
    tagger = build_tagger(bundle.config, classes, bundle.titles.vocabulary_sizes(), encoder.sizes())
    columns = replace(bundle.columns, tabular={"year": "year"})
    save_bundle(replace(bundle, build=lambda: tagger, tabular=encoder, columns=columns), tmp_path / "dated")
    return tmp_path / "dated"


def test_other_columns_are_read_and_do_not_stand_for_picture_and_title(
    catalogue: PredictConfig, with_year: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(str(catalogue.catalogue)).write_text(
        "sku,name,anno\n007,,2012\n1e5,Belt,soon\nb,Belt,2010\nc,Belt,2014\nd,,2011\n"
    )
    catalogue.bundle, catalogue.columns.tabular = str(with_year), {"year": "anno"}
    tag_catalogue(catalogue)
    tags = tags_in(catalogue.output).set_index("id")
    assert tags["inputs"].to_dict() == {"007": "image+tabular", "1e5": "text", "b": "text+tabular", "c": "text+tabular"}
    assert tags.loc["b", "season_confidence"] != tags.loc["c", "season_confidence"]
    assert [each["id"] for each in quarantined_in(catalogue.output)] == ["d"]
    assert "1 year values that are no number: read as not known" in capsys.readouterr().err


def test_a_column_that_the_catalogue_lacks_is_named_or_left_out(catalogue: PredictConfig, with_year: Path) -> None:
    catalogue.bundle = str(with_year)
    with pytest.raises(UserError, match=r"no column 'year' .* Set columns\.tabular\.year=<column>, or "):
        tag_catalogue(catalogue)
    catalogue.columns.tabular = {"yeer": "anno"}
    with pytest.raises(UserError, match=r"columns\.tabular\.yeer: the bundle reads no such column\. Use one of year"):
        tag_catalogue(catalogue)
    catalogue.columns.tabular = {"year": ""}
    tag_catalogue(catalogue)
    assert tags_in(catalogue.output)["inputs"].tolist() == ["image", "text", "text", "text"]
