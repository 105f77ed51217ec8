"""Which settings may change a row's result: in these a kept row is the one asked for, and seeds are of one system."""

import hashlib
import json
from dataclasses import asdict
from typing import Any

from fashionmt.config import TrainConfig

SAME_RESULT = {
    "benchmark": ("row", "system", "reference", "folder", "without", "named", "draws"),
    "data": ("catalogue", "images"),
    "trainer": ("accelerator", "strategy", "checkpoint_seconds"),
}
"""Settings that may differ between a kept row and the one that is asked for: names, places, machines, and how answers
that are kept are counted."""
UNUSED = {"fail_fast", "logger", "report", "resume", "sweep", "sweep_status"}
UNUSED_BY_BASELINES = {"augment", "loss", "optim", "similarity", "thresholds", "trainer"}


def recipe(config: TrainConfig) -> str:
    """A digest of all settings that may change a result, the seed aside: rows that differ in it are not averaged."""
    kept = {name: value for name, value in _that_matter(asdict(config)).items() if name != "seed"}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


def differences(kept: TrainConfig, asked: TrainConfig) -> list[str]:
    """The dotted keys whose values differ, where that may change a result. The precision `auto` is the kept one's."""
    wanted = asdict(asked)
    if asked.trainer.precision == "auto":
        wanted["trainer"]["precision"] = kept.trainer.precision
    return _different("", _that_matter(asdict(kept)), _that_matter(wanted))


def _that_matter(settings: dict[str, Any]) -> dict[str, Any]:
    unused = set(UNUSED)
    if settings["benchmark"]["baseline"] is not None:
        unused |= UNUSED_BY_BASELINES
        settings = settings | _of_rows(settings)
    return {
        name: {key: part for key, part in value.items() if key not in SAME_RESULT[name]}
        if name in SAME_RESULT
        else value
        for name, value in settings.items()
        if name not in unused
    }


def _of_rows(settings: dict[str, Any]) -> dict[str, Any]:
    """Of the model and the pictures no more than what decides which rows can be read, which is all for a baseline."""
    model, preprocess = settings["model"], settings["preprocess"]
    return {
        "model": {"reads": [name for name in ("clip", "image", "text") if model[name] is not None]},
        "preprocess": {name: value for name, value in preprocess.items() if name not in ("height", "width")},
    }


def _different(prefix: str, kept: Any, asked: Any) -> list[str]:
    if not (isinstance(kept, dict) and isinstance(asked, dict)):
        return [] if kept == asked else [prefix.removesuffix(".")]
    names = sorted(kept.keys() | asked.keys())
    return [found for name in names for found in _different(f"{prefix}{name}.", kept.get(name), asked.get(name))]
