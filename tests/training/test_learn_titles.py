"""What a model learns from the training titles is what its towers and its wide path read."""

import pytest
from tiny import tiny_config

from fashionmt.config import ModelConfig, TextTowerConfig, WidePathConfig
from fashionmt.data import NgramVocabulary
from fashionmt.training.loading import _learn_titles

TITLES = ("red shirt", "red shoe", "red shoe", "blue shoe")


def _ngrams(kind: str | None, min_count: int, wide: int | None) -> NgramVocabulary | None:
    config = ModelConfig(
        image=tiny_config().image,
        text=TextTowerConfig(kind=kind, min_count=min_count) if kind is not None else None,
        wide=WidePathConfig(min_count=wide) if wide is not None else None,
    )
    encoder = _learn_titles(config, TITLES)
    assert (encoder.tokenizer is None) == (kind is None)  # tokens tell which titles hold something to read
    return encoder.ngrams


@pytest.mark.parametrize("kind", ["ngram", "tfidf"])
@pytest.mark.parametrize("min_count", [1, 2, 3])
def test_ngrams_are_learned_for_a_tower_that_reads_them(kind: str, min_count: int) -> None:
    found, expected = _ngrams(kind, min_count, None), NgramVocabulary.learn(TITLES, min_count)
    assert found is not None
    assert found.hashes.tolist() == expected.hashes.tolist()


@pytest.mark.parametrize("kind", ["bert", "lstm", None])
def test_ngrams_are_not_learned_where_nothing_reads_them(kind: str | None) -> None:
    assert _ngrams(kind, 2, None) is None


@pytest.mark.parametrize("kind", ["bert", "tfidf"])
def test_ngrams_are_learned_for_a_wide_path_beside_any_tower(kind: str) -> None:
    found = _ngrams(kind, 3, 3)
    assert found is not None
    assert len(found) == len(NgramVocabulary.learn(TITLES, 3))
