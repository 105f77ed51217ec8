"""Made-up answers of made-up systems."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

CLASSES = {"colour": ["red", "blue", "plum"], "kind": ["shirt", "shoe"]}
ITEMS = 60
SURE = 0.3
WriteRow = Callable[..., Path]
"""The fixture `write_row`."""


def answers_of(views: list[str], right: float, seed: int, confident: bool) -> pd.DataFrame:
    """A table of predictions on 60 items in families of two, `right` of the time; the items are always the same. Of a
    `confident` system, answers are accepted that are sure, and never an item."""
    truth, draw = np.random.default_rng(0), np.random.default_rng(seed + 1)
    true = {name: truth.choice(classes, ITEMS) for name, classes in CLASSES.items()}
    tables = []
    for view in views:
        columns: dict[str, Any] = {
            "view": [view] * ITEMS,
            "id": [f"i{i}" for i in range(ITEMS)],
            "group": [f"g{i // 2}" for i in range(ITEMS)],
            "confidence": draw.random(ITEMS) if confident else np.full(ITEMS, np.nan),
            "accepted": pd.array([False if confident else None] * ITEMS, dtype="boolean"),
            "possible": pd.array(draw.random(ITEMS) < 0.9, dtype="boolean"),
        }
        for name, classes in CLASSES.items():
            columns[f"{name}.true"] = true[name]
            columns[f"{name}.answered"] = np.where(draw.random(ITEMS) < right, true[name], draw.choice(classes, ITEMS))
            columns[f"{name}.confidence"] = draw.random(ITEMS) if confident else np.full(ITEMS, np.nan)
            sure = columns[f"{name}.confidence"] >= SURE
            columns[f"{name}.accepted"] = pd.array(sure if confident else [None] * ITEMS, dtype="boolean")
            columns[f"{name}.title_names"] = truth.choice(["own", "other", "none"], ITEMS)
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)
