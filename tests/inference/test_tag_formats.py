"""Whatever format a catalogue comes in and its tags go out in, the tags are the same."""

import gzip
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image
from tagged import quarantined_in, tags_in

from fashionmt.config import PredictColumnsConfig, PredictConfig
from fashionmt.errors import UserError
from fashionmt.inference.run import tag_catalogue


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
        catalogue.catalogue, catalogue.output = str(path), str(tmp_path / f"out-{name.replace('.', '-')}")
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


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_column_whose_name_holds_a_line_end_is_one_header_of_the_joined_file(
    catalogue: PredictConfig, tmp_path: Path, form: str
) -> None:
    names = ["note\nof the\nseller", 'size "EU"']
    rows = [(f"{i}", "Blue Shirt", f"line\n{i}", f'"{i}"') for i in range(5)]
    pd.DataFrame(rows, columns=["sku", "name", *names]).to_csv(str(catalogue.catalogue), index=False)
    catalogue.keep_columns, catalogue.output, catalogue.format = names, str(tmp_path / "tags.csv"), form
    tag_catalogue(catalogue)
    read = pd.read_csv(tmp_path / "tags.csv", dtype={"id": str})
    assert read["id"].tolist() == ["0", "1", "2", "3", "4"]
    assert read[names].to_numpy().tolist() == [[f"line\n{i}", f'"{i}"'] for i in range(5)]


def test_columns_are_kept_of_the_sample_and_of_a_folder_of_pictures_too(
    catalogue: PredictConfig, tmp_path: Path
) -> None:
    catalogue.columns, catalogue.output = PredictColumnsConfig(), str(tmp_path / "sample")
    catalogue.part_rows = catalogue.batch_size = 64
    images, catalogue.images, catalogue.catalogue = catalogue.images, None, None
    catalogue.keep_columns = ["productDisplayName"]
    tag_catalogue(catalogue)
    tags = tags_in(catalogue.output)
    assert tags["productDisplayName"].str.len().gt(0).tolist() == tags["inputs"].str.contains("text").tolist()
    catalogue.catalogue, catalogue.output, catalogue.keep_columns = images, str(tmp_path / "pictures"), ["file"]
    tag_catalogue(catalogue)
    assert tags_in(catalogue.output)["file"].tolist() == ["007.jpg"]
    for source in (None, images):
        catalogue.catalogue, catalogue.output, catalogue.keep_columns = source, str(tmp_path / "no"), ["price"]
        with pytest.raises(UserError, match="keep_columns: no column 'price'; found: "):
            tag_catalogue(catalogue)
    assert not (tmp_path / "no").exists()


def test_a_format_that_tags_are_not_written_in_is_refused_and_not_taken_for_a_folder(
    catalogue: PredictConfig, tmp_path: Path
) -> None:
    for name in ("tags.xlsx", "tags.csv.gz", "tags.TSV"):
        catalogue.output = str(tmp_path / name)
        with pytest.raises(UserError, match=r"tags are not written in that format\. Name a \.csv, a \.parquet or a f"):
            tag_catalogue(catalogue)
        assert not (tmp_path / name).exists()
    catalogue.output = str(tmp_path / "tags.v2")
    tag_catalogue(catalogue)
    assert (tmp_path / "tags.v2").is_dir()
