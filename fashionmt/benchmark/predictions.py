"""A system's answers in one table, kept beside its figures so that two systems can be compared item by item.

One row an item and view: `view`, `id`, `group` (what the bootstrap draws), `confidence` (of the item as a whole) and
`accepted` (whether it needs no person's look), both null where the system does not say it, `possible` (whether the
training rows hold the combination that is answered, or hold it but for a label; null where that was not looked at),
and for each attribute `<attribute>.true` (null where the item has no label), `.answered`, `.confidence` and
`.accepted` as above, and `.title_names`: `own` where a word of the item's label stands in its title, `other` where
only a word of another label of the attribute does, `none` where no word of any label does, or there is no title.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from fashionmt.attributes import MISSING, LabelSpace
from fashionmt.benchmark.views import view_rows
from fashionmt.config import SplitConfig
from fashionmt.data.label_words import label_words, title_words
from fashionmt.data.prepare import PreparedData
from fashionmt.data.rows import Rows
from fashionmt.errors import UserError
from fashionmt.taxonomy import Taxonomy, learn_taxonomy

ITEM = "item"
"""All the answers of an item together, beside the attributes."""


@dataclass(frozen=True)
class Answered:
    """What a system says of N items."""

    classes: dict[str, npt.NDArray[np.int64]]
    """Attribute -> index of a learned class, (N,)."""
    confidence: dict[str, npt.NDArray[np.float64]] | None
    """Attribute, or `ITEM` for all of an item's answers -> (N,); None of a system that gives none."""
    accepted: dict[str, npt.NDArray[np.bool_]] | None
    """Attribute, or `ITEM` -> (N,), which need no person's look; None of a system that does not say."""


class Tabulator:
    """Puts answers in tables; what does not depend on the system or view is found once."""

    def __init__(self, data: PreparedData, split: SplitConfig, together: Collection[str] = ()) -> None:
        """`split`: how `data` was dealt. `together`: attributes whose combinations are looked at, where `data` has two
        of them or more, and a training row is labelled in all of these."""
        self.data = data
        self.taxonomy = _taxonomy(data, [name for name in data.spaces if name in together])
        self.groups = data.groups(split)
        words = {row: set(title_words(data.raw_titles[row])) for row in data.split.test}
        self.title_names = {
            name: _title_names(words, space, data.items.labels[name]) for name, space in data.spaces.items()
        }

    def tabulate(self, view: str, answered: Answered) -> pd.DataFrame:
        """`answered`: of the items `view_rows(data, view)`, in that order."""
        rows = view_rows(self.data, view)
        columns: dict[str, Any] = {
            "view": [view] * len(rows),
            "id": [self.data.ids[row] for row in rows],
            "group": [self.groups[row] for row in rows],
            "confidence": _column(answered.confidence, ITEM, len(rows), "float64"),
            "accepted": _column(answered.accepted, ITEM, len(rows), "boolean"),
            "possible": self._possible(answered),
        }
        for name, space in self.data.spaces.items():
            labels = self.data.items.labels[name][rows]
            columns[f"{name}.true"] = [space.every_class[label] if label >= 0 else None for label in labels]
            columns[f"{name}.answered"] = [space.classes[index] for index in answered.classes[name]]
            columns[f"{name}.confidence"] = _column(answered.confidence, name, len(rows), "float64")
            columns[f"{name}.accepted"] = _column(answered.accepted, name, len(rows), "boolean")
            columns[f"{name}.title_names"] = [self.title_names[name][row] for row in rows]
        return pd.DataFrame(columns)

    def _possible(self, answered: Answered) -> "pd.arrays.BooleanArray":
        count = len(next(iter(answered.classes.values())))
        if self.taxonomy is None:
            return pd.array([None] * count, dtype="boolean")
        classes = {name: torch.from_numpy(answered.classes[name]) for name in self.taxonomy.attributes}
        return pd.array((self.taxonomy.index_of(classes) != MISSING).numpy(), dtype="boolean")


def _column(columns: Mapping[str, npt.NDArray[Any]] | None, name: str, count: int, kind: str) -> "pd.Series[Any]":
    """Null in all of `count` rows of a system that does not say it."""
    return pd.Series([None] * count if columns is None else columns[name], dtype=kind)


def attributes_of(table: pd.DataFrame) -> list[str]:
    """The attributes that a table of predictions holds, in order."""
    return [column.removesuffix(".true") for column in table.columns if column.endswith(".true")]


def save_predictions(table: pd.DataFrame, path: Path) -> None:
    """Write all or nothing."""
    unfinished = path.with_name(path.name + ".tmp")
    table.to_parquet(unfinished, index=False)
    unfinished.replace(path)


def _taxonomy(data: PreparedData, names: Sequence[str]) -> Taxonomy | None:
    """The combinations of the training rows, and those that `learn_taxonomy` completes to them; None where no row is
    labelled in all of `names`."""
    if len(names) < 2:
        return None
    labels = {name: data.items.labels[name][data.split.train] for name in names}
    try:
        return learn_taxonomy(labels, {name: len(data.spaces[name]) for name in names})
    except UserError:
        return None


def _title_names(words: dict[int, set[str]], space: LabelSpace, labels: Rows) -> dict[int, str]:
    """Row -> `own`, `other` or `none`, of the rows whose title `words` are given."""
    own = [label_words([name]) for name in space.every_class]
    every = frozenset[str]().union(*own)

    def names(row: int) -> str:
        if labels[row] >= 0 and not own[labels[row]].isdisjoint(words[row]):
            return "own"
        return "none" if every.isdisjoint(words[row]) else "other"

    return {row: names(row) for row in words}
