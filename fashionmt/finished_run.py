"""A training run that has ended: its config, its data as they were, its bundle."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from fashionmt.bundle import Bundle, read_bundle
from fashionmt.config import TrainConfig
from fashionmt.data.prepare import PreparedData, prepare_data
from fashionmt.errors import UserError
from fashionmt.hydra_bridge import from_yaml
from fashionmt.paths import cache_dir
from fashionmt.training.run_folder import RunFolder


@dataclass(frozen=True)
class FinishedRun:
    """What `read_run` gives."""

    folder: RunFolder
    config: TrainConfig
    data: PreparedData
    """Split as the run's were; titles encoded as the bundle reads them."""
    bundle: Bundle

    def alike(self, given: str | None) -> list[str]:
        """The attributes that make items similar: those `given`, "a,b,c", or the run's own. Raises `UserError`."""
        known = list(self.data.spaces)
        names = given.split(",") if given is not None else self.config.data.alike or known
        if unknown := set(names) - set(known):
            raise UserError(f"--alike {given}", f"no attribute {min(unknown)!r}", f"Use some of {', '.join(known)}")
        return names


def read_run(root: Path, catalogue: str | None = None, images: str | None = None) -> FinishedRun:
    """The run in the folder `root`. `catalogue`, `images`: where its files lie now, if elsewhere than then.

    Raises `UserError`, also where the catalogue or its split is not what the run saw: its test rows might have been
    trained on.
    """
    folder = RunFolder(root)
    if not folder.config.is_file() or not folder.bundle.is_dir():
        raise UserError(str(root), "holds no finished run", "Name a folder below runs/train that holds a bundle")
    config = from_yaml(folder.config)
    moved: dict[str, Any] = {"catalogue": catalogue, "images": images}
    config.data = replace(config.data, **{key: path for key, path in moved.items() if path is not None})
    bundle = read_bundle(folder.bundle)
    modalities = config.model.modalities
    data = prepare_data(
        config.data, config.preprocess, cache_dir(), modalities, lambda _: bundle.titles, config.limit_items
    )
    if json.loads(folder.data_report.read_text(encoding="utf-8"))["fingerprint"] != data.fingerprint:
        repair = "Restore it, or name the catalogue and the pictures that it was trained on"
        raise UserError(str(root), "the catalogue has changed since this run", repair)
    if not data.split.is_kept(folder.split, data.ids):
        wrong = "another version of fashionmt dealt its rows, and this one splits them otherwise"
        raise UserError(str(root), wrong, "Use that version, or train again")
    return FinishedRun(folder, config, data, bundle)
