"""No row is evaluated on that a tower has learned from: towers of `experiment=pretrain_clip` know theirs."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from fashionmt.config import ModelConfig
from fashionmt.data.prepare import PreparedData
from fashionmt.data.splits import normalised_title
from fashionmt.errors import UserError
from fashionmt.model import TowersFolder, read_towers

MARK_LENGTH = 16


def refuse_seen(config: ModelConfig, catalogue: str, data: PreparedData) -> None:
    """Raise `UserError` where towers were pretrained on validation or test rows of this run. `catalogue`: its name."""
    held_out = np.concatenate([data.split.validation, data.split.test])
    for towers in _pretrained_towers(config):
        if seen := sum(_has_seen(towers, catalogue, data, int(row)) for row in held_out):
            wrong = f"pretrained on {seen} of the {len(held_out)} rows that this run would be judged by"
            repair = "Give this run the data.split and limit_items of the pretraining, or pretrain again with its own"
            raise UserError(str(towers.root), wrong, repair)


def item_marks(data: PreparedData, row: int) -> set[str]:
    """What an item is known by in other runs, whatever they call the catalogue: its id with its title, and its id with
    its picture, of those that it has."""
    title, picture = data.raw_titles[row], data.items.pictures.digests[row]
    known = {"title": None if title is None else normalised_title(title), "picture": picture}
    told = (json.dumps([kind, data.ids[row], text]) for kind, text in known.items() if text is not None)
    return {hashlib.sha256(text.encode()).hexdigest()[:MARK_LENGTH] for text in told}


def _has_seen(towers: TowersFolder, catalogue: str, data: PreparedData, row: int) -> bool:
    """By all that this run knows of the item; it may read no pictures, or no titles."""
    if towers.marks is None:
        return towers.data == catalogue and data.ids[row] in towers.ids
    return item_marks(data, row) <= towers.marks


def _pretrained_towers(config: ModelConfig) -> Iterator[TowersFolder]:
    """The folders of `save_towers` that the model's weights come from."""
    folders = {Path(config.clip.source)} if config.clip is not None else set()
    if config.image is not None and config.image.weights is not None:
        folders.add(Path(config.image.weights).parent)
    if config.text is not None and config.text.pretrained is not None:
        folders.add(Path(config.text.pretrained).parent)
    for folder in sorted(folders):
        if (towers := read_towers(folder)) is not None:
            yield towers
