"""Where a title names no class of an attribute, each part of an answer has its share; elsewhere nothing changes."""

from dataclasses import replace

import pytest
import torch
from tiny import CLASSES, NGRAMS, one_thread, random_batch, tiny_config, tiny_tagger

from fashionmt.config import ModelConfig, WidePathConfig
from fashionmt.model import Tagger
from fashionmt.model.silent_titles import SilentTitles

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)
COLOUR, SEASON = range(2)


def a_config(**changes: object) -> ModelConfig:
    return replace(tiny_config(**changes), wide=WidePathConfig(silent_titles=True))  # type: ignore[arg-type]


@pytest.fixture
def tagger() -> Tagger:
    """Colours are named by the n-grams below 10; of the season no word is known."""
    made = tiny_tagger(a_config())
    assert made.silent_titles is not None
    made.silent_titles.names_class[1:10, COLOUR] = 1.0
    made.silent_titles.shares[:] = torch.tensor([[0.5, 0.75], [1.5, 0.25], [2.0, 0.5]])
    return made


@torch.no_grad()
def test_it_starts_as_nothing() -> None:
    plain, batch = tiny_tagger(tiny_config(wide=True)), random_batch()
    found, expected = tiny_tagger(a_config())(batch).logits, plain(batch).logits
    for name in CLASSES:
        torch.testing.assert_close(found[name], expected[name])


@torch.no_grad()
def test_the_parts_have_their_shares_where_no_class_is_named(tagger: Tagger) -> None:
    batch = random_batch(6)
    titles = [[12, 0, 9, 0], [12, 10, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [29, 10, 11, 12], [12, 0, 9, 0]]
    batch.ngram_ids = torch.tensor(titles)
    batch.has_title[4] = False
    hidden = replace(batch, has_title=torch.zeros(6, dtype=torch.bool))
    found, alone = tagger(batch), tagger(hidden).logits
    share, wide = (
        tagger.silent_titles,
        tagger.wide(batch.ngram_ids, batch.ngram_weights, batch.numbers, batch.categories),
    )
    tagger.silent_titles = None
    together = tagger(batch)
    assert torch.equal(found.embedding, together.embedding)
    silent = {"colour": [1, 2], "season": [0, 1, 2, 3, 5]}
    for place, name in enumerate(CLASSES):
        towers, path, picture = share.shares[:, place]
        for row in range(6):
            expected = together.logits[name][row]
            if row in silent[name]:
                by_path = wide[name][row]
                expected = towers * (expected - by_path) + path * by_path + picture * alone[name][row]
            torch.testing.assert_close(found.logits[name][row], expected)


@torch.no_grad()
@pytest.mark.parametrize("hidden", ["has_image", "has_title"])
def test_an_item_with_one_input_alone_answers_as_ever(tagger: Tagger, hidden: str) -> None:
    batch = random_batch()
    getattr(batch, hidden)[:] = False
    found = tagger(batch).logits
    tagger.silent_titles = None
    expected = tagger(batch).logits
    assert all(torch.equal(found[name], expected[name]) for name in CLASSES)


def test_training_sees_nothing_of_it(tagger: Tagger) -> None:
    torch.manual_seed(0)
    found = tagger.train()(random_batch()).logits
    tagger.silent_titles = None
    torch.manual_seed(0)
    expected = tagger(random_batch()).logits
    assert all(torch.equal(found[name], expected[name]) for name in CLASSES)


def test_a_model_without_pictures_has_none() -> None:
    assert tiny_tagger(a_config(image=False)).silent_titles is None


@torch.no_grad()
def test_it_is_kept_with_the_weights(tagger: Tagger) -> None:
    other = tiny_tagger(a_config(), seed=1)
    other.load_state_dict(tagger.state_dict(), strict=True)
    batch = random_batch()
    assert torch.equal(other(batch).logits["colour"], tagger(batch).logits["colour"])


def test_padding_names_nothing() -> None:
    share = SilentTitles(NGRAMS, CLASSES)
    share.names_class[1:] = 1.0
    ids = torch.tensor([[0, 0, 0], [0, 3, 0]])
    there = torch.ones(2, dtype=torch.bool)
    assert share.silent(ids, there).tolist() == [[True, True], [False, False]]
    assert not share.silent(ids, ~there).any()
