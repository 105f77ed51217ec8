"""Trains some steps of a tiny model on a catalogue, and prints what the process holds of memory then.

    python tests/benchmarks/speed_parts/some_steps.py '{"catalogue": <csv>, "images": <dir>, "picture": <its column>,
        "steps": 300}' [override ...]

Run by the part `memory`, in a process of its own.
"""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as for the other benchmarks

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from tagging_memory import SMALL

from fashionmt.training.fitting import build_trainer, fit
from fashionmt.training.loading import load_data
from fashionmt.training.run import build_batches, build_module, settle
from fashionmt.training.run_folder import RunFolder
from speed_parts.processes import memory
from speed_parts.settings import PUBLIC, composed


class EnoughError(Exception):
    """As many steps as were asked for."""


class StopAfter(Callback):
    """Ends a training in its midst."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Raises `EnoughError`."""
        if trainer.global_step >= self.steps:
            raise EnoughError


def main() -> None:
    asked = json.loads(sys.argv[1])
    given = sys.argv[2:]
    chosen = [] if any(text.startswith(("data=", "experiment=")) for text in given) else [PUBLIC]
    config = settle(composed(*chosen, *SMALL, "trainer.max_epochs=1000", *given))
    config.data.catalogue, config.data.images = asked["catalogue"], asked["images"]
    config.data.columns.picture = asked["picture"]
    data = load_data(config)
    with tempfile.TemporaryDirectory() as root:
        folder = RunFolder(Path(root))
        trainer, _ = build_trainer(config, folder, [])
        trainer.callbacks.append(StopAfter(asked["steps"]))  # type: ignore[attr-defined]
        try:
            fit(trainer, build_module(config, data), build_batches(config, data), folder, resume=False)
        except EnoughError:
            print(json.dumps({"held_mb": memory("self")["RssAnon"], "items": len(data.ids)}))


if __name__ == "__main__":
    main()
