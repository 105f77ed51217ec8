"""The model, in plain torch."""

from fashionmt.model.clip_towers import clip_tokenizer
from fashionmt.model.frozen import FrozenPart
from fashionmt.model.tagger import Tagger, build_tagger, check_model, rebuild_tagger
from fashionmt.model.text_tower import pretrained_tokenizer
from fashionmt.model.towers_folder import TowersFolder, read_towers, save_towers
from fashionmt.model.two_towers import TwoTowers, build_two_towers

__all__ = [
    "FrozenPart",
    "Tagger",
    "TowersFolder",
    "TwoTowers",
    "build_tagger",
    "build_two_towers",
    "check_model",
    "clip_tokenizer",
    "pretrained_tokenizer",
    "read_towers",
    "rebuild_tagger",
    "save_towers",
]
