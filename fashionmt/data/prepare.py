"""From a catalogue's files to encoded items, split and labelled: the whole data side of a run in one call."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fashionmt.attributes import LabelSpace
from fashionmt.config import DataConfig, PreprocessConfig, SplitConfig, TitleVariationConfig
from fashionmt.data.catalogue import CatalogueFiles, CatalogueRow, read_catalogue
from fashionmt.data.dataset import CatalogueDataset, ItemArrays
from fashionmt.data.findings import Findings
from fashionmt.data.label_agreement import family_agreement
from fashionmt.data.label_words import label_words
from fashionmt.data.labels import learn_label_spaces
from fashionmt.data.picture_cache import NO_ROW, PictureCache, open_pictures
from fashionmt.data.rows import Rows
from fashionmt.data.splits import Split, blocks, families, make_split
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
    ids: list[str]
    split: Split
    spaces: dict[str, LabelSpace]
    titles: TitleEncoder
    tabular: TabularEncoder
    findings: Findings
    fingerprint: str
    """SHA-256 over ids, titles, labels and picture bytes: two runs with the same one saw the same data."""
    raw_titles: list[str | None]
    raw_tabular: list[dict[str, str]]
    """Both as the catalogue has them, for what reads them in another way than the model."""

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
    rows, findings = read_catalogue(CatalogueFiles.locate(config), config)
    rows, pictures = _with_pictures(rows, preprocess, cache, findings)
    if limit_items is not None:
        rows, pictures = _subset(rows, pictures, limit_items)
    ids, titles = [row.id for row in rows], [row.title for row in rows]
    split = make_split(ids, titles, pictures.digests, [row.time for row in rows], config.split)
    split = _readable(split, rows, pictures, modalities, findings)
    labels = {name: [row.labels[name] for row in rows] for name in config.attributes}
    spaces, labels = learn_label_spaces(labels, split.train, config.min_count, config.rare, findings)
    encoder, encoded = _encode(titles, split.train, learn_titles if "text" in modalities else None)
    columns, tabular = _encode_tabular(rows, split.train, config, findings)
    return PreparedData(
        items=ItemArrays.encode(pictures, encoded.mapped(cache), tabular, labels, spaces),
        ids=ids,
        split=split,
        spaces=spaces,
        titles=encoder,
        tabular=columns,
        findings=findings,
        fingerprint=_fingerprint(rows, pictures),
        raw_titles=titles,
        raw_tabular=[row.tabular for row in rows],
    )


def _with_pictures(
    rows: list[CatalogueRow], preprocess: PreprocessConfig, cache: Path, findings: Findings
) -> tuple[list[CatalogueRow], PictureCache]:
    """Decode the pictures; rows with neither picture nor title are set aside."""
    pictures = open_pictures([row.picture for row in rows], preprocess, cache)
    for row, problem in zip(rows, pictures.problems, strict=True):
        if problem:
            findings.add(f"pictures: {problem}", "kept without the picture", row.id)
    named = [row for row in rows if row.picture is not None]
    if named and not (pictures.row != NO_ROW).any():
        raise UserError(str(named[0].picture), "neither this nor any other picture could be read", "Check data.images")
    kept = [i for i, row in enumerate(rows) if row.title is not None or pictures.row[i] != NO_ROW]
    for i in sorted(set(range(len(rows))) - set(kept)):
        findings.add("items with neither a title nor a picture", "set aside", rows[i].id)
    return [rows[i] for i in kept], pictures.take(kept)


def _subset(rows: list[CatalogueRow], pictures: PictureCache, limit: int) -> tuple[list[CatalogueRow], PictureCache]:
    """Families in a fixed arbitrary order, until they hold `limit` rows; the last one may be cut."""
    family = families([row.id for row in rows], [row.title for row in rows], pictures.digests)
    order = sorted(range(len(rows)), key=lambda i: (hashlib.sha256(str(family[i]).encode()).digest(), rows[i].id))
    kept = sorted(order[:limit])
    return [rows[i] for i in kept], pictures.take(kept)


def _readable(
    split: Split,
    rows: list[CatalogueRow],
    pictures: PictureCache,
    modalities: Collection[str],
    findings: Findings,
) -> Split:
    """The split less the rows that hold nothing the model reads."""
    has = {"image": pictures.row != NO_ROW, "text": np.array([row.title is not None for row in rows])}
    readable = np.any([has[name] for name in modalities], axis=0)
    for name, there in has.items():
        if name in modalities and not there[split.train].any():
            one, option, model = NEEDS[name]
            raise UserError(option, f"no training row has {one}", f"Set it, or use model={model}")
    for i in np.flatnonzero(~readable):
        findings.add(
            f"items without any input of a model that reads {' and '.join(modalities)}",
            "set aside",
            rows[i].id,
        )
    parts = {name: part[readable[part]] for name, part in split.parts().items()}
    for name, part in parts.items():
        if len(part) == 0:
            raise UserError(
                f"split {name}",
                f"no item has what a model that reads {' and '.join(modalities)} needs",
                "Check data.images and data.columns.title, or use another model",
            )
    return Split(**parts)


def _encode(
    titles: Sequence[str | None], train: Rows, learn_titles: LearnTitles | None
) -> tuple[TitleEncoder, EncodedTitles]:
    """The encoder, learned from training titles alone, and every title encoded; nothing without a text tower."""
    if learn_titles is None:
        encoder = TitleEncoder(None, None)
    else:
        encoder = learn_titles([title for row in train if (title := titles[row]) is not None])
    return encoder, encoder.encode(titles)


def _encode_tabular(
    rows: Sequence[CatalogueRow], train: Rows, config: DataConfig, findings: Findings
) -> tuple[TabularEncoder, TabularArrays]:
    """The encoder, learned from the training rows alone, and every row encoded."""
    encoder = TabularEncoder.learn([rows[i].tabular for i in train], config.tabular)
    for row in rows:
        for what, action in encoder.unread(row.tabular):
            findings.add(what, action, row.id)
    tabular = encoder.encode([row.tabular for row in rows])
    if encoder.columns and not tabular.there[train].any():
        names = ", ".join(encoder.columns)
        raise UserError("data.tabular", f"no training row has a value of {names} that can be read", "Leave them out")
    return encoder, tabular


def _fingerprint(rows: Sequence[CatalogueRow], pictures: PictureCache) -> str:
    digest = hashlib.sha256()
    for row, picture in zip(rows, pictures.digests, strict=True):
        read = (row.id, row.title, row.time, sorted(row.labels.items()), picture)
        digest.update(repr((*read, sorted(row.tabular.items())) if row.tabular else read).encode())
    return digest.hexdigest()
