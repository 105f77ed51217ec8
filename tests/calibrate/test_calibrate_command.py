"""`task=calibrate`: a bundle is fitted to a labelled catalogue, and says what that is worth on items it did not see."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import one_thread

from fashionmt.bundle import read_bundle, save_bundle
from fashionmt.calibrate import calibrate_bundle
from fashionmt.config import CalibrateConfig, PredictColumnsConfig, PredictConfig
from fashionmt.data.sample import sample_catalogue
from fashionmt.data.tables import Table
from fashionmt.errors import TooManyBadError, UserError
from fashionmt.inference import TaggingEngine
from fashionmt.inference.run import tag_catalogue

_one_thread = pytest.fixture(autouse=True)(one_thread)
ROWS = 300
ATTRIBUTES = ("articleType", "baseColour", "gender", "masterCategory", "subCategory", "season")


@pytest.fixture(scope="module")
def rows(cache: Path) -> list[dict[str, str]]:
    """Of the sample, with pictures; every fifth says nothing but that it is an item."""
    drawn = sample_catalogue(cache)
    found = [row.values for row in Table(drawn.catalogue, "productDisplayName").rows()]
    kept = [row for row in found if (drawn.images / f"{row['id']}.jpg").is_file()][:ROWS]
    return [{**row, "productDisplayName": "Item"} if i % 5 == 0 else row for i, row in enumerate(kept)]


def written(path: Path, rows: list[dict[str, str]], drop: tuple[str, ...] = ()) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        columns = [name for name in rows[0] if name not in drop]
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


@pytest.fixture
def config(tmp_path: Path, trained: Path, cache: Path, rows: list[dict[str, str]]) -> PredictConfig:
    return PredictConfig(
        task="calibrate",
        bundle=str(trained / "bundle"),
        catalogue=written(tmp_path / "labelled.csv", rows),
        images=str(sample_catalogue(cache).images),
        output=str(tmp_path / "new"),
        batch_size=50,
        calibrate=CalibrateConfig(target_accuracy={"season": 0.8}, folds=3),
    )


def test_it_makes_a_bundle_that_answers_by_what_the_labels_taught(
    config: PredictConfig, rows: list[dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = calibrate_bundle(config)
    json.dumps(summary)
    assert (summary["rows"], summary["items"], summary["unread"], summary["unlabelled"]) == (ROWS, ROWS, 0, 0)
    before, after = read_bundle(Path(str(config.bundle))), read_bundle(tmp_path / "new")
    weights = zip(before.tagger.state_dict().values(), after.tagger.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in weights)
    assert after.decoder.taxonomy == before.decoder.taxonomy
    assert after.decoder.temperatures != before.decoder.temperatures
    assert after.alone["text"].temperatures != before.alone["text"].temperatures
    assert after.decoder.thresholds is not None
    targets = {name: threshold.target_accuracy for name, threshold in after.decoder.thresholds.heads.items()}
    assert targets == {name: 0.8 if name == "season" else 0.95 for name in ATTRIBUTES}
    assert after.provenance["calibrated_on"] == f"labelled.csv, {ROWS} items"
    told = capsys.readouterr().err
    assert f"{ROWS} rows: {ROWS} with labels, 0 without, 0 unread" in told
    assert re.search(r"labels are of [1-9]\d* families", told)
    assert "accuracy on labelled.csv (3 folds)" in (tmp_path / "new/README.md").read_text()
    # A tenth of the titles say nothing: whoever was sure of the rest is too sure of these.
    gaps = {
        name: (summary["before"]["attributes"][name]["ece"], summary["after"]["attributes"][name]["ece"])
        for name in ATTRIBUTES
    }
    assert sum(new for _, new in gaps.values()) < sum(old for old, _ in gaps.values())
    for name, row in summary["after"]["attributes"].items():
        assert row["items"] == sum(bool(each[name].strip()) for each in rows)


def test_what_it_states_is_what_tagging_by_the_new_bundle_gives(
    config: PredictConfig, rows: list[dict[str, str]], tmp_path: Path, cache: Path
) -> None:
    """Answers and confidences: the labels are read, and the items answered, as tagging reads and answers them."""
    calibrate_bundle(config)
    bundle = read_bundle(tmp_path / "new")
    images = sample_catalogue(cache).images
    asked = [
        {"id": row["id"], "title": row["productDisplayName"], "image": images / f"{row['id']}.jpg"} for row in rows
    ]
    tagged = TaggingEngine(replace(bundle, novelty=None)).tag(asked)
    for name in ("baseColour", "gender"):
        labelled = [(tags.tags[name], row[name]) for tags, row in zip(tagged, rows, strict=True) if row[name].strip()]
        right = sum(tag.value == label for tag, label in labelled) / len(labelled)
        sure = sum(tag.confidence or 0.0 for tag, _ in labelled) / len(labelled)
        assert sure == pytest.approx(right, abs=0.02)  # on average, of the items it was fitted to


def test_attributes_with_few_labels_stay_as_they_are(
    config: PredictConfig, rows: list[dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    few = [{**row, "season": row["season"] if i < 20 else "", "subCategory": ""} for i, row in enumerate(rows)]
    config.catalogue = written(Path(str(config.catalogue)), few)
    summary = calibrate_bundle(config)
    before, after = read_bundle(Path(str(config.bundle))), read_bundle(Path(str(config.output)))
    assert before.decoder.thresholds is not None
    assert after.decoder.thresholds is not None
    assert before.decoder.confidence_maps is not None
    assert after.decoder.confidence_maps is not None
    # The taxonomy's attributes are answered together: without labels of one none is fitted.
    kept = {"season", "articleType", "subCategory", "masterCategory"}
    for name in ATTRIBUTES:
        same = (
            after.decoder.temperatures[name] == before.decoder.temperatures[name],
            after.decoder.confidence_maps.heads[name] == before.decoder.confidence_maps.heads[name],
            after.decoder.thresholds.heads[name] == before.decoder.thresholds.heads[name],
        )
        assert all(same) if name in kept else not all(same)
    assert after.decoder.joint_temperature == before.decoder.joint_temperature
    # The item's confidence is a product that changes with those that are fitted.
    assert after.decoder.thresholds.item == replace(before.decoder.thresholds.item, confidence=None)
    assert "no item is accepted as a whole until they are labelled too" in capsys.readouterr().err
    assert summary["after"]["attributes"]["subCategory"]["items"] == 0


def test_labels_that_the_model_does_not_know_are_named_and_are_mistakes(
    config: PredictConfig, rows: list[dict[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = [{**row, "gender": "Robots" if i % 2 else row["gender"]} for i, row in enumerate(rows)]
    config.catalogue = written(Path(str(config.catalogue)), foreign)
    summary = calibrate_bundle(config)
    assert "gender: 1 label that the model does not know, each item a mistake: Robots" in capsys.readouterr().err
    assert summary["after"]["attributes"]["gender"]["accuracy"] < 0.51
    assert summary["after"]["attributes"]["gender"]["accepted"] == 0


def test_texts_that_meant_no_label_in_training_are_none(
    config: PredictConfig, rows: list[dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = read_bundle(Path(str(config.bundle)))
    season = replace(bundle.spaces["season"], missing=("", "N/A"))
    save_bundle(replace(bundle, spaces=bundle.spaces | {"season": season}), tmp_path / "holes")
    half = [{**row, "season": row["season"] if i % 2 else "N/A"} for i, row in enumerate(rows)]
    config.catalogue = written(Path(str(config.catalogue)), half)
    summary = calibrate_bundle(replace(config, bundle=str(tmp_path / "holes")))
    assert summary["after"]["attributes"]["season"]["items"] == sum(bool(row["season"]) for row in rows[1::2])
    assert "season: 1 label that the model does not know" not in capsys.readouterr().err
    assert read_bundle(tmp_path / "new").spaces["season"].missing == ("", "N/A")


def test_labels_in_other_columns_and_rows_without_are_told(
    config: PredictConfig, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    renamed = [
        {"id": row["id"], "productDisplayName": row["productDisplayName"], "hue": row["baseColour"]} for row in rows
    ]
    coloured = sum(bool(row["baseColour"]) for row in rows)
    blank = [{"id": f"new{i}", "productDisplayName": "Red Shirt", "hue": ""} for i in range(7)]
    config.catalogue = written(tmp_path / "hues.csv", [*renamed, *blank])
    with pytest.raises(UserError, match=r"none of its columns has an attribute's name.*columns\.given\."):
        calibrate_bundle(config)
    config.columns = PredictColumnsConfig(given={"baseColour": "hue"})
    summary = calibrate_bundle(config)
    assert (summary["items"], summary["unlabelled"], summary["rows"]) == (coloured, ROWS - coloured + 7, ROWS + 7)
    assert summary["after"]["attributes"]["season"]["accuracy"] is None


def test_the_new_bundle_tags(config: PredictConfig, tmp_path: Path) -> None:
    calibrate_bundle(config)
    again = replace(config, task="tag", bundle=str(tmp_path / "new"), output=str(tmp_path / "tags"), given=False)
    assert tag_catalogue(again)["tagged"] == ROWS


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"catalogue": None}, "catalogue: needs one with labels"),
        ({"output": None}, "output: is where the new bundle goes"),
        ({"catalogue": "nowhere.csv"}, "nowhere.csv: no such catalogue"),
        ({"images": "nowhere"}, "images=nowhere: no such folder or file"),
        ({"runtime": "onnx"}, "runtime=onnx: the answers that are fitted to are torch's own"),
        (
            {"calibrate": CalibrateConfig(target_accuracy={"seasn": 0.9})},
            "seasn: no such attribute. Did you mean season?",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(config: PredictConfig, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as refused:
        calibrate_bundle(replace(config, **changes))
    assert told in str(refused.value)


def test_a_folder_that_is_there_too_few_labels_and_too_many_unread_rows_are_refused(
    config: PredictConfig, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    with pytest.raises(UserError, match="is there already"):
        calibrate_bundle(replace(config, output=str(tmp_path)))
    few = replace(config, catalogue=written(tmp_path / "few.csv", rows[:50]))
    with pytest.raises(UserError, match="50 items have labels, and no attribute 100"):
        calibrate_bundle(few)
    unread = [{**row, "id": f"x{row['id']}", "productDisplayName": ""} for row in rows[:100]]
    with pytest.raises(TooManyBadError, match=r"of 400 rows 100 \(NOTHING_TO_READ 100\) cannot be read"):
        calibrate_bundle(replace(config, catalogue=written(tmp_path / "unread.csv", [*rows, *unread])))
    assert not (tmp_path / "new").exists()


def test_items_of_too_few_families_are_refused(
    config: PredictConfig, rows: list[dict[str, str]], tmp_path: Path
) -> None:
    same = [{**row, "id": f"x{i}", "productDisplayName": f"Item {i % 2}"} for i, row in enumerate(rows)]
    config.catalogue = written(tmp_path / "same.csv", same)
    with pytest.raises(UserError, match="of 2 families, and there are to be 3 folds"):
        calibrate_bundle(config)


def test_one_picture_of_many_titles_makes_no_family_and_is_told(
    config: PredictConfig, rows: list[dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    some = (Path(str(config.images)) / f"{rows[0]['id']}.jpg").read_bytes()
    own = [{**row, "id": f"x{i}", "productDisplayName": f"Item {i}"} for i, row in enumerate(rows[:150])]
    for row in own:
        (tmp_path / f"photos/{row['id']}.jpg").write_bytes(some)
    config.catalogue, config.images = written(tmp_path / "own.csv", own), str(tmp_path / "photos")
    calibrate_bundle(config)
    told = capsys.readouterr().err
    assert "labels are of 150 families" in told
    assert "150 items show a picture of more than 20 titles: no family made of it" in told


def test_what_is_repaired_read_without_its_picture_and_not_read_is_told(
    config: PredictConfig, rows: list[dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = [dict(row) for row in rows]
    own[3]["id"], own[4]["id"], own[5]["productDisplayName"] = "gone", "", ""
    own[5]["id"] = "gone as well"
    written(tmp_path / "own.csv", own)
    with (tmp_path / "own.csv").open("a") as file:
        file.write("short\n")
    config.catalogue = str(tmp_path / "own.csv")
    summary = calibrate_bundle(config)
    told = capsys.readouterr().err
    assert (summary["rows"], summary["items"], summary["unread"]) == (ROWS + 1, ROWS - 2, 2)
    assert "not read: 2 (ID_MISSING 1, NOTHING_TO_READ 1)" in told
    assert "read without their picture: 1 (IMAGE_NOT_FOUND 1)" in told
    assert re.search(r"\n  1 .*too few fields", told)


def test_a_bundle_that_calls_nothing_unknown_goes_on_so(
    config: PredictConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_bundle(replace(read_bundle(Path(str(config.bundle))), novelty=None), tmp_path / "knows_all")
    calibrate_bundle(replace(config, bundle=str(tmp_path / "knows_all")))
    assert read_bundle(tmp_path / "new").novelty is None
    assert "as a whole" not in capsys.readouterr().err
