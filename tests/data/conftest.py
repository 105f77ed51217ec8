"""Small catalogues, written where a test can break them."""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from fashionmt.config import AttributeConfig, ColumnsConfig, DataConfig, PreprocessConfig

Encode = Callable[..., bytes]
Write = Callable[[Sequence[Mapping[str, str]]], Path]


@pytest.fixture
def small() -> PreprocessConfig:
    """A picture size that decodes in no time."""
    return PreprocessConfig(height=16, width=12)


@pytest.fixture(scope="session")
def encode() -> Encode:
    """Encode pixels as a picture file's bytes: `encode(pixels, "PNG", **options)`."""

    def encoded(pixels: npt.NDArray[np.uint8] | Image.Image, format: str = "PNG", **options: object) -> bytes:
        out = io.BytesIO()
        image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
        image.save(out, format, **options)
        return out.getvalue()

    return encoded


@pytest.fixture
def write_csv(tmp_path: Path) -> Write:
    """Write rows as `items.csv`; the columns are those of the first row."""

    def write(rows: Sequence[Mapping[str, str]]) -> Path:
        path = tmp_path / "items.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return path

    return write


@dataclass
class Shop:
    """A catalogue of 40 items in 40 families that a test changes before it writes it."""

    folder: Path
    rows: list[dict[str, str]]
    pictures: dict[str, bytes]

    @property
    def images(self) -> Path:
        return self.folder / "images"

    def write(self) -> DataConfig:
        """The files, and the config that reads them."""
        self.images.mkdir(exist_ok=True)
        for old in self.images.iterdir():
            old.unlink()
        for name, encoded in self.pictures.items():
            (self.images / f"{name}.png").write_bytes(encoded)
        catalogue = self.folder / "items.csv"
        with catalogue.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(self.rows[0]))
            writer.writeheader()
            writer.writerows(self.rows)
        return DataConfig(
            catalogue=str(catalogue),
            images=str(self.images),
            picture_pattern="{id}.png",
            columns=ColumnsConfig(),
            attributes={"kind": AttributeConfig(), "colour": AttributeConfig()},
        )


@pytest.fixture
def shop(tmp_path: Path, encode: Encode) -> Shop:
    """Kinds alternate in twos, colours in ones; every picture and title is its own."""
    folder = tmp_path / "shop"
    folder.mkdir()
    rows, pictures = [], {}
    for i in range(40):
        kind, colour = ("Shirt", "Shoe")[i // 2 % 2], ("Red", "Blue")[i % 2]
        rows.append({"id": f"i{i}", "title": f"{colour} {kind} number{i}", "kind": kind, "colour": colour})
        pictures[f"i{i}"] = encode(np.full((16, 12, 3), i, np.uint8))
    return Shop(folder, rows, pictures)
