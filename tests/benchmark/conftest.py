"""What several tests of the benchmark share."""

import json
from pathlib import Path
from typing import Any

import pytest
from made_up import ITEMS, WriteRow, answers_of
from tiny import one_thread

from fashionmt.benchmark.folder import FORMAT
from fashionmt.benchmark.metrics import Answers, score_view

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)


@pytest.fixture
def write_row(tmp_path: Path) -> WriteRow:
    """Writes the folder of a finished row of made-up answers, below `tmp_path`; returns it."""

    def write(
        name: str,
        views: tuple[str, ...] = ("title",),
        right: float = 0.7,
        seed: int = 0,
        thresholds: dict[str, Any] | None = None,
        **changes: Any,
    ) -> Path:
        folder = tmp_path / (name if seed == 0 else f"{name}-seed{seed}")
        folder.mkdir()
        answers = answers_of(list(views), right, seed, confident=thresholds is not None)
        answers.to_parquet(folder / "predictions.parquet")
        scored = {
            view: score_view([Answers(answers[answers["view"] == view], thresholds)], ["kind"], 50) for view in views
        }
        result = {
            "format": FORMAT,
            "row": folder.name,
            "system": name,
            "baseline": None,
            "reference": None,
            "data": "shop",
            "data_fingerprint": "a",
            "split": {"kind": "family", "block_size": 500, "seed": 0},
            "size": {"train": 700, "validation": 10, "test": ITEMS, "limit_items": None, "epochs": 3},
            "seed": seed,
            "named": ["colour"],
            "interval": {"level": 0.95, "draws": 50, "drawn": "families"},
            "seconds": {"training": 60.0 + seed, "resumed": False, "evaluation": 2.0},
            "thresholds": thresholds,
            "views": scored,
        }
        (folder / "benchmark.json").write_text(json.dumps(result | changes))
        return folder

    return write
