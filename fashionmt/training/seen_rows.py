"""No row is evaluated on that a tower has learned from: towers of `experiment=pretrain_clip` know theirs."""

from collections.abc import Iterator
from pathlib import Path

from fashionmt.config import ModelConfig
from fashionmt.data.prepare import PreparedData
from fashionmt.errors import UserError
from fashionmt.model import TowersFolder, read_towers


def refuse_seen(config: ModelConfig, catalogue: str, data: PreparedData) -> None:
    """Raise `UserError` where towers were pretrained on validation or test rows of this run. `catalogue`: its name."""
    held_out = {data.ids[row] for part in ("validation", "test") for row in data.split.parts()[part]}
    for towers in _pretrained_towers(config):
        seen = held_out & towers.ids if towers.data == catalogue else set()
        if seen:
            wrong = f"pretrained on {len(seen)} of the {len(held_out)} rows that this run would be judged by"
            repair = "Give this run the data.split and limit_items of the pretraining, or pretrain again with its own"
            raise UserError(str(towers.root), wrong, repair)


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
