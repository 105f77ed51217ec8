"""fashionmt against what a user would otherwise write: the scripts of `against/`, each in a process of its own."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from speed_parts.processes import python, run
from speed_parts.settings import Settings
from speed_parts.turns import Figure, in_turns, ratio

HERE = Path(__file__).resolve().parents[1] / "against"
OURS, LUDWIG = "ours", "ludwig_towers"
OTHERS = {"plain_loop": ("1.5 times", "3 times"), "per_item": ("", "3 times"), LUDWIG: ("10 times", "10 times")}
"""Script -> how many times its rates ours are asked to be, in training and in tagging."""
RATES = {"train_items_per_second": "training", "tag_items_per_second": "tagging"}


def measure(settings: Settings) -> list[Figure]:
    """Rates and memory of each, and our rates in terms of theirs. Ludwig takes part where its environment is given."""
    names = [OURS, *(name for name in OTHERS if name != LUDWIG or settings.ludwig is not None)]
    folder = settings.new_run("against").root
    commands = {name: python(HERE / f"{name}.py", *_options(settings, name)) for name in names}

    def ask(name: str) -> dict[str, Any]:
        return json.loads(run(commands[name], folder).stdout.splitlines()[-1])

    found = in_turns(settings.repeats, {name: (lambda name=name: ask(name)) for name in names}, "against")
    return [figure for name in (OURS, *OTHERS) for figure in _figures(name, found)]


def _options(settings: Settings, name: str) -> list[str]:
    """As the scripts take them. Ludwig trains in single precision alone."""
    config = settings.config
    options = [f"items={settings.items}", f"batch={config.optim.batch_size}", f"epochs={1 + settings.epochs}"]
    options += [f"threads={torch.get_num_threads()}"]
    if settings.catalogue is not None:
        options += [f"catalogue={settings.catalogue}", f"images={settings.images}"]
    if name == LUDWIG:
        return [*options, f"environment={settings.ludwig}"]
    return [*options, f"precision={config.trainer.precision}"]


def _figures(name: str, found: Mapping[str, list[dict[str, Any]]]) -> list[Figure]:
    figures = []
    for key, what in RATES.items():
        own, other = _values(found, OURS, key), _values(found, name, key)
        figures.append(Figure(f"{name}_{what}", other, "items/s"))
        if name != OURS:
            asked = OTHERS[name][what == "tagging"]
            above = own if other else []
            figures.append(ratio(f"{what}_of_{name}", above, other, f"times {name}", asked))
    return [*figures, Figure(f"{name}_memory", _values(found, name, "peak_rss_mb"), "MB at the most")]


def _values(found: Mapping[str, list[dict[str, Any]]], name: str, key: str) -> list[float]:
    """Of each turn; none where it is not measured."""
    return [turn[key] for turn in found.get(name, []) if turn[key] is not None]
