"""The LSTM tower is torch's LSTM over each title alone, averaged over its tokens."""

from dataclasses import replace

import pytest
import torch
from tiny import VOCABULARY, random_batch

from fashionmt.config import TextTowerConfig
from fashionmt.model.lstm_tower import LstmTower


def _tower(layers: int = 1, dropout: float = 0.0) -> LstmTower:
    torch.manual_seed(0)
    config = TextTowerConfig(kind="lstm", hidden_size=16, layers=layers, dropout=dropout)
    return LstmTower(config, VOCABULARY).eval()


@pytest.mark.parametrize("layers", [1, 2])
@torch.no_grad()
def test_features_are_the_mean_of_an_unpacked_lstm_over_each_titles_tokens_alone(layers: int) -> None:
    tower, batch = _tower(layers), random_batch()
    features = tower(batch)
    lengths = batch.token_mask.sum(1).tolist()
    assert len(set(lengths)) > 2
    for row, length in enumerate(lengths):
        states, _ = tower.lstm(tower.embedding(batch.token_ids[row : row + 1, :length]))
        torch.testing.assert_close(features[row], states[0].mean(0), rtol=1e-4, atol=1e-6)


@torch.no_grad()
def test_the_order_of_the_tokens_counts() -> None:
    tower, batch = _tower(), random_batch()
    batch.token_mask[:] = True
    turned = tower(replace(batch, token_ids=batch.token_ids.flip(1)))
    assert not torch.allclose(turned, tower(batch), atol=1e-3)


def test_embeddings_of_tokens_past_the_end_get_no_gradient() -> None:
    tower, batch = _tower(), random_batch()
    batch.token_ids[~batch.token_mask] = 1  # which no title holds
    tower(batch).square().sum().backward()
    gradient = tower.embedding.weight.grad
    assert gradient is not None
    assert sorted(gradient.abs().sum(1).nonzero().flatten()) == sorted(batch.token_ids[batch.token_mask].unique())


@pytest.mark.parametrize("layers", [1, 3])
def test_dropout_between_layers_is_asked_for_where_there_are_several(layers: int) -> None:
    assert _tower(layers, dropout=0.3).lstm.dropout == (0.3 if layers > 1 else 0.0)
