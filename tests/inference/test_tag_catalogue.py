"""A whole catalogue: every row is in the tags or in quarantine, whatever its columns are called and its files hold."""

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from tagged import quarantined_in, tags_in

from fashionmt.bundle import read_bundle
from fashionmt.config import PredictColumnsConfig, PredictConfig
from fashionmt.errors import ExitCode, TakenError, TooManyBadError, UserError
from fashionmt.inference import Item, TaggingEngine, run
from fashionmt.inference.run import tag_catalogue


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
    catalogue.keep_columns = ["name", "sku", "name"]
    with pytest.raises(UserError, match="keep_columns: names 'name' twice"):
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


def test_overwriting_tags_again_what_is_all_there(catalogue: PredictConfig) -> None:
    tag_catalogue(catalogue)
    before = tags_in(catalogue.output)
    Image.new("RGB", (60, 80), "blue").save(Path(str(catalogue.images)) / "007.jpg")
    assert tag_catalogue(catalogue)["rows_done_now"] == 0
    catalogue.overwrite = True
    assert tag_catalogue(catalogue)["rows_done_now"] == 5
    after = tags_in(catalogue.output)
    assert (after["item_confidence"] != before["item_confidence"]).tolist() == [True, False, False, False]


def test_shards_overwrite_each_its_own_parts(catalogue: PredictConfig) -> None:
    tag_catalogue(catalogue)
    whole = tags_in(catalogue.output)
    catalogue.overwrite = True
    done = [tag_catalogue(replace(catalogue, shard=shard))["rows_done_now"] for shard in ("0/2", "1/2")]
    assert done == [3, 2]  # of three parts the first and the last, then the second
    assert tags_in(catalogue.output).equals(whole)
    catalogue.part_rows = 4  # another job: its first shard clears the folder, its second keeps what the first made
    done = [tag_catalogue(replace(catalogue, shard=shard))["complete"] for shard in ("1/2", "0/2")]
    assert done == [False, True]


def test_a_job_that_overwrites_leaves_no_joined_file_of_another(catalogue: PredictConfig, tmp_path: Path) -> None:
    catalogue.output = str(tmp_path / "tags.csv")
    tag_catalogue(catalogue)
    other = replace(catalogue, part_rows=4, max_bad_fraction=0.1, overwrite=True)
    for _ in range(2):  # over another job's tags, then over its own
        with pytest.raises(TooManyBadError):
            tag_catalogue(other)
        assert not (tmp_path / "tags.csv").exists()
        tag_catalogue(replace(other, max_bad_fraction=0.2, overwrite=False))
        assert len(pd.read_csv(tmp_path / "tags.csv")) == 4


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


def test_what_is_not_there_is_refused_before_the_bundle_is_read(
    catalogue: PredictConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "read_bundle", None)
    with pytest.raises(UserError, match="images=elsewhere: no such folder or file"):
        tag_catalogue(replace(catalogue, images="elsewhere"))
    catalogue.catalogue = [str(catalogue.catalogue), "nowhere.csv"]
    with pytest.raises(UserError, match=r"nowhere\.csv: no such catalogue"):
        tag_catalogue(catalogue)
    catalogue.catalogue = [str(catalogue.images), str(catalogue.catalogue[0])]
    with pytest.raises(UserError, match=r"photos: a folder, beside other catalogues"):
        tag_catalogue(catalogue)
