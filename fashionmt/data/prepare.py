"""From a catalogue's files to encoded items, split and labelled: the whole data side of a run in one call."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fashionmt.attributes import LabelSpace
from fashionmt.config import DataConfig, PreprocessConfig, SplitConfig, TitleVariationConfig
from fashionmt.data.catalogue import CatalogueFiles
from fashionmt.data.dataset import CatalogueDataset, ItemArrays
from fashionmt.data.findings import Findings
from fashionmt.data.label_agreement import family_agreement
from fashionmt.data.label_words import label_words, strike
from fashionmt.data.labels import learn_label_spaces
from fashionmt.data.picture_cache import NO_ROW, PictureCache, open_pictures
from fashionmt.data.rows import Rows
from fashionmt.data.splits import MOST_TITLES, Split, blocks, crowded_pictures, families, make_split
from fashionmt.data.stored_catalogue import StoredCatalogue, read_catalogue
from fashionmt.data.tabular import TabularArrays, TabularEncoder
from fashionmt.data.titles import EncodedTitles, TitleEncoder
from fashionmt.data.vary_titles import TitleVariation
from fashionmt.errors import UserError

LearnTitles = Callable[[Sequence[str]], TitleEncoder]
"""Training titles -> how titles are read."""

NEEDS = {
    "image": ("a picture", "data.images", "text_only"),
    "text": ("a title", "data.columns.title", "image_only"),
}
"""Modality -> what it reads, the option that gives it, the model that does without."""


@dataclass(frozen=True)
class PreparedData:
    """A catalogue ready to train on."""

    items: ItemArrays
    ids: Sequence[str]
    split: Split
    spaces: dict[str, LabelSpace]
    titles: TitleEncoder
    tabular: TabularEncoder
    findings: Findings
    fingerprint: str
    """SHA-256 over ids, titles, labels, other columns and picture bytes: runs with the same one saw the same data."""
    items_fingerprint: str
    """The same, less the other columns: runs with the same one saw the same items, whatever else of them."""
    raw_titles: Sequence[str | None]
    raw_tabular: Mapping[str, Sequence[str]]
    """Input -> its column. Both as the catalogue has them, for what reads them in another way than the model."""

    def groups(self, split: SplitConfig) -> npt.NDArray[np.str_]:
        """What each item is right or wrong together with, (items,): its block where the split deals blocks, its family
        otherwise; in a random or time split too."""
        if split.kind == "block":
            return blocks(self.ids, split.block_size).astype(str)
        return self.families

    @cached_property
    def families(self) -> npt.NDArray[np.str_]:
        """Each item's family, (items,)."""
        return families(self.ids, self.raw_titles, self.items.pictures.digests)

    def agreement(self) -> dict[str, dict[str, float | int | None]]:
        """Attribute -> `family_agreement`."""
        return {name: family_agreement(self.families, labels) for name, labels in self.items.labels.items()}

    def dataset(self, part: str) -> CatalogueDataset:
        """`train`, `validation` or `test`."""
        return CatalogueDataset(self.items, self.split.parts()[part])

    def retitled(self, rows: Rows, titles: Sequence[str | None]) -> CatalogueDataset:
        """The items `rows`, each shown with its own of `titles`, which are in the same order."""
        return CatalogueDataset(self.items, rows, titles=self.titles.encode(titles))

    def struck_titles(self, rows: Rows) -> list[str | None]:
        """The titles `rows` less the label words of every attribute; None where nothing is left."""
        words = label_words(name for space in self.spaces.values() for name in space.every_class)
        return [strike(self.raw_titles[row], words) for row in rows]

    def training_dataset(self, config: TitleVariationConfig, struck: bool = False) -> CatalogueDataset:
        """`train`, its titles varied anew in every batch. `struck`: given with label words struck too."""
        if not config.varies and not struck:
            return self.dataset("train")
        words = {name: label_words(space.classes) for name, space in self.spaces.items()}
        variation = TitleVariation(self.titles, self.raw_titles, words, config, struck)
        return CatalogueDataset(self.items, self.split.train, variation)


def prepare_data(
    config: DataConfig,
    preprocess: PreprocessConfig,
    cache: Path,
    modalities: Collection[str],
    learn_titles: LearnTitles,
    limit_items: int | None = None,
) -> PreparedData:
    """Read, repair, decode, split and encode a catalogue.

    `modalities`: what the model reads, of `image` and `text`. Rows with neither title nor picture are set aside
    before the split; rows that have only what the model does not read leave their part after it, so that models of
    one input and of two share a split. Raises `UserError`.
    """
    catalogue, findings = read_catalogue(CatalogueFiles.locate(config), config, cache)
    catalogue, pictures = _with_pictures(catalogue, preprocess, cache, findings)
    if limit_items is not None:
        catalogue, pictures = _subset(catalogue, pictures, cache, limit_items)
    _report_crowded(catalogue, pictures, findings)
    split = make_split(catalogue.ids, catalogue.titles, pictures.digests, catalogue.times, config.split)
    split = _readable(split, catalogue, pictures, modalities, findings)
    spaces, labels = learn_label_spaces(catalogue.labels(), split.train, config, findings)
    spaces = {name: replace(space, missing=tuple(config.attributes[name].missing)) for name, space in spaces.items()}
    encoder, encoded = _encode(catalogue.titles, split.train, learn_titles if "text" in modalities else None, cache)
    columns, tabular = _encode_tabular(catalogue, split.train, config, findings)
    return PreparedData(
        items=ItemArrays.encode(pictures, encoded, tabular, labels, spaces).mapped(cache),
        ids=catalogue.ids,
        split=split,
        spaces=spaces,
        titles=encoder,
        tabular=columns,
        findings=findings,
        fingerprint=_fingerprint(catalogue, pictures, tabular=True),
        items_fingerprint=_fingerprint(catalogue, pictures, tabular=False),
        raw_titles=catalogue.titles,
        raw_tabular=catalogue.tabular,
    )


def _with_pictures(
    catalogue: StoredCatalogue, preprocess: PreprocessConfig, cache: Path, findings: Findings
) -> tuple[StoredCatalogue, PictureCache]:
    """Decode the pictures; rows with neither picture nor title are set aside."""
    pictures = open_pictures(catalogue.pictures, preprocess, cache)
    for item, problem in zip(catalogue.ids, pictures.problems, strict=True):
        if problem:
            findings.add(f"pictures: {problem}", "kept without the picture", item)
    named = next((path for path in catalogue.pictures if path is not None), None)
    if named is not None and not (pictures.row != NO_ROW).any():
        raise UserError(str(named), "neither this nor any other picture could be read", "Check data.images")
    kept = catalogue.has_title() | (pictures.row != NO_ROW)
    for i in np.flatnonzero(~kept).tolist():
        findings.add("items with neither a title nor a picture", "set aside", catalogue.ids[i])
    return _taken(catalogue, pictures, np.flatnonzero(kept), cache)


def _subset(
    catalogue: StoredCatalogue, pictures: PictureCache, cache: Path, limit: int
) -> tuple[StoredCatalogue, PictureCache]:
    """Families in a fixed arbitrary order, until they hold `limit` rows; the last one may be cut."""
    ids = list(catalogue.ids)
    family = families(ids, catalogue.titles, pictures.digests)
    order = sorted(range(len(ids)), key=lambda i: (hashlib.sha256(str(family[i]).encode()).digest(), ids[i]))
    return _taken(catalogue, pictures, np.sort(order[:limit]), cache)


def _report_crowded(catalogue: StoredCatalogue, pictures: PictureCache, findings: Findings) -> None:
    """Add to the findings the pictures that make no family, each by the first file that holds it."""
    crowded, what = crowded_pictures(catalogue.titles, pictures.digests), f"pictures of more than {MOST_TITLES} titles"
    for path, digest in zip(catalogue.pictures, pictures.digests, strict=True):
        if path is not None and digest is not None and (count := crowded.pop(digest, 0)):
            findings.add(what, "no family made of their items", f"{path.name} of {count} items")


def _taken(
    catalogue: StoredCatalogue, pictures: PictureCache, rows: Rows, cache: Path
) -> tuple[StoredCatalogue, PictureCache]:
    return catalogue.take(rows, cache), pictures.take(rows)


def _readable(
    split: Split,
    catalogue: StoredCatalogue,
    pictures: PictureCache,
    modalities: Collection[str],
    findings: Findings,
) -> Split:
    """The split less the rows that hold nothing the model reads."""
    has = {"image": pictures.row != NO_ROW, "text": catalogue.has_title()}
    readable = np.any([has[name] for name in modalities], axis=0)
    for name, there in has.items():
        if name in modalities and not there[split.train].any():
            one, option, model = NEEDS[name]
            raise UserError(option, f"no training row has {one}", f"Set it, or use model={model}")
    for i in np.flatnonzero(~readable).tolist():
        findings.add(
            f"items without any input of a model that reads {' and '.join(modalities)}",
            "set aside",
            catalogue.ids[i],
        )
    parts = {name: part[readable[part]] for name, part in split.parts().items()}
    for name, part in parts.items():
        if len(part) == 0:
            raise UserError(
                f"split {name}",
                f"no item has what a model that reads {' and '.join(modalities)} needs",
                "Check data.images and data.columns.title, or use another model",
            )
    return replace(split, **parts)


def _encode(
    titles: Sequence[str | None], train: Rows, learn_titles: LearnTitles | None, cache: Path
) -> tuple[TitleEncoder, EncodedTitles]:
    """The encoder, learned from training titles alone, and every title encoded; nothing without a text tower."""
    if learn_titles is None:
        encoder = TitleEncoder(None, None)
    else:
        encoder = learn_titles([title for row in train if (title := titles[row]) is not None])
    return encoder, encoder.encode_mapped(titles, cache)


def _encode_tabular(
    catalogue: StoredCatalogue, train: Rows, config: DataConfig, findings: Findings
) -> tuple[TabularEncoder, TabularArrays]:
    """The encoder, learned from the training rows alone, and every row encoded."""
    if not config.tabular:
        return TabularEncoder({}), TabularArrays.none(len(catalogue))
    rows = [row.tabular for row in catalogue.rows()]
    encoder = TabularEncoder.learn([rows[i] for i in train], config.tabular)
    for item, row in zip(catalogue.ids, rows, strict=True):
        for what, action in encoder.unread(row):
            findings.add(what, action, item)
    tabular = encoder.encode(rows)
    if not tabular.there[train].any():
        names = ", ".join(encoder.columns)
        raise UserError("data.tabular", f"no training row has a value of {names} that can be read", "Leave them out")
    return encoder, tabular


def _fingerprint(catalogue: StoredCatalogue, pictures: PictureCache, tabular: bool) -> str:
    digest = hashlib.sha256()
    for row, picture in zip(catalogue.rows(), pictures.digests, strict=True):
        read = (row.id, row.title, row.time, sorted(row.labels.items()), picture)
        digest.update(repr((*read, sorted(row.tabular.items())) if tabular and row.tabular else read).encode())
    return digest.hexdigest()
