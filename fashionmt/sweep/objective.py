"""What jobs are ranked by: weighted sums of logged metrics."""

import difflib
from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from fashionmt.errors import UserError

Objectives = Sequence[Mapping[str, float]]
"""Metric -> weight, of each."""
LATE = ("train/",)
"""Logged after an epoch's end is announced: they are known at the run's end."""


def weighted_sum(objective: Mapping[str, float], metrics: Mapping[str, float]) -> float | None:
    """None where a metric is not there."""
    if not objective.keys() <= metrics.keys():
        return None
    return float(sum(weight * metrics[name] for name, weight in objective.items()))


def check_logged(objectives: Objectives, logged: Collection[str]) -> None:
    """Raise `UserError` for a metric that is not logged. `logged`: what an epoch's end knows."""
    for name in (name for objective in objectives for name in objective):
        if name not in logged and not name.startswith(LATE):
            near = difflib.get_close_matches(name, logged, 1)
            repair = f"Did you mean {near[0]}" if near else f"There are {', '.join(sorted(logged))}"
            raise UserError(f"sweep.maximize: {name}", "no such metric is logged", repair)


def objective_values(epochs: pd.DataFrame, objectives: Objectives, monitor: str) -> list[float]:
    """The objectives in the epoch whose weights are kept: the first with the highest `monitor`.

    Args:
        epochs: a run's, as `RunFolder.read_epochs` gives them.

    Raises `UserError` for a metric that is not among them.
    """
    if monitor not in epochs:
        repair = "Leave the csv logger among the loggers"
        raise UserError("sweep.maximize", "the run has no log to read metrics from", repair)
    kept = epochs[epochs.index == epochs[monitor].idxmax()].iloc[0].dropna()
    metrics = {str(name): float(value) for name, value in kept.items()}
    found = [weighted_sum(objective, metrics) for objective in objectives]
    if None in found:
        check_logged(objectives, metrics)
        raise UserError("sweep.maximize", "names a metric that was not logged", "Name another")
    return [value for value in found if value is not None]
