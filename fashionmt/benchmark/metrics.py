"""The figures of a system under a view, each with its interval, from its table of predictions."""

from collections.abc import Collection
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from fashionmt.benchmark.bootstrap import Bootstrap, Statistic
from fashionmt.benchmark.predictions import attributes_of
from fashionmt.training.calibration import calibration_error

TITLE_NAMES = {"own": ("own",), "other": ("other",), "none": ("none",), "not_own": ("other", "none")}
"""Part of the items -> what their titles name."""


def score_view(table: pd.DataFrame, without: Collection[str], draws: int) -> dict[str, Any]:
    """What `benchmark.json` holds of a view, from its rows in the table of predictions.

    `without`: attributes that the second exact match leaves out.
    """
    bootstrap = Bootstrap(table["group"].tolist(), draws)
    names = attributes_of(table)
    left = [name for name in names if name not in without]
    return {
        "items": len(table),
        "groups": bootstrap.count,
        "attributes": {name: _score_attribute(table, bootstrap, name) for name in names},
        "exact_match": exact_match(table, bootstrap, names).estimate().to_json(),
        "exact_match_without": {"without": [name for name in names if name not in left]}
        | exact_match(table, bootstrap, left).estimate().to_json(),
    }


def _score_attribute(table: pd.DataFrame, bootstrap: Bootstrap, name: str) -> dict[str, Any]:
    by_title = {part: accuracy(table, bootstrap, name, part).estimate().to_json() for part in TITLE_NAMES}
    return {
        "accuracy": accuracy(table, bootstrap, name).estimate().to_json(),
        "macro_f1": macro_f1(table, bootstrap, name).estimate().to_json(),
        "accuracy_by_title": by_title,
        "calibration_error": confidence_error(table, name),
    }


def accuracy(table: pd.DataFrame, bootstrap: Bootstrap, name: str, part: str | None = None) -> Statistic:
    """The share of labelled items that are right; of a class that training could not learn, every item is wrong.

    `part`: only the items whose title names what `TITLE_NAMES` says.
    """
    counted = table[f"{name}.true"].notna().to_numpy()
    if part is not None:
        counted = counted & table[f"{name}.title_names"].isin(TITLE_NAMES[part]).to_numpy()
    return bootstrap.mean(_right(table, name), counted)


def macro_f1(table: pd.DataFrame, bootstrap: Bootstrap, name: str) -> Statistic:
    """As scikit-learn's `f1_score(average="macro")` over the labelled items."""
    true, answered = table[f"{name}.true"], table[f"{name}.answered"]
    codes = pd.factorize(pd.concat([true, answered], ignore_index=True))[0].astype(np.int64)
    return bootstrap.macro_f1(codes[: len(table)], codes[len(table) :])


def exact_match(table: pd.DataFrame, bootstrap: Bootstrap, names: Collection[str]) -> Statistic:
    """The share of items that are right in all of `names`, where they are labelled, of those labelled in any."""
    labelled = np.zeros(len(table), dtype=bool)
    right = np.ones(len(table), dtype=bool)
    for name in names:
        there = table[f"{name}.true"].notna().to_numpy()
        labelled |= there
        right &= _right(table, name) | ~there
    return bootstrap.mean(right, labelled)


def confidence_error(table: pd.DataFrame, name: str) -> float | None:
    """Expected calibration error over the labelled items; None where the system gives no confidence."""
    counted = (table[f"{name}.true"].notna() & table[f"{name}.confidence"].notna()).to_numpy()
    if not counted.any():
        return None
    confidence = torch.from_numpy(table[f"{name}.confidence"].to_numpy(dtype=np.float64)[counted])
    right = torch.from_numpy(_right(table, name)[counted])
    return calibration_error(confidence, right)


def _right(table: pd.DataFrame, name: str) -> npt.NDArray[np.bool_]:
    right: npt.NDArray[np.bool_] = (table[f"{name}.true"] == table[f"{name}.answered"]).to_numpy(dtype=bool)
    return right
