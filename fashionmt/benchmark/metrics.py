"""The figures of a system under a view, each with its interval, from its table of predictions."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from sklearn.metrics import precision_recall_fscore_support

from fashionmt.benchmark.predictions import attributes_of
from fashionmt.bootstrap import Bootstrap, Statistic, over_seeds
from fashionmt.training.calibration import calibration_error

Flags = npt.NDArray[np.bool_]
TITLE_NAMES = {"own": ("own",), "other": ("other",), "none": ("none",), "not_own": ("other", "none")}
"""Part of the items -> what their titles name."""


@dataclass(frozen=True)
class Answers:
    """What one training of a system answered under a view."""

    table: pd.DataFrame
    """Its rows in the table of predictions."""
    thresholds: Mapping[str, Any] | None
    """`confidence.Thresholds` as a dict, for the accuracies that they state; None of a system that has none."""


def score_view(seeds: Sequence[Answers], without: Collection[str], draws: int) -> dict[str, Any]:
    """What `benchmark.json` holds of a view.

    `seeds`: of one system, the same items in the same order; a figure is the mean over them. `without`: attributes that
    the second exact match leaves out.
    """
    tables = [seed.table for seed in seeds]
    bootstrap = Bootstrap(tables[0]["group"].tolist(), draws)
    names = attributes_of(tables[0])
    left = [name for name in names if name not in without]

    def exact(kept: Collection[str]) -> dict[str, Any]:
        return over_seeds([exact_match(table, bootstrap, kept) for table in tables]).estimate().to_json()

    return {
        "items": len(tables[0]),
        "groups": bootstrap.count,
        "attributes": {name: _score_attribute(seeds, bootstrap, name) for name in names},
        "exact_match": exact(names),
        "exact_match_without": {"without": [name for name in names if name not in left]} | exact(left),
        "impossible": over_seeds([impossible(table, bootstrap) for table in tables]).estimate().to_json(),
        "accepted": _accepted([_item_acceptance(seed, bootstrap) for seed in seeds if _has_thresholds(seed)]),
    }


def _score_attribute(seeds: Sequence[Answers], bootstrap: Bootstrap, name: str) -> dict[str, Any]:
    tables = [seed.table for seed in seeds]

    def figure(measure: Callable[..., Statistic], *more: Any) -> dict[str, Any]:
        return over_seeds([measure(table, bootstrap, name, *more) for table in tables]).estimate().to_json()

    errors = [error for table in tables if (error := confidence_error(table, name)) is not None]
    return {
        "accuracy": figure(accuracy),
        "macro_f1": figure(macro_f1),
        "weighted": _mean([weighted(table, name) for table in tables]),
        "accuracy_by_title": {part: figure(accuracy, part) for part in TITLE_NAMES},
        "calibration_error": float(np.mean(errors)) if errors else None,
        "accepted": _accepted([_acceptance(seed, bootstrap, name) for seed in seeds if _has_thresholds(seed)]),
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
    return bootstrap.mean(*_exactly_right(table, names))


def confidence_error(table: pd.DataFrame, name: str) -> float | None:
    """Expected calibration error over the labelled items; None where the system gives no confidence."""
    counted = (table[f"{name}.true"].notna() & table[f"{name}.confidence"].notna()).to_numpy()
    if not counted.any():
        return None
    confidence = torch.from_numpy(table[f"{name}.confidence"].to_numpy(dtype=np.float64)[counted])
    right = torch.from_numpy(_right(table, name)[counted])
    return calibration_error(confidence, right)


def weighted(table: pd.DataFrame, name: str) -> dict[str, float]:
    """Precision, recall and F1 as scikit-learn's `average="weighted"` over the labelled items; {} where there are none.

    The recall is the accuracy.
    """
    labelled = table[table[f"{name}.true"].notna()]
    if labelled.empty:
        return {}
    codes = pd.factorize(pd.concat([labelled[f"{name}.true"], labelled[f"{name}.answered"]], ignore_index=True))[0]
    true, answered = codes[: len(labelled)], codes[len(labelled) :]
    found = precision_recall_fscore_support(true, answered, average="weighted", zero_division=0)
    return dict(zip(("precision", "recall", "f1"), map(float, found[:3]), strict=True))


def impossible(table: pd.DataFrame, bootstrap: Bootstrap) -> Statistic:
    """The share of items whose answers are a combination that the training rows do not hold; without items where that
    was not looked at."""
    if "possible" not in table:
        return bootstrap.mean(np.zeros(len(table)), np.zeros(len(table), dtype=bool))
    counted = table["possible"].notna().to_numpy()
    return bootstrap.mean((~table["possible"].fillna(True)).to_numpy(dtype=bool), counted)


Acceptance = tuple[float, Statistic, Statistic]
"""The stated accuracy; the share that is accepted; how much of that is right."""


def _has_thresholds(seed: Answers) -> bool:
    return seed.thresholds is not None and "accepted" in seed.table and bool(seed.table["accepted"].notna().any())


def _acceptance(seed: Answers, bootstrap: Bootstrap, name: str) -> Acceptance:
    """Of one attribute, over its labelled items."""
    assert seed.thresholds is not None
    labelled = seed.table[f"{name}.true"].notna().to_numpy()
    accepted = labelled & seed.table[f"{name}.accepted"].to_numpy(dtype=bool)
    stated = float(seed.thresholds["heads"][name]["target_accuracy"])
    return stated, bootstrap.mean(accepted, labelled), bootstrap.mean(_right(seed.table, name), accepted)


def _item_acceptance(seed: Answers, bootstrap: Bootstrap) -> Acceptance:
    """Of items as a whole: accepted at once, and right in every attribute that is labelled."""
    assert seed.thresholds is not None
    right, labelled = _exactly_right(seed.table, attributes_of(seed.table))
    accepted = labelled & seed.table["accepted"].to_numpy(dtype=bool)
    stated = float(seed.thresholds["item"]["target_accuracy"])
    return stated, bootstrap.mean(accepted, labelled), bootstrap.mean(right, accepted)


def _accepted(seeds: Sequence[Acceptance]) -> dict[str, Any] | None:
    """`stated` accuracy, `share` accepted and `accuracy` of it, over the seeds that have a threshold."""
    if not seeds:
        return None
    stated, share, accuracy = zip(*seeds, strict=True)
    return {
        "stated": stated[0],
        "share": over_seeds(share).estimate().to_json(),
        "accuracy": over_seeds(accuracy).estimate().to_json(),
    }


def _mean(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([figure[name] for figure in figures])) for name in figures[0]}


def _exactly_right(table: pd.DataFrame, names: Collection[str]) -> tuple[Flags, Flags]:
    """Which items are right in all of `names` where they are labelled, and which are labelled in any: (N,) each."""
    labelled = np.zeros(len(table), dtype=bool)
    right = np.ones(len(table), dtype=bool)
    for name in names:
        there = table[f"{name}.true"].notna().to_numpy()
        labelled |= there
        right &= _right(table, name) | ~there
    return right, labelled


def _right(table: pd.DataFrame, name: str) -> Flags:
    right: Flags = (table[f"{name}.true"] == table[f"{name}.answered"]).to_numpy(dtype=bool)
    return right
