"""Two systems on the same items: the difference that one draw of them makes is far smaller than either's interval."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from fashionmt.benchmark.bootstrap import Bootstrap, Estimate, Statistic
from fashionmt.benchmark.folder import RowFolder
from fashionmt.benchmark.metrics import TITLE_NAMES, accuracy, exact_match, macro_f1
from fashionmt.benchmark.predictions import attributes_of
from fashionmt.config.checks import check_choice
from fashionmt.errors import UserError

ALL = "all"
SAME = ("data_fingerprint", "split")


def paired_difference(
    run_a: Path,
    run_b: Path,
    view: str,
    attribute: str,
    view_b: str | None = None,
    metric: str = "accuracy",
    part: str | None = None,
    draws: int = 1000,
) -> Estimate:
    """How much better row folder `run_a` is than `run_b` on the test items of both, with a 95 % paired interval.

    Args:
        view: what `run_a` is shown, and `run_b` too unless `view_b` says otherwise.
        attribute: its name, or `all`: items right in every attribute.
        metric: `accuracy` or `macro_f1`; of `all` always the accuracy.
        part: for the accuracy of one attribute: only the items whose title names its `own`, `other`, `none` or
            `not_own`.

    Raises `UserError` where the rows are not of the same catalogue and split, or lack the view or attribute.
    """
    check_choice("metric", metric, ("accuracy", "macro_f1"))
    if part is not None:
        check_choice("part", part, TITLE_NAMES)
    _check_same(run_a, run_b)
    a, b = _table(run_a, view, attribute), _table(run_b, view_b or view, attribute)
    common = a.index.intersection(b.index)
    a, b = a.loc[common], b.loc[common]
    bootstrap = Bootstrap(a["group"].tolist(), draws)
    return (
        _statistic(a, bootstrap, attribute, metric, part) - _statistic(b, bootstrap, attribute, metric, part)
    ).estimate()


def _statistic(table: pd.DataFrame, bootstrap: Bootstrap, attribute: str, metric: str, part: str | None) -> Statistic:
    if attribute == ALL:
        return exact_match(table, bootstrap, attributes_of(table))
    if metric == "macro_f1":
        return macro_f1(table, bootstrap, attribute)
    return accuracy(table, bootstrap, attribute, part)


def _table(run: Path, view: str, attribute: str) -> pd.DataFrame:
    """A run's predictions under `view`, by id."""
    table = pd.read_parquet(RowFolder(run).predictions)
    if attribute != ALL and attribute not in attributes_of(table):
        raise UserError(f"attribute {attribute}", f"not in {run}", f"Use one of {', '.join(attributes_of(table))}")
    if view not in set(table["view"]):
        raise UserError(f"view {view}", f"not in {run}", f"Use one of {', '.join(table['view'].unique())}")
    return table[table["view"] == view].set_index("id")


def _check_same(run_a: Path, run_b: Path) -> None:
    a, b = _result(run_a), _result(run_b)
    for key in SAME:
        if a[key] != b[key]:
            wrong = f"not of the same {key.replace('_', ' ')}"
            raise UserError(f"{run_a} and {run_b}", wrong, "Compare rows of one catalogue, size and split")


def _result(run: Path) -> dict[str, Any]:
    path = RowFolder(run).result
    if not path.is_file():
        raise UserError(str(run), f"holds no {path.name}", "Name the folder of a finished row")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
