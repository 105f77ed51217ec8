"""Items become a batch: pictures decoded, titles tokenised, and what could not be read told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from fashionmt.batch import Batch
from fashionmt.bundle import Bundle
from fashionmt.data.dataset import make_batch
from fashionmt.data.preprocess import PictureError, Pixels, decode_picture, fit, read_encoded, upright_rgb
from fashionmt.data.tabular import TabularArrays
from fashionmt.data.titles import EncodedTitles
from fashionmt.inference.items import Item, Picture, StoredPicture
from fashionmt.inference.pictures import PictureRefused
from fashionmt.problems import Code, Problem

READS = ("image", "text")


@dataclass(frozen=True)
class PreparedBatch:
    """Items, and those of them that the model can read, as tensors."""

    items: list[Item]
    picture_problems: list[Problem | None]
    inputs: list[tuple[str, ...]]
    """Per item: what the model reads of it; empty for an item that it cannot tag."""
    batch: Batch | None
    """The readable items, in order; None where there are none."""

    @property
    def readable(self) -> list[Item]:
        """Those in the batch."""
        return [item for item, inputs in zip(self.items, self.inputs, strict=True) if inputs]


class Preparer:
    """What a bundle's model reads of items, as it was trained to read them."""

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle

    def __call__(self, items: list[Item]) -> PreparedBatch:
        """Decode and tokenise."""
        read = [self._picture(item) for item in items]
        encoded = self._titles(items)
        tabular = self.bundle.tabular.encode([item.tabular for item in items])
        has_title = encoded.there(np.arange(len(items)))
        there = [
            {"image": picture is not None, "text": bool(title), "tabular": bool(columns)}
            for (picture, _), title, columns in zip(read, has_title, tabular.there, strict=True)
        ]
        inputs = [self._inputs(has) for has in there]
        readable = np.array([row for row, names in enumerate(inputs) if names], dtype=np.int64)
        pictures = [read[row][0] for row in readable]
        batch = self._batch(pictures, encoded, readable, tabular.take(readable)) if len(readable) else None
        return PreparedBatch(items, [problem for _, problem in read], inputs, batch)

    def _inputs(self, there: Mapping[str, bool]) -> tuple[str, ...]:
        """What the model reads of an item; nothing of one that has neither picture nor title for it."""
        names = tuple(name for name in self.bundle.modalities if there[name])
        return names if any(name in READS for name in names) else ()

    def _picture(self, item: Item) -> tuple[Pixels | None, Problem | None]:
        """(pixels, None), or (None, why not)."""
        if item.image is None or "image" not in self.bundle.modalities:
            return None, item.picture_problem
        try:
            return self._decode(item.image), None
        except (PictureError, PictureRefused) as error:
            return None, error.problem
        except FileNotFoundError:
            return None, Problem(Code.IMAGE_NOT_FOUND, "no such file")
        except OSError as error:
            return None, Problem(Code.IMAGE_READ_FAILED, str(error.strerror or error))

    def _decode(self, picture: Picture) -> Pixels:
        config = self.bundle.preprocess
        if isinstance(picture, Image.Image):
            return fit(upright_rgb(picture), config)
        if isinstance(picture, StoredPicture):
            return decode_picture(picture.read(), config)
        encoded = picture if isinstance(picture, bytes) else read_encoded(Path(picture), config)
        return decode_picture(encoded, config)

    def _titles(self, items: list[Item]) -> EncodedTitles:
        missing = self.bundle.columns.missing_titles
        stripped = [(item.title or "").strip() for item in items]
        return self.bundle.titles.encode([None if title in missing else title for title in stripped])

    def _batch(
        self,
        pictures: list[Pixels | None],
        titles: EncodedTitles,
        rows: npt.NDArray[np.int64],
        tabular: TabularArrays,
    ) -> Batch:
        size = self.bundle.preprocess
        pixels = np.zeros((len(pictures), size.height, size.width, 3), dtype=np.uint8)
        for i, picture in enumerate(pictures):
            if picture is not None:
                pixels[i] = picture
        has_image = np.array([picture is not None for picture in pictures])
        return make_batch(pixels, has_image, titles, rows, tabular, labels={})
