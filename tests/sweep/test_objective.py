"""Objectives: weighted sums of what the kept epoch logged."""

import numpy as np
import pandas as pd
import pytest

from fashionmt.config import SweepConfig
from fashionmt.errors import UserError
from fashionmt.sweep.objective import check_logged, objective_values

MONITOR = "val/accuracy/mean"


def epochs(*rows: dict[str, float]) -> pd.DataFrame:
    return pd.DataFrame(list(rows))


def test_it_is_the_weighted_sum_in_the_epoch_whose_weights_are_kept() -> None:
    found = objective_values(
        epochs(
            {MONITOR: 0.5, "val/loss": 3.0, "items_per_second": 100.0},
            {MONITOR: 0.8, "val/loss": 2.0, "items_per_second": 120.0},
            {MONITOR: 0.8, "val/loss": 1.0, "items_per_second": 140.0},
        ),
        [{MONITOR: 2.0, "val/loss": -0.5}, {"items_per_second": 1.0}],
        MONITOR,
    )
    assert found == pytest.approx([2 * 0.8 - 0.5 * 2.0, 120.0])


def test_a_metric_that_is_not_logged_is_refused_with_its_nearest() -> None:
    rows = epochs({MONITOR: 0.5, "val/loss": 3.0})
    with pytest.raises(UserError, match=r"val/los: no such metric is logged. Did you mean val/loss"):
        objective_values(rows, [{"val/los": 1.0}], MONITOR)
    with pytest.raises(UserError, match="zzz: no such metric is logged"):
        check_logged([{"zzz": 1.0}], ["b", "a"])


def test_a_metric_that_comes_after_an_epochs_end_is_not_missed_there() -> None:
    check_logged([{"train/loss": 1.0}], ["val/loss"])


def test_a_run_without_a_log_is_told_why() -> None:
    with pytest.raises(UserError, match="csv logger"):
        objective_values(pd.DataFrame(), [{MONITOR: 1.0}], MONITOR)


def test_a_diverged_epoch_is_not_the_kept_one() -> None:
    rows = epochs({MONITOR: 0.5}, {MONITOR: np.nan})
    assert objective_values(rows, [{MONITOR: 1.0}], MONITOR) == [0.5]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"maximize": [{"test/exact_match": 1.0}]}, "Use val/exact_match"),
        ({"maximize": []}, "names no metric"),
        ({"maximize": [{"val/loss": "least"}]}, "not a weight"),
        ({"maximize": [{}]}, "names no metric"),
        ({"name": "../elsewhere"}, "not a file name"),
        ({"pruner": "best"}, "Use one of none, median, halving"),
        ({"pruner": "median", "maximize": [{"a": 1.0}, {"b": 1.0}]}, "knows one objective"),
    ],
)
def test_a_config_that_cannot_be_meant_is_refused(changes: dict[str, object], told: str) -> None:
    with pytest.raises(UserError, match=told):
        SweepConfig(**changes)  # type: ignore[arg-type]
