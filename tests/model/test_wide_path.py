"""The wide path: a linear model of n-grams, added to the heads' logits where there is a title."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import CLASSES, COLUMNS, NGRAMS, one_thread, random_batch, tiny_config, tiny_tagger

from fashionmt.batch import Batch
from fashionmt.config import WidePathConfig
from fashionmt.errors import UserError
from fashionmt.model.heads import Fused
from fashionmt.model.wide_path import WidePath

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)


def _path(dropout: float = 0.0) -> WidePath:
    path = WidePath(WidePathConfig(dropout=dropout), NGRAMS, CLASSES)
    torch.nn.init.normal_(path.weight.weight)
    return path


def _of(path: WidePath, batch: Batch) -> dict[str, torch.Tensor]:
    return path(batch.ngram_ids, batch.ngram_weights, batch.numbers, batch.categories)


@torch.no_grad()
def test_it_is_a_weighted_sum_of_rows_split_by_attribute() -> None:
    path, batch = _path().eval(), random_batch(5)
    found = _of(path, batch)
    table = path.weight.weight.numpy()
    for row in range(5):
        pairs = zip(batch.ngram_ids[row].tolist(), batch.ngram_weights[row].tolist(), strict=True)
        expected = np.sum([weight * table[ngram] for ngram, weight in pairs], axis=0)
        np.testing.assert_allclose(torch.cat([found[name][row] for name in CLASSES]), expected, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_it_starts_as_nothing() -> None:
    batch = random_batch()
    untrained = _of(WidePath(WidePathConfig(), NGRAMS, CLASSES), batch)
    assert not any(bool(value.any()) for value in untrained.values())


@torch.no_grad()
def test_the_tagger_adds_it_to_the_heads() -> None:
    tagger, batch = tiny_tagger(tiny_config(image=False, wide=True)), random_batch()
    output = tagger(batch)
    wide, deep = _of(tagger.wide, batch), tagger.heads(Fused(output.embedding))
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
    pad = torch.nn.functional.pad
    longer = replace(batch, ngram_ids=pad(batch.ngram_ids, (0, 3)), ngram_weights=pad(batch.ngram_weights, (0, 3)))
    found, expected = _of(path, longer), _of(path, batch)
    assert all(torch.equal(found[name], expected[name]) for name in CLASSES)


@torch.no_grad()
def test_ngrams_are_hidden_in_training_alone() -> None:
    path, batch = _path(dropout=0.5), random_batch()
    once, again = (_of(path, batch)["colour"] for _ in range(2))
    assert not torch.equal(once, again)
    path.eval()
    once, again = (_of(path, batch)["colour"] for _ in range(2))
    assert torch.equal(once, again)


def test_rows_that_no_title_used_get_no_gradient() -> None:
    path = _path()
    nothing = torch.zeros(1, 0), torch.zeros(1, 0, dtype=torch.int64)
    path(torch.tensor([[3, 0]]), torch.tensor([[1.0, 0.0]]), *nothing)["colour"].sum().backward()
    used = path.weight.weight.grad.abs().sum(1).nonzero().flatten()
    assert used.tolist() == [3]


def _with_columns() -> WidePath:
    path = WidePath(WidePathConfig(columns=True), NGRAMS, CLASSES, COLUMNS).eval()
    torch.nn.init.normal_(path.weight.weight)
    return path


@torch.no_grad()
def test_columns_that_were_brought_along_are_added_beside_a_known_title() -> None:
    path, batch = _with_columns(), random_batch()
    batch.ngram_weights[1] = 0.0
    before = _of(path, batch)
    numbers, sizes = COLUMNS
    rows = numbers + sum(sizes)
    weight, bias = torch.zeros(NGRAMS, CLASSES["colour"]), torch.randn(CLASSES["colour"])
    columns = torch.randn(rows, CLASSES["colour"])
    path.absorb("colour", 2.0, weight, bias, columns)
    after = _of(path, batch)
    assert torch.equal(after["season"], before["season"])
    assert not bool(after["colour"][1].any())
    for row in (0, 2, 3):
        first, second = (int(value) for value in batch.categories[row])
        told = sum(batch.numbers[row, i] * columns[i] for i in range(numbers))
        told += columns[numbers + first] + columns[numbers + sizes[0] + second]
        torch.testing.assert_close(after["colour"][row], 2 * before["colour"][row] + bias + told)


@torch.no_grad()
def test_the_tagger_reads_columns_where_they_are_there() -> None:
    assert tiny_tagger(tiny_config(wide=True), columns=COLUMNS).wide.columns is None
    config = replace(tiny_config(wide=True), wide=WidePathConfig(columns=True))
    tagger, batch = tiny_tagger(config, columns=COLUMNS), random_batch()
    batch.has_tabular[2] = False
    without = tagger(batch).logits["colour"]
    tagger.wide.columns.weight.normal_()
    added = tagger(batch).logits["colour"] - without
    nothing = torch.zeros_like(batch.numbers), torch.zeros_like(batch.categories)
    batch.numbers[2], batch.categories[2] = nothing[0][2], nothing[1][2]
    expected = tagger.wide.columns(batch.numbers, batch.categories)[:, : CLASSES["colour"]]
    torch.testing.assert_close(added, expected, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(added[1], added[2])


def test_a_model_without_titles_is_refused() -> None:
    with pytest.raises(UserError, match=r"model\.wide"):
        tiny_config(text=False, wide=True)
