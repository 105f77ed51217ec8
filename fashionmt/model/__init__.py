"""The model, in plain torch."""

from fashionmt.model.tagger import Tagger, build_tagger, check_model, rebuild_tagger
from fashionmt.model.text_tower import pretrained_tokenizer

__all__ = ["Tagger", "build_tagger", "check_model", "pretrained_tokenizer", "rebuild_tagger"]
