"""A whole catalogue: every item is in the tags or set aside, and the columns may be called otherwise."""

from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from fashionmt.config import PredictColumnsConfig, PredictConfig
from fashionmt.errors import UserError
from fashionmt.inference import tag_catalogue


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
