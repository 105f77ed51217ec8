"""Two systems on the same items: the difference that one draw of them makes is far smaller than either's interval."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from fashionmt.benchmark.folder import RowFolder
from fashionmt.benchmark.metrics import TITLE_NAMES, accuracy, exact_match, macro_f1
from fashionmt.benchmark.predictions import attributes_of
from fashionmt.bootstrap import Bootstrap, Estimate, Statistic, mean_of, over_seeds
from fashionmt.config.checks import check_choice
from fashionmt.errors import UserError

ALL = "all"


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
        part: for the accuracy of one attribute alone: only the items whose title names its `own`, `other`, `none` or
            `not_own`.

    Raises `UserError` where the rows are not of the same catalogue and split, or lack the view or attribute.
    """
    check_choice("metric", metric, ("accuracy", "macro_f1"))
    if part is not None:
        check_choice("part", part, TITLE_NAMES)
        if attribute == ALL or metric != "accuracy":
            raise UserError(f"part={part}", "is for the accuracy of one attribute", "Leave it out")
    _check_same(run_a, run_b)
    a, b = _on_common_items([_table(run_a, view, attribute)], [_table(run_b, view_b or view, attribute)])
    bootstrap = Bootstrap(a[0]["group"].tolist(), draws)
    return (
        _statistic(a[0], bootstrap, attribute, metric, part) - _statistic(b[0], bootstrap, attribute, metric, part)
    ).estimate()


def all_differences(
    tables_a: Sequence[pd.DataFrame], tables_b: Sequence[pd.DataFrame], view: str, view_b: str, draws: int
) -> dict[str, Any]:
    """How much more accurate one system is than another on the test items of both.

    `items`; and under `attributes`, `none_named` (attributes, of the items whose titles name no label of theirs),
    `exact_match` and `mean` (over the attributes) `ours`, `theirs` and the paired `difference`.

    `tables_a`, `tables_b`: the predictions of each over its seeds, as `predictions.parquet` holds them; the figures of
    one draw of the items are paired, seeds are drawn for each system by itself.
    """
    a, b = _on_common_items(
        [_of_view(table, view) for table in tables_a], [_of_view(table, view_b) for table in tables_b]
    )
    bootstrap = Bootstrap(a[0]["group"].tolist(), draws)
    names = [name for name in attributes_of(a[0]) if name in attributes_of(b[0])]

    def compared(measure: Measure) -> dict[str, Any]:
        ours, theirs = (
            over_seeds([measure(table, bootstrap) for table in tables], seed) for seed, tables in enumerate((a, b))
        )
        return {"ours": ours.value, "theirs": theirs.value, "difference": (ours - theirs).estimate().to_json()}

    return {
        "items": len(a[0]),
        "attributes": {name: compared(partial(accuracy, name=name)) for name in names},
        "none_named": {name: compared(partial(accuracy, name=name, part="none")) for name in names},
        "exact_match": compared(partial(exact_match, names=names)),
        "mean": compared(lambda table, same: mean_of([accuracy(table, same, name) for name in names])),
    }


def comparable(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two rows, as `benchmark.json` has them, are of the same items and split."""
    return not _other(a, b)


def _other(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[str]:
    """In what they are not the same, in words."""
    items = [row.get("items_fingerprint", row["data_fingerprint"]) for row in (a, b)]  # rows of before lack the first
    pairs = {"items": items, "split": [a["split"], b["split"]]}
    return [name for name, (one, other) in pairs.items() if one != other]


Measure = Callable[[pd.DataFrame, Bootstrap], Statistic]


def _on_common_items(
    a: Sequence[pd.DataFrame], b: Sequence[pd.DataFrame]
) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """The tables, each by id, less what any of them lacks, in one order."""
    common = a[0].index
    for table in (*a[1:], *b):
        common = common.intersection(table.index)
    return [table.loc[common] for table in a], [table.loc[common] for table in b]


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
    return _of_view(table, view)


def _of_view(table: pd.DataFrame, view: str) -> pd.DataFrame:
    return table[table["view"] == view].set_index("id")


def _check_same(run_a: Path, run_b: Path) -> None:
    if other := _other(_result(run_a), _result(run_b)):
        wrong = f"not of the same {other[0]}"
        raise UserError(f"{run_a} and {run_b}", wrong, "Compare rows of one catalogue, size and split")


def _result(run: Path) -> dict[str, Any]:
    path = RowFolder(run).result
    if not path.is_file():
        raise UserError(str(run), f"holds no {path.name}", "Name the folder of a finished row")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
