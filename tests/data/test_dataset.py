"""Batches: one gather gives what a loop over the items gives."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader, SequentialSampler

from fashionmt.attributes import MISSING, LabelSpace
from fashionmt.batch import Batch
from fashionmt.config import TitleVariationConfig
from fashionmt.data import learn_tokenizer
from fashionmt.data.dataset import CatalogueDataset, ItemArrays
from fashionmt.data.feature_cache import FeatureCache
from fashionmt.data.ngrams import NgramArrays, NgramVocabulary
from fashionmt.data.picture_cache import NO_ROW, PictureCache
from fashionmt.data.tabular import TabularArrays
from fashionmt.data.titles import EncodedTitles, TitleEncoder
from fashionmt.data.tokens import TokenArrays
from fashionmt.data.vary_titles import TitleVariation

PAD = 7
COUNT = 20
LABELS: dict[str, list[str | None]] = {
    "colour": [("Red", "Blue", None, "Teal")[i % 4] for i in range(COUNT)],
    "kind": [("Shirt", "Shoe")[i // 10] for i in range(COUNT)],
}
SPACES = {
    "colour": LabelSpace("colour", ("Blue", "Red"), ("Teal",)),
    "kind": LabelSpace("kind", ("Shirt", "Shoe")),
}


@pytest.fixture
def items() -> ItemArrays:
    """Twenty items; pictures shared and absent, titles of 0 to 6 tokens and 0 to 3 n-grams."""
    draw = np.random.default_rng(0)
    pixels = draw.integers(0, 256, (6, 4, 3, 3), dtype=np.uint8)
    row = draw.integers(-1, 6, COUNT)
    lengths = draw.integers(0, 7, COUNT)
    ids = draw.integers(8, 100, (COUNT, 6)).astype(np.int32)
    ids[np.arange(6) >= lengths[:, None]] = PAD
    pictures = PictureCache(pixels, row, [None] * COUNT, [None] * COUNT)
    starts = np.concatenate([[0], np.cumsum(draw.integers(0, 4, COUNT))])
    ngrams = NgramArrays(
        draw.integers(1, 50, starts[-1]).astype(np.int32), draw.random(starts[-1]).astype(np.float32), starts
    )
    titles = EncodedTitles(TokenArrays(ids, lengths), ngrams)
    numbers, categories = draw.random((COUNT, 3)).astype(np.float32), draw.integers(0, 4, (COUNT, 2))
    return ItemArrays.encode(pictures, titles, TabularArrays(numbers, categories, numbers[:, 0] > 0.5), LABELS, SPACES)


def rectangle(rows: list[list[float]], padding: float, dtype: torch.dtype) -> torch.Tensor:
    longest = max([1] + [len(row) for row in rows])
    return torch.tensor([row + [padding] * (longest - len(row)) for row in rows], dtype=dtype)


def slowly(items: ItemArrays, rows: list[int]) -> Batch:
    """Item by item, in Python lists."""
    titles = items.titles
    pixels: list[Any] = []
    tokens: list[list[float]] = []
    ngrams: list[list[float]] = []
    weights: list[list[float]] = []
    labels: dict[str, list[int]] = {name: [] for name in LABELS}
    for row in rows:
        picture, length = int(items.pictures.row[row]), int(titles.tokens.lengths[row])
        empty = np.zeros((4, 3, 3), np.uint8)
        pixels.append((empty if picture == NO_ROW else items.pictures.pixels[picture]).tolist())
        tokens.append(titles.tokens.ids[row].tolist()[:length])
        own = slice(titles.ngrams.starts[row], titles.ngrams.starts[row + 1])
        ngrams.append(titles.ngrams.ids[own].tolist())
        weights.append(titles.ngrams.weights[own].tolist())
        for name, column in LABELS.items():
            label = column[row]
            labels[name].append(MISSING if label is None else SPACES[name].every_class.index(label))
    return Batch(
        pixels=torch.tensor(pixels, dtype=torch.uint8),
        has_image=torch.tensor([int(items.pictures.row[row]) != NO_ROW for row in rows]),
        token_ids=rectangle(tokens, PAD, torch.int64),
        token_mask=rectangle([[1.0] * len(t) for t in tokens], 0, torch.bool),
        ngram_ids=rectangle(ngrams, 0, torch.int64),
        ngram_weights=rectangle(weights, 0, torch.float32),
        has_title=torch.tensor([len(title) > 0 for title in tokens]),
        numbers=torch.tensor([items.tabular.numbers[row].tolist() for row in rows]),
        categories=torch.tensor([items.tabular.categories[row].tolist() for row in rows]),
        has_tabular=torch.tensor([bool(items.tabular.there[row]) for row in rows]),
        labels={name: torch.tensor(column) for name, column in labels.items()},
    )


def assert_same(batch: Batch, expected: Batch) -> None:
    fields: dict[str, Any] = vars(expected)
    assert batch.struck is None
    for name, value in fields.items():
        if name == "struck":
            continue
        found = getattr(batch, name)
        pairs = [(found[k], value[k]) for k in value] if name in ("labels", "frozen") else [(found, value)]
        for a, b in pairs:
            assert a.dtype == b.dtype, name
            assert torch.equal(a, b), name
    assert batch.labels.keys() == expected.labels.keys()


@pytest.mark.parametrize("seed", range(10))
def test_a_gather_is_what_a_loop_over_the_items_gives(items: ItemArrays, seed: int) -> None:
    draw = np.random.default_rng(seed)
    rows = draw.integers(0, COUNT, draw.integers(1, 12))  # in any order, repeated too
    assert_same(items.gather(rows), slowly(items, rows.tolist()))


def test_a_batch_without_any_title_still_has_a_token_column(items: ItemArrays) -> None:
    rows = np.flatnonzero(items.titles.tokens.lengths == 0)
    assert len(rows) > 0
    batch = items.gather(rows)
    assert batch.token_ids.shape == (len(rows), 1)
    assert not batch.token_mask.any()
    assert_same(batch, slowly(items, rows.tolist()))


def test_a_batch_without_any_picture_is_black(items: ItemArrays) -> None:
    rows = np.flatnonzero(items.pictures.row == NO_ROW)
    assert len(rows) > 0
    assert not items.gather(rows).pixels.any()


def test_a_dataset_counts_positions_within_its_own_rows(items: ItemArrays) -> None:
    rows = np.array([3, 5, 8, 13, 19])
    dataset = CatalogueDataset(items, rows)
    assert len(dataset) == 5
    assert_same(dataset[[4, 0, 2]], slowly(items, [19, 3, 8]))


def test_a_changed_batch_does_not_change_the_items(items: ItemArrays) -> None:
    rows = np.arange(COUNT)
    before = slowly(items, rows.tolist())
    batch = items.gather(rows)
    for tensor in (batch.pixels, batch.token_ids, batch.ngram_ids, batch.ngram_weights, *batch.labels.values()):
        tensor.fill_(1)
    assert_same(items.gather(rows), before)


def test_a_loader_of_whole_batches_reads_every_item_once(items: ItemArrays) -> None:
    dataset = CatalogueDataset(items, np.arange(2, COUNT))
    sampler = BatchSampler(SequentialSampler(dataset), batch_size=7, drop_last=False)
    batches = list(DataLoader(dataset, sampler=sampler, batch_size=None))
    assert [len(batch) for batch in batches] == [7, 7, 4]
    assert_same(batches[1], slowly(items, list(range(9, 16))))


def test_a_varied_title_stands_for_the_items_own_and_the_struck_one_beside_it(items: ItemArrays) -> None:
    encoder = TitleEncoder(learn_tokenizer(["red shoe", "blue shoe"] * 4, 100, 8), NgramVocabulary.learn(["red"], 1))
    words = {"colour": frozenset({"red", "blue"})}
    titles = ["red shoe" if row % 2 else None for row in range(COUNT)]
    variation = TitleVariation(encoder, titles, words, TitleVariationConfig(synonyms=1), struck=True)
    rows = np.array([3, 4, 7])
    batch = CatalogueDataset(items, rows, variation)[[2, 0, 1]]
    plain = CatalogueDataset(items, rows)[[2, 0, 1]]
    assert plain.struck is None
    assert torch.equal(batch.pixels, plain.pixels)
    assert batch.has_title.tolist() == [True, True, False]
    assert batch.struck is not None
    assert batch.struck.has_title.tolist() == [True, True, False]
    struck = batch.with_struck_titles()
    shoe, red_shoe = (encoder.encode([title]).tokens.ids[0].tolist() for title in ("shoe", "red shoe"))
    assert batch.token_ids[0].tolist() == red_shoe[: batch.token_ids.shape[1]]
    assert struck.token_ids[0].tolist() == shoe[: struck.token_ids.shape[1]]
    assert struck.struck is None
    assert torch.equal(struck.pixels, plain.pixels)
    moved = batch.to("meta")
    assert moved.struck is not None
    assert moved.struck.token_ids.device.type == moved.labels["colour"].device.type == "meta"


def test_a_batch_without_struck_titles_says_so(items: ItemArrays) -> None:
    with pytest.raises(ValueError, match="without struck titles"):
        CatalogueDataset(items, np.arange(3))[[0]].with_struck_titles()


def test_other_titles_are_shown_for_the_items_own(items: ItemArrays) -> None:
    encoder = TitleEncoder(learn_tokenizer(["red shoe", "blue shoe"] * 4, 100, 8), NgramVocabulary.learn(["red"], 1))
    rows, shown = np.array([3, 4, 7]), ["shoe", None, "red shoe"]
    batch = CatalogueDataset(items, rows, titles=encoder.encode(shown))[[2, 0, 1]]
    plain = CatalogueDataset(items, rows)[[2, 0, 1]]
    assert torch.equal(batch.pixels, plain.pixels)
    assert all(torch.equal(batch.labels[name], plain.labels[name]) for name in plain.labels)
    assert batch.has_title.tolist() == [True, True, False]
    for place, title in enumerate(["red shoe", "shoe"]):
        tokens = batch.token_ids[place][batch.token_mask[place]]
        assert tokens.tolist() == encoder.encode([title]).tokens.ids[0].tolist()
    assert (batch.ngram_weights.sum(1) > 0).tolist() == [True, False, False]


# Features of frozen towers


@pytest.fixture
def known(items: ItemArrays) -> ItemArrays:
    """The features of picture and title are the item's number and a hundred more; a third of the items have none."""
    row = np.where(np.arange(COUNT) % 3 == 0, NO_ROW, np.arange(COUNT))
    values = np.arange(COUNT, dtype=np.float32)[:, None]
    frozen = {"image": FeatureCache(values, row), "text": FeatureCache(values + 100, row)}
    return replace(items, frozen=frozen)


def test_known_features_come_with_the_items(items: ItemArrays, known: ItemArrays) -> None:
    rows = np.array([5, 3, 4, 4])
    batch = known.gather(rows)
    assert batch.frozen["image"].tolist() == [[5], [0], [4], [4]]
    assert batch.frozen["text"].tolist() == [[105], [0], [104], [104]]
    assert_same(replace(batch, frozen={}), slowly(items, rows.tolist()))
    assert batch.to("meta").frozen["text"].device.type == "meta"


def test_pixels_that_nobody_looks_at_are_not_read(items: ItemArrays, known: ItemArrays) -> None:
    rows = np.arange(COUNT)
    batch = replace(known, reads_pictures=False).gather(rows)
    assert batch.pixels.shape == (COUNT, 0, 0, 3)
    assert torch.equal(batch.has_image, items.gather(rows).has_image)


@pytest.mark.parametrize(("config", "own"), [(TitleVariationConfig(), True), (TitleVariationConfig(strike=0.1), False)])
def test_features_are_of_a_title_as_it_is(known: ItemArrays, config: TitleVariationConfig, own: bool) -> None:
    encoder = TitleEncoder(learn_tokenizer(["red shoe", "blue shoe"] * 4, 100, 8), None)
    variation = TitleVariation(encoder, ["red shoe"] * COUNT, {"colour": frozenset({"red"})}, config, struck=True)
    batch = CatalogueDataset(known, np.arange(COUNT), variation)[[4, 5]]
    assert set(batch.frozen) == ({"image", "text"} if own else {"image"})
    assert set(batch.with_struck_titles().frozen) == {"image"}
