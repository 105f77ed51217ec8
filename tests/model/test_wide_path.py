"""The wide path: a linear model of n-grams, added to the heads' logits where there is a title."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import CLASSES, NGRAMS, one_thread, random_batch, tiny_config, tiny_tagger

from fashionmt.config import WidePathConfig
from fashionmt.errors import UserError
from fashionmt.model.heads import Fused
from fashionmt.model.wide_path import WidePath

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)


def _path(dropout: float = 0.0) -> WidePath:
    path = WidePath(WidePathConfig(dropout=dropout), NGRAMS, CLASSES)
    torch.nn.init.normal_(path.weight.weight)
    return path


@torch.no_grad()
def test_it_is_a_weighted_sum_of_rows_split_by_attribute() -> None:
    path, batch = _path().eval(), random_batch(5)
    found = path(batch.ngram_ids, batch.ngram_weights)
    table = path.weight.weight.numpy()
    for row in range(5):
        pairs = zip(batch.ngram_ids[row].tolist(), batch.ngram_weights[row].tolist(), strict=True)
        expected = np.sum([weight * table[ngram] for ngram, weight in pairs], axis=0)
        np.testing.assert_allclose(torch.cat([found[name][row] for name in CLASSES]), expected, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_it_starts_as_nothing() -> None:
    batch = random_batch()
    untrained = WidePath(WidePathConfig(), NGRAMS, CLASSES)(batch.ngram_ids, batch.ngram_weights)
    assert not any(bool(value.any()) for value in untrained.values())


@torch.no_grad()
def test_the_tagger_adds_it_to_the_heads() -> None:
    tagger, batch = tiny_tagger(tiny_config(image=False, wide=True)), random_batch()
    output = tagger(batch)
    wide, deep = tagger.wide(batch.ngram_ids, batch.ngram_weights), tagger.heads(Fused(output.embedding))
    for name in CLASSES:
        torch.testing.assert_close(output.logits[name], tagger.wide.beside(name, deep[name]) + wide[name])
        assert bool(wide[name].any())


@torch.no_grad()
def test_the_ngrams_of_a_missing_title_are_not_read() -> None:
    tagger, batch = tiny_tagger(tiny_config(wide=True)), random_batch()
    batch.has_title[2] = False
    other = replace(batch, ngram_ids=batch.ngram_ids.roll(1, 0))
    before, after = tagger(batch).logits["colour"], tagger(other).logits["colour"]
    assert torch.equal(before[2], after[2])
    assert not torch.allclose(before[1], after[1])


@torch.no_grad()
def test_padding_changes_nothing() -> None:
    path, batch = _path().eval(), random_batch()
    longer = [torch.nn.functional.pad(value, (0, 3)) for value in (batch.ngram_ids, batch.ngram_weights)]
    found, expected = path(*longer), path(batch.ngram_ids, batch.ngram_weights)
    assert all(torch.equal(found[name], expected[name]) for name in CLASSES)


@torch.no_grad()
def test_ngrams_are_hidden_in_training_alone() -> None:
    path, batch = _path(dropout=0.5), random_batch()
    once, again = (path(batch.ngram_ids, batch.ngram_weights)["colour"] for _ in range(2))
    assert not torch.equal(once, again)
    path.eval()
    once, again = (path(batch.ngram_ids, batch.ngram_weights)["colour"] for _ in range(2))
    assert torch.equal(once, again)


def test_rows_that_no_title_used_get_no_gradient() -> None:
    path = _path()
    path(torch.tensor([[3, 0]]), torch.tensor([[1.0, 0.0]]))["colour"].sum().backward()
    used = path.weight.weight.grad.abs().sum(1).nonzero().flatten()
    assert used.tolist() == [3]


def test_a_model_without_titles_is_refused() -> None:
    with pytest.raises(UserError, match=r"model\.wide"):
        tiny_config(text=False, wide=True)
