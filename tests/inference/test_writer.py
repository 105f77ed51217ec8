"""Tags reach the file whole or not at all."""

import errno
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fashionmt.errors import UserError
from fashionmt.inference import ItemTags, Tag
from fashionmt.inference.writer import CHUNK, TagWriter


def answer(number: int) -> ItemTags:
    return ItemTags(
        f"00{number}",
        {"colour": Tag('Red, "dark"', 0.123456), "type": Tag("Shirt", 1.0, accepted=True)},
        ("image", "text"),
        None,
        None,
        accepted=number % 2 == 0,
    )


def read(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    return pd.read_csv(path, dtype={"id": str}, keep_default_na=False)


@pytest.mark.parametrize("name", ["tags.csv", "tags.parquet", "TAGS.CSV"])
@pytest.mark.parametrize("count", [0, 1, CHUNK + 1])
def test_both_formats_hold_the_same_rows(tmp_path: Path, name: str, count: int) -> None:
    path = tmp_path / "new" / name
    with TagWriter(path, ["colour", "type"], overwrite=False) as writer:
        for number in range(count):
            writer.write(answer(number))
    table = read(path)
    heads = [f"{name}{column}" for name in ("colour", "type") for column in ("", "_confidence", "_decision")]
    assert table.columns.tolist() == ["id", *heads, "decision", "inputs", "picture_problem"]
    assert len(table) == count
    if count:
        colour, kind = ['Red, "dark"', 0.1235, "review"], ["Shirt", 1.0, "accept"]
        assert table.iloc[0].tolist() == ["000", *colour, *kind, "accept", "image+text", ""]
        assert table["decision"].tolist()[:2] == ["accept", "review"][:count]
    assert [p.name for p in path.parent.iterdir()] == [name]


def test_a_file_that_is_there_is_kept_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    path.write_text("mine")
    with pytest.raises(UserError, match="is there already"):
        TagWriter(path, ["colour"], overwrite=False)
    with TagWriter(path, ["colour", "type"], overwrite=True) as writer:
        writer.write(answer(1))
    assert "Shirt" in path.read_text()


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Use .csv or .parquet"):
        TagWriter(tmp_path / "tags.xlsx", ["colour"], overwrite=False)


def test_a_failure_midway_leaves_the_old_file_and_no_half_one(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    path.write_text("old")

    def fail() -> None:
        with TagWriter(path, ["colour", "type"], overwrite=True) as writer:
            writer.write(answer(1))
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["tags.csv", "tags.parquet"])
def test_a_disk_that_fills_up_keeps_its_errno(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: real(full if self.suffix == ".tmp" else self, *a, **k))

    def fill() -> Any:
        with TagWriter(tmp_path / name, ["colour", "type"], overwrite=False) as writer:
            for number in range(20 * CHUNK):
                writer.write(answer(number))

    with pytest.raises(OSError, match="space") as caught:
        fill()
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_a_user_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="output="), TagWriter(tmp_path / "file/tags.csv", [], overwrite=False):
        pass
