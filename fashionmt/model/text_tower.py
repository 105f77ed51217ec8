"""The text towers: what they have in common, and each by its name in `model.text.kind`."""

from typing import Any, Protocol

from torch import Tensor

from fashionmt.batch import Batch
from fashionmt.config import TextTowerConfig
from fashionmt.model.bert_tower import BertTower, build_encoder, encoder_from_config, pretrained_tokenizer
from fashionmt.model.lstm_tower import LstmTower
from fashionmt.model.ngram_tower import NgramTower, TfidfTower

__all__ = [
    "TextTower",
    "build_encoder",
    "build_text_tower",
    "encoder_from_config",
    "pretrained_tokenizer",
    "rebuild_text_tower",
]


class TextTower(Protocol):
    """A module from a batch's titles to float (B, `size`); a title with nothing to read gives zeros."""

    size: int

    def __call__(self, batch: Batch) -> Tensor:
        """Reads `token_ids` and `token_mask`, or `ngram_ids` and `ngram_weights`."""

    def shape(self) -> dict[str, Any]:
        """What `rebuild_text_tower` needs beyond the config and the n-gram vocabulary, as JSON takes it."""


def build_text_tower(config: TextTowerConfig, tokens: int, ngrams: int) -> TextTower:
    """A tower of random or pretrained weights. `tokens`, `ngrams`: how many ids there are of each."""
    match config.kind:
        case "lstm":
            return LstmTower(config, tokens)
        case "ngram":
            return NgramTower(config, ngrams)
        case "tfidf":
            return TfidfTower(config, ngrams)
        case _:
            return BertTower(build_encoder(config, tokens))


def rebuild_text_tower(config: TextTowerConfig, shape: dict[str, Any], ngrams: int) -> TextTower:
    """The same shape again, weights to be loaded: nothing is downloaded. `shape`: what `TextTower.shape` gave."""
    if config.kind == "bert":
        return BertTower(encoder_from_config(shape))
    return build_text_tower(config, shape.get("tokens", 0), ngrams)
