"""Where a title names no class, and where an item has one input alone, each part has its share; elsewhere nothing."""

from dataclasses import replace

import pytest
import torch
from tiny import CLASSES, NGRAMS, one_thread, random_batch, tiny_config, tiny_tagger

from fashionmt.batch import Batch
from fashionmt.config import ModelConfig, WidePathConfig
from fashionmt.model import Tagger
from fashionmt.model.answer_shares import AnswerShares

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)
COLOUR, SEASON = range(2)
SHARES = torch.tensor(
    [
        [[0.5, 0.75], [1.5, 0.25], [2.0, 0.5]],  # silent: towers, wide path, the picture's own; by attribute
        [[0.9, 1.1], [1.3, 0.7], [0.0, 0.0]],  # a title alone
        [[1.75, 0.8], [1.0, 1.0], [0.0, 0.0]],  # a picture alone
    ]
)


def a_config(**changes: object) -> ModelConfig:
    return replace(tiny_config(**changes), wide=WidePathConfig(answer_shares=True))  # type: ignore[arg-type]


@pytest.fixture
def tagger() -> Tagger:
    """Colours are named by the n-grams below 10; of the season no word is known."""
    made = tiny_tagger(a_config())
    assert made.answer_shares is not None
    made.answer_shares.names_class[1:10, COLOUR] = 1.0
    made.answer_shares.shares[:] = SHARES
    return made


@pytest.fixture
def batch() -> Batch:
    """Six whole items, then one without a title and one without a picture."""
    made = random_batch(8)
    titles = [[12, 0, 9, 0], [12, 10, 0, 0], [0, 0, 0, 0], [1, 1, 1, 1], [29, 10, 11, 12], [12, 0, 9, 0]]
    made.ngram_ids = torch.tensor([*titles, [0, 0, 0, 0], [12, 9, 10, 11]])
    made.ngram_weights[made.ngram_ids == 0] = 0.0
    made.has_title[6], made.has_image[7] = False, False
    return made


@torch.no_grad()
def test_it_starts_as_nothing(batch: Batch) -> None:
    plain = tiny_tagger(tiny_config(wide=True))
    found, expected = tiny_tagger(a_config())(batch).logits, plain(batch).logits
    for name in CLASSES:
        torch.testing.assert_close(found[name], expected[name])


@torch.no_grad()
def test_each_part_has_its_share_in_each_situation(tagger: Tagger, batch: Batch) -> None:
    hidden = replace(batch, has_title=torch.zeros(8, dtype=torch.bool))
    found = tagger(batch)
    tagger.answer_shares = None
    alone, together = tagger(hidden).logits, tagger(batch)
    assert tagger.wide is not None
    wide = tagger.wide(batch.ngram_ids, batch.ngram_weights)
    assert torch.equal(found.embedding, together.embedding)
    silent = {"colour": {1, 2, 4}, "season": {0, 1, 2, 3, 4, 5}}
    for place, name in enumerate(CLASSES):
        for row in range(8):
            situation = {6: 2, 7: 1}.get(row, 0 if row in silent[name] else None)
            expected = together.logits[name][row]
            if situation is not None:
                towers, path, picture = SHARES[situation, :, place]
                by_path = wide[name][row]
                expected = towers * (expected - by_path) + path * by_path + picture * alone[name][row]
            torch.testing.assert_close(found.logits[name][row], expected)


@torch.no_grad()
def test_an_item_of_neither_answers_as_ever(tagger: Tagger, batch: Batch) -> None:
    batch.has_image[:] = batch.has_title[:] = False
    found = tagger(batch).logits
    tagger.answer_shares = None
    expected = tagger(batch).logits
    assert all(torch.equal(found[name], expected[name]) for name in CLASSES)


def test_training_sees_nothing_of_it(tagger: Tagger) -> None:
    torch.manual_seed(0)
    found = tagger.train()(random_batch()).logits
    tagger.answer_shares = None
    torch.manual_seed(0)
    expected = tagger(random_batch()).logits
    assert all(torch.equal(found[name], expected[name]) for name in CLASSES)


def test_a_model_of_one_input_has_none() -> None:
    assert tiny_tagger(a_config(image=False)).answer_shares is None


@torch.no_grad()
def test_it_is_kept_with_the_weights(tagger: Tagger) -> None:
    other = tiny_tagger(a_config(), seed=1)
    other.load_state_dict(tagger.state_dict(), strict=True)
    batch = random_batch()
    assert torch.equal(other(batch).logits["colour"], tagger(batch).logits["colour"])


def test_padding_names_nothing() -> None:
    shares = AnswerShares(NGRAMS, CLASSES)
    shares.names_class[1:] = 1.0
    there = torch.ones(2, dtype=torch.bool)
    found = shares.situations(torch.tensor([[0, 0, 0], [0, 3, 0]]), there, there)
    assert found.tolist() == [[[True, True], [False, False], [False, False]], [[False, False]] * 3]
