"""Items in arrays, gathered a whole batch at a time: what the trainer reads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from fashionmt.attributes import LabelSpace
from fashionmt.batch import Batch, OtherTitles
from fashionmt.data.feature_cache import FeatureCache
from fashionmt.data.labels import Labels
from fashionmt.data.mapped import mapped
from fashionmt.data.picture_cache import NO_ROW, PictureCache
from fashionmt.data.rows import Rows
from fashionmt.data.tabular import TabularArrays
from fashionmt.data.titles import EncodedTitles
from fashionmt.data.vary_titles import TitleVariation


@dataclass(frozen=True)
class ItemArrays:
    """A whole catalogue, encoded; row i is item i."""

    pictures: PictureCache
    titles: EncodedTitles
    tabular: TabularArrays
    labels: dict[str, npt.NDArray[np.int64]]
    frozen: dict[str, FeatureCache] = field(default_factory=dict)
    """What frozen towers make of the items' pictures (`image`) and titles (`text`), where it is known."""
    reads_pictures: bool = True
    """False: the pictures' features are enough, and their pixels stay on the disk."""

    @classmethod
    def encode(
        cls,
        pictures: PictureCache,
        titles: EncodedTitles,
        tabular: TabularArrays,
        labels: Labels,
        spaces: Mapping[str, LabelSpace],
    ) -> "ItemArrays":
        """Encode the labels by `spaces`."""
        return cls(pictures, titles, tabular, {name: spaces[name].encode(column) for name, column in labels.items()})

    def mapped(self, folder: Path) -> "ItemArrays":
        """The same, its pictures, columns and labels on the disk (`fashionmt.data.mapped`)."""
        return replace(
            self,
            pictures=self.pictures.mapped(folder),
            tabular=self.tabular.mapped(folder),
            labels={name: mapped(column, folder) for name, column in self.labels.items()},
        )

    def gather(self, rows: npt.NDArray[np.int64]) -> Batch:
        """The items `rows`, in that order, as a batch; titles padded to the longest of them."""
        batch = self.gather_titled(rows, self.titles, rows)
        self.add_frozen(batch, "text", rows)
        return batch

    def gather_titled(self, rows: npt.NDArray[np.int64], titles: EncodedTitles, which: Rows) -> Batch:
        """As `gather`, with the titles `which` of `titles` for their own."""
        picture_row = self.pictures.row[rows]
        there = picture_row != NO_ROW
        shape = self.pictures.pixels.shape[1:] if self.reads_pictures else (0, 0, 3)
        pixels = np.zeros((len(rows), *shape), dtype=np.uint8)
        if self.reads_pictures:
            pixels[there] = self.pictures.pixels[picture_row[there]]
        labels = {name: column[rows] for name, column in self.labels.items()}
        batch = make_batch(pixels, there, titles, which, self.tabular.take(rows), labels)
        self.add_frozen(batch, "image", rows)
        return batch

    def add_frozen(self, batch: Batch, name: str, rows: npt.NDArray[np.int64]) -> None:
        """Add the features of the items `rows`, where they are known, to their batch. `name`: `image`, or `text` where
        it holds their own titles."""
        if name in self.frozen:
            batch.frozen[name] = torch.from_numpy(self.frozen[name].take(rows))


def make_batch(
    pixels: npt.NDArray[np.uint8],
    has_image: npt.NDArray[np.bool_],
    titles: EncodedTitles,
    rows: Rows,
    tabular: TabularArrays,
    labels: dict[str, npt.NDArray[np.int64]],
) -> Batch:
    """Tensors of B items: `pixels` (B, H, W, 3), `has_image` (B,), the titles `rows` (B,), `tabular` of B rows, labels
    (B,) by attribute."""
    return Batch(
        pixels=torch.from_numpy(pixels),
        has_image=torch.from_numpy(has_image),
        **vars(title_tensors(titles, rows)),
        numbers=torch.from_numpy(tabular.numbers),
        categories=torch.from_numpy(tabular.categories),
        has_tabular=torch.from_numpy(tabular.there),
        labels={name: torch.from_numpy(column) for name, column in labels.items()},
    )


def title_tensors(titles: EncodedTitles, rows: Rows) -> OtherTitles:
    """The titles `rows`, padded to the longest of them."""
    token_ids, token_mask = titles.tokens.padded(rows)
    ngram_ids, ngram_weights = titles.ngrams.padded(rows)
    return OtherTitles(
        token_ids=torch.from_numpy(token_ids),
        token_mask=torch.from_numpy(token_mask),
        ngram_ids=torch.from_numpy(ngram_ids),
        ngram_weights=torch.from_numpy(ngram_weights),
        has_title=torch.from_numpy(titles.there(rows)),
    )


class CatalogueDataset(Dataset[Batch]):
    """Some rows of a catalogue. Indexing with a list of positions gives their batch: one gather, no collation."""

    def __init__(
        self,
        items: ItemArrays,
        rows: Rows,
        variation: TitleVariation | None = None,
        titles: EncodedTitles | None = None,
    ) -> None:
        """`rows`: which rows of `items`, shape (len(self),). `variation`: how their titles are varied. `titles`: what
        is shown for their own, one a row in that order."""
        self.items = items
        self.rows = rows
        self.variation = variation
        self.titles = titles

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, positions: Sequence[int] | npt.NDArray[np.int64]) -> Batch:
        rows = self.rows[np.asarray(positions)]
        if self.titles is not None:
            return self.items.gather_titled(rows, self.titles, np.asarray(positions))
        if self.variation is None:
            return self.items.gather(rows)
        titles, struck = self.variation.encode(rows)
        which = np.arange(len(rows))
        batch = self.items.gather(rows) if titles is None else self.items.gather_titled(rows, titles, which)
        batch.struck = title_tensors(struck, which) if struck is not None else None
        return batch
