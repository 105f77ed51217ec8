"""What is accepted, what the seller gave, and what the catalogue's other columns say, as a job writes it."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from tagged import decided_by, quarantined_in, tags_in

from fashionmt.bundle import read_bundle, save_bundle
from fashionmt.confidence import Threshold, Thresholds
from fashionmt.config import PredictConfig
from fashionmt.data.tabular import NumericColumn, TabularEncoder
from fashionmt.errors import UserError
from fashionmt.inference import load_bundle
from fashionmt.inference.run import tag_catalogue
from fashionmt.model import build_tagger

ATTRIBUTES = ("articleType", "baseColour", "gender", "masterCategory", "subCategory", "season")


# Deciding


@pytest.fixture
def tag_with(
    catalogue: PredictConfig, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[Thresholds | None], tuple[pd.DataFrame, str]]:
    """Tags the catalogue under these thresholds alone, nothing being unknown: the tags, and what was told."""

    def tag(thresholds: Thresholds | None) -> tuple[pd.DataFrame, str]:
        decided = decided_by(read_bundle(trained / "bundle"), thresholds)
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
        "no_threshold:season",
    }
    assert "accepted: articleType 100%, baseColour 100%, gender 0%" in printed
    assert "all of them 100%; for review: 4 of 4 items" in printed
    assert "never accepted, as validation showed no threshold for the accuracy asked: season (0.95)" in printed
    first = next(line for line in printed.splitlines() if "1e5" in line)
    assert first.count("?") == 2


def test_what_is_never_accepted_of_items_with_one_input_is_said(
    catalogue: PredictConfig, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One item of the catalogue has a picture alone; the others have titles."""
    every = {name: Threshold(0.9, 0.0) for name in ATTRIBUTES}
    bundle = decided_by(
        read_bundle(trained / "bundle"), Thresholds(every | {"season": Threshold(0.95, None)}, Threshold(0.8, 0.0))
    )
    by_picture = Thresholds(every | {"gender": Threshold(0.9, None)}, Threshold(0.8, 0.0))
    alone = {"image": replace(bundle.decoder, thresholds=by_picture)}
    save_bundle(replace(bundle, alone=alone), tmp_path / "decided")
    catalogue.bundle = str(tmp_path / "decided")
    tag_catalogue(catalogue)
    printed, tags = capsys.readouterr().err, tags_in(catalogue.output).set_index("inputs")
    assert tags.loc["image", "gender_decision"] == "review"
    assert tags.loc["image", "season_decision"] == "accept"
    assert set(tags.loc[["text"], "gender_decision"]) == {"accept"}
    assert set(tags.loc[["text"], "season_decision"]) == {"review"}
    never = "as validation showed no threshold for the accuracy asked"
    assert f"never accepted, {never}: season (0.95)" in printed
    assert f"never accepted of 1 items by the picture alone, {never}: gender (0.9)" in printed
    page = " ".join(re.sub(r"<[^>]*>", " ", (Path(str(catalogue.output)) / "summary.html").read_text()).split())
    assert "the picture alone 1 gender (0.9)" in page
    assert "season 25%" in printed


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


def with_holes(trained: Path, folder: Path) -> str:
    """The bundle of `trained`, as from a catalogue that writes N/A where it has no season."""
    bundle = read_bundle(trained / "bundle")
    season = replace(bundle.spaces["season"], missing=("", "N/A"))
    save_bundle(replace(bundle, spaces=bundle.spaces | {"season": season}), folder)
    return str(folder)


def test_a_text_that_meant_no_label_in_training_is_no_given_value(
    catalogue: PredictConfig, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(str(catalogue.catalogue)).write_text("sku,name,season,gender\n1,Red Shirt,N/A,\n2,Belt, N/A ,N/A\n3,Belt,,\n")
    catalogue.bundle = with_holes(trained, tmp_path / "holes")
    tag_catalogue(catalogue)
    tags = tags_in(catalogue.output)
    assert set(tags["season_source"]) == {"predicted"}
    assert "N/A" not in set(tags["season"])
    assert tags["gender"].tolist()[1] == "N/A"  # of another attribute it is a text like any other
    assert "2 season values that read 'N/A': taken as not given" in capsys.readouterr().err
    engine = load_bundle(catalogue.bundle)
    told, unaided = (engine.tag([{"title": "Red Shirt", "given": given}])[0] for given in ({"season": "N/A"}, {}))
    assert told == unaided


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


def test_blanks_around_what_is_read_are_counted(catalogue: PredictConfig, capsys: pytest.CaptureFixture[str]) -> None:
    Path(str(catalogue.catalogue)).write_text(
        "sku,name,season,gender\n1, Red Shirt,Summer,\n2,Belt , Fall ,\n3,Belt, ,Men\n"
    )
    tag_catalogue(catalogue)
    assert tags_in(catalogue.output)["season"].tolist()[1] == "Fall"
    told = capsys.readouterr().err
    assert "2 titles with blanks around them: stripped" in told
    assert "1 season values with blanks around them: stripped" in told
    assert "gender values with blanks" not in told
