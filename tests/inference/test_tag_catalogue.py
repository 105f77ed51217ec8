"""A whole catalogue: every item is in the tags or set aside, and the columns may be called otherwise."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image

from fashionmt.bundle import read_bundle, save_bundle
from fashionmt.config import PredictColumnsConfig, PredictConfig
from fashionmt.data.tabular import NumericColumn, TabularEncoder
from fashionmt.decoding import Threshold, Thresholds
from fashionmt.errors import UserError
from fashionmt.inference import tag_catalogue
from fashionmt.model import build_tagger


@pytest.fixture
def catalogue(tmp_path: Path) -> PredictConfig:
    images = tmp_path / "photos"
    images.mkdir()
    Image.new("RGB", (60, 80), "red").save(images / "007.jpg")
    Image.new("RGB", (60, 80), "red").save(tmp_path / "secret.jpg")
    table = tmp_path / "items.csv"
    table.write_text("sku,name\n007,\n1e5,Blue Shirt\nNA,Red, White Shirt\n../secret,Black Belt\nlost,\n")
    return PredictConfig(
        catalogue=str(table),
        images=str(images),
        output=str(tmp_path / "out/tags.csv"),
        columns=PredictColumnsConfig(id="sku", title="name"),
    )


def test_every_item_is_tagged_or_set_aside(catalogue: PredictConfig, trained: Path, tmp_path: Path) -> None:
    catalogue.bundle = str(trained / "bundle")
    path = tag_catalogue(catalogue, tmp_path)
    tags = pd.read_csv(path, dtype=str, keep_default_na=False).set_index("id")
    aside = pd.read_csv(tmp_path / "out/tags.set-aside.csv", dtype=str, keep_default_na=False)
    assert tags.index.tolist() == ["007", "1e5", "NA", "../secret"]
    assert tags["inputs"].tolist() == ["image", "text", "text", "text"]
    assert tags["picture_problem"].tolist()[2:] == ["no such file", "names a picture outside the picture folder"]
    assert aside["id"].tolist() == ["lost"]
    assert aside["problem"].str.contains("needs a picture or a title").all()


def test_without_pictures_titles_are_enough(catalogue: PredictConfig, trained: Path, tmp_path: Path) -> None:
    catalogue.bundle, catalogue.images = str(trained / "bundle"), None
    tags = pd.read_csv(tag_catalogue(catalogue, tmp_path), dtype=str, keep_default_na=False)
    assert tags["id"].tolist() == ["1e5", "NA", "../secret"]


def test_a_duplicate_id_is_found_before_anything_is_tagged(
    catalogue: PredictConfig, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalogue.bundle = str(trained / "bundle")
    table = Path(str(catalogue.catalogue))
    table.write_text(table.read_text() + "007,again\n")
    monkeypatch.setattr("fashionmt.inference.engine.TaggingEngine.answer", None)
    with pytest.raises(UserError, match="stands already at line 2"):
        tag_catalogue(catalogue, tmp_path)
    assert not (tmp_path / "out/tags.csv").exists()


def test_a_missing_column_names_those_found(catalogue: PredictConfig, trained: Path, tmp_path: Path) -> None:
    catalogue.bundle, catalogue.columns = str(trained / "bundle"), PredictColumnsConfig(id="sku")
    with pytest.raises(UserError, match=r"found: sku, name\. Set columns\.title"):
        tag_catalogue(catalogue, tmp_path)


@pytest.fixture
def tag_with(
    catalogue: PredictConfig, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[[Thresholds | None], tuple[pd.DataFrame, str]]:
    """Tags the catalogue under these thresholds: the file, and what was printed."""

    def tag(thresholds: Thresholds | None) -> tuple[pd.DataFrame, str]:
        save_bundle(replace(read_bundle(trained / "bundle"), thresholds=thresholds), tmp_path / "decided")
        catalogue.bundle = str(tmp_path / "decided")
        return pd.read_csv(tag_catalogue(catalogue, tmp_path)), capsys.readouterr().out

    return tag


ATTRIBUTES = ("articleType", "baseColour", "gender", "masterCategory", "subCategory", "season")


def test_the_decisions_are_in_the_file_and_their_shares_on_the_screen(
    tag_with: Callable[[Thresholds | None], tuple[pd.DataFrame, str]],
) -> None:
    heads = {name: Threshold(0.9, 0.0) for name in ATTRIBUTES} | {"season": Threshold(0.95, None)}
    tags, printed = tag_with(Thresholds(heads | {"gender": Threshold(0.9, 1.0)}, Threshold(0.8, 0.0)))
    assert set(tags["articleType_decision"]) == set(tags["decision"]) == {"accept"}
    assert set(tags["season_decision"]) == set(tags["gender_decision"]) == {"review"}
    assert "accepted: articleType 100%, baseColour 100%, gender 0%" in printed
    assert "all of them 100%; the rest is for review" in printed
    assert "for the accuracy asked: season (0.95)" in printed
    first = next(line for line in printed.splitlines() if "1e5" in line)
    assert first.count("?") == 2


def test_nothing_accepted_is_said(tag_with: Callable[[Thresholds | None], tuple[pd.DataFrame, str]]) -> None:
    tags, printed = tag_with(None)
    assert set(tags["decision"]) == {"review"}
    assert "accepted: nothing, as the bundle has no thresholds" in printed
    assert "?" not in printed


# Other columns


@pytest.fixture
def with_year(trained: Path, tmp_path: Path) -> Path:
    """A bundle whose tagger reads a year too: that of `trained`, and a tower of random weights."""
    torch.manual_seed(0)
    bundle = read_bundle(trained / "bundle")
    encoder = TabularEncoder({"year": NumericColumn(("",), (2010.0, 2012.0, 2014.0))})
    classes = {name: len(space) for name, space in bundle.spaces.items()}
    tagger = build_tagger(bundle.tagger.config, classes, bundle.titles.vocabulary_sizes(), encoder.sizes())
    columns = replace(bundle.columns, tabular={"year": "year"})
    save_bundle(replace(bundle, tagger=tagger, tabular=encoder, columns=columns), tmp_path / "dated")
    return tmp_path / "dated"


def test_other_columns_are_read_and_do_not_stand_for_picture_and_title(
    catalogue: PredictConfig, with_year: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(str(catalogue.catalogue)).write_text(
        "sku,name,anno\n007,,2012\n1e5,Belt,soon\nb,Belt,2010\nc,Belt,2014\nd,,2011\n"
    )
    catalogue.bundle, catalogue.columns.tabular = str(with_year), {"year": "anno"}
    tags = pd.read_csv(tag_catalogue(catalogue, tmp_path), dtype={"id": str}).set_index("id")
    assert tags["inputs"].to_dict() == {"007": "image+tabular", "1e5": "text", "b": "text+tabular", "c": "text+tabular"}
    assert tags.loc["b", "season_confidence"] != tags.loc["c", "season_confidence"]
    assert pd.read_csv(tmp_path / "out/tags.set-aside.csv")["id"].tolist() == ["d"]
    assert "1 year values that are no number: read as not known (1e5)" in capsys.readouterr().out


def test_a_column_that_the_catalogue_lacks_is_named_or_left_out(
    catalogue: PredictConfig, with_year: Path, tmp_path: Path
) -> None:
    catalogue.bundle = str(with_year)
    with pytest.raises(
        UserError, match=r"no column 'year' .* Set columns\.tabular\.year=<column>, or columns\.tabular\.year= "
    ):
        tag_catalogue(catalogue, tmp_path)
    catalogue.columns.tabular = {"yeer": "anno"}
    with pytest.raises(UserError, match=r"columns\.tabular\.yeer: the bundle reads no such column\. Use one of year"):
        tag_catalogue(catalogue, tmp_path)
    catalogue.columns.tabular = {"year": ""}
    assert pd.read_csv(tag_catalogue(catalogue, tmp_path))["inputs"].tolist() == ["image", "text", "text", "text"]
