"""Every text tower keeps the same promises: padding, company and empty titles change nothing, bundles rebuild it."""

import json
from dataclasses import replace

import pytest
import torch
from tiny import CLASSES, NGRAMS, VOCABULARY, random_batch, rows_of, tiny_config, tiny_tagger
from torch import nn

from fashionmt.batch import Batch
from fashionmt.config import ModelConfig, TextTowerConfig, WidePathConfig
from fashionmt.errors import UserError
from fashionmt.model import check_model, rebuild_tagger
from fashionmt.model.text_tower import build_text_tower, rebuild_text_tower

KINDS = ("bert", "lstm", "ngram", "tfidf")
SIZE = 16


def _config(kind: str, **changes: float) -> TextTowerConfig:
    return TextTowerConfig(kind=kind, hidden_size=SIZE, heads=2, max_tokens=12, **{"dropout": 0.0, **changes})


def _tower(kind: str, **changes: float) -> nn.Module:
    torch.manual_seed(0)
    tower = build_text_tower(_config(kind, **changes), VOCABULARY, NGRAMS)
    assert isinstance(tower, nn.Module)
    return tower.eval()


def _without_words(batch: Batch, rows: list[int]) -> Batch:
    """As the dataset gives a title with nothing to read in it."""
    tensors = {name: getattr(batch, name).clone() for name in ("token_mask", "ngram_ids", "ngram_weights")}
    for value in tensors.values():
        value[rows] = 0
    return replace(batch, **tensors)


def _model(kind: str) -> ModelConfig:
    return replace(tiny_config(image=False), text=_config(kind))


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_features_have_the_declared_size_and_differ_by_title(kind: str) -> None:
    tower = _tower(kind)
    features = tower(random_batch())
    assert (features.shape, tower.size) == ((6, SIZE), SIZE)
    assert len(features.unique(dim=0)) == 6


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_padding_changes_nothing(kind: str) -> None:
    tower, batch = _tower(kind), random_batch()
    longer = replace(
        batch,
        token_ids=nn.functional.pad(batch.token_ids, (0, 5), value=7),
        token_mask=nn.functional.pad(batch.token_mask, (0, 5)),
        ngram_ids=nn.functional.pad(batch.ngram_ids, (0, 5)),
        ngram_weights=nn.functional.pad(batch.ngram_weights, (0, 5)),
    )
    torch.testing.assert_close(tower(longer), tower(batch), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_titles_features_do_not_depend_on_the_other_titles(kind: str) -> None:
    tower, batch = _tower(kind), _without_words(random_batch(), [3])
    together = tower(batch)
    for row in range(6):
        torch.testing.assert_close(tower(rows_of(batch, [row]))[0], together[row], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_title_with_nothing_to_read_gives_zeros(kind: str, training: bool) -> None:
    features = _tower(kind, dropout=0.5).train(training)(_without_words(random_batch(), [1, 4]))
    assert torch.equal(features[[1, 4]], torch.zeros(2, SIZE))
    assert bool(features[0].any())


@pytest.mark.parametrize("rows", [[1], list(range(6))], ids=["one", "all"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_finite_where_there_is_nothing_to_read(kind: str, rows: list[int]) -> None:
    tower = _tower(kind)
    (tower(_without_words(random_batch(), rows)) + 1).square().sum().backward()
    gradients = [parameter.grad for parameter in tower.parameters() if parameter.grad is not None]
    assert gradients
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_acts_in_training_alone(kind: str) -> None:
    tower, batch = _tower(kind, dropout=0.5), random_batch()
    with torch.no_grad():
        assert torch.equal(tower(batch), tower(batch))
        tower.train()
        assert not torch.equal(tower(batch), tower(batch))


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_half_precision_is_near_float32(kind: str) -> None:
    tower, batch = _tower(kind), random_batch()
    with torch.autocast("cpu", torch.bfloat16):
        found = tower(batch)
    torch.testing.assert_close(found.float(), tower(batch), rtol=0.05, atol=0.05)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_it_is_rebuilt_from_what_a_bundle_keeps(kind: str) -> None:
    tower, batch = _tower(kind), random_batch()
    again = rebuild_text_tower(_config(kind), json.loads(json.dumps(tower.shape())), NGRAMS)
    assert isinstance(again, nn.Module)
    again.eval().load_state_dict(tower.state_dict())
    assert torch.equal(again(batch), tower(batch))


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_a_tagger_of_it_is_rebuilt(kind: str) -> None:
    tagger, batch = tiny_tagger(_model(kind)), random_batch()
    again = rebuild_tagger(tagger.config, CLASSES, tagger.encoder_config(), NGRAMS).eval()
    again.load_state_dict(tagger.state_dict())
    assert torch.equal(again(batch).logits["colour"], tagger(batch).logits["colour"])


def test_a_shape_without_a_tower_or_a_tower_without_a_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        rebuild_tagger(_model("tfidf"), CLASSES, None, NGRAMS)
    with pytest.raises(ValueError, match="shape"):
        rebuild_tagger(tiny_config(text=False), CLASSES, {})


def test_a_tower_and_a_wide_path_that_want_other_ngrams_are_refused() -> None:
    for kind in KINDS:
        config = replace(_model(kind), wide=WidePathConfig(min_count=5))
        if kind in ("ngram", "tfidf"):
            with pytest.raises(UserError, match=r"^model\.text\.min_count=2: .*\(5\)"):
                check_model(config)
        else:
            check_model(config)
        check_model(replace(config, wide=WidePathConfig(min_count=2)))
