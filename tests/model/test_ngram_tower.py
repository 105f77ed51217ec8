"""The n-gram towers are a mean of rows and a sparse matrix product, and their padding stays zero."""

import numpy as np
import pytest
import torch
from tiny import NGRAMS, random_batch

from fashionmt.batch import Batch
from fashionmt.config import TextTowerConfig
from fashionmt.model.ngram_tower import NgramTower, TfidfTower

TOWERS = (NgramTower, TfidfTower)


def _tower(kind: type[NgramTower], dropout: float = 0.0) -> NgramTower:
    torch.manual_seed(0)
    return kind(TextTowerConfig(kind="ngram", hidden_size=16, dropout=dropout), NGRAMS).eval()


def _batch() -> Batch:
    """Titles of 4, 4, 2, 1 and 0 n-grams."""
    batch = random_batch(5)
    for row, count in enumerate((4, 4, 2, 1, 0)):
        batch.ngram_ids[row, count:] = 0
        batch.ngram_weights[row, count:] = 0
    return batch


@torch.no_grad()
def test_ngram_is_the_mean_of_a_titles_rows() -> None:
    tower, batch = _tower(NgramTower), _batch()
    table = tower.table.weight.numpy()
    expected = [table[ids[ids > 0]].mean(0) if ids.any() else np.zeros(16) for ids in batch.ngram_ids.numpy()]
    np.testing.assert_allclose(tower(batch), expected, rtol=1e-5, atol=1e-6)


@torch.no_grad()
def test_tfidf_is_a_matrix_product_and_a_relu() -> None:
    tower, batch = _tower(TfidfTower), _batch()
    vectors = np.zeros((5, NGRAMS))
    for row in range(5):
        for ngram, weight in zip(batch.ngram_ids[row].tolist(), batch.ngram_weights[row].tolist(), strict=True):
            vectors[row, ngram] += weight
    expected = np.maximum(vectors @ tower.table.weight.numpy(), 0)
    np.testing.assert_allclose(tower(batch), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", TOWERS)
def test_the_row_of_the_padding_stays_zero(kind: type[NgramTower]) -> None:
    tower, batch = _tower(kind, dropout=0.3).train(), _batch()
    before = tower.table.weight.detach().clone()
    optimizer = torch.optim.AdamW(tower.parameters(), lr=0.1, weight_decay=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        (tower(batch) - 1).square().sum().backward()
        optimizer.step()
    assert not bool(tower.table.weight[0].any())
    assert not torch.equal(tower.table.weight, before)


@pytest.mark.parametrize("kind", TOWERS)
@torch.no_grad()
def test_hidden_ngrams_do_not_change_the_expected_sum(kind: type[NgramTower]) -> None:
    tower, batch = _tower(kind, dropout=0.5), _batch()
    tower.table.weight.abs_()  # so that the ReLU is linear here
    expected = tower(batch)
    tower.train()
    torch.manual_seed(0)
    draws = torch.stack([tower(batch) for _ in range(2000)])
    torch.testing.assert_close(draws.mean(0), expected, rtol=0.1, atol=0.05)
