"""A system's answers in one table, kept beside its figures so that two systems can be compared item by item.

One row an item and view: `view`, `id`, `group` (what the bootstrap draws), and for each attribute `<attribute>.true`
(null where the item has no label), `.answered`, `.confidence` (null where the system has none) and `.title_names`:
`own` where a word of the item's label stands in its title, `other` where only a word of another label of the attribute
does, `none` where no word of any label does, or there is no title.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashionmt.attributes import LabelSpace
from fashionmt.benchmark.views import view_rows
from fashionmt.config import SplitConfig
from fashionmt.data import PreparedData
from fashionmt.data.label_words import label_words, title_words
from fashionmt.data.splits import Rows


@dataclass(frozen=True)
class Answered:
    """What a system says of N items."""

    classes: dict[str, npt.NDArray[np.int64]]
    """Attribute -> index of a learned class, (N,)."""
    confidence: dict[str, npt.NDArray[np.float64]] | None
    """Attribute -> (N,); None of a system that gives none."""


class Tabulator:
    """Puts answers in tables; what does not depend on the system or view is found once."""

    def __init__(self, data: PreparedData, split: SplitConfig) -> None:
        """`split`: how `data` was dealt."""
        self.data = data
        self.groups = data.groups(split)
        words = {row: set(title_words(data.raw_titles[row])) for row in data.split.test}
        self.title_names = {
            name: _title_names(words, space, data.items.labels[name]) for name, space in data.spaces.items()
        }

    def tabulate(self, view: str, answered: Answered) -> pd.DataFrame:
        """`answered`: of the items `view_rows(data, view)`, in that order."""
        rows = view_rows(self.data, view)
        columns: dict[str, Sequence[object] | npt.NDArray[np.float64]] = {
            "view": [view] * len(rows),
            "id": [self.data.ids[row] for row in rows],
            "group": [self.groups[row] for row in rows],
        }
        for name, space in self.data.spaces.items():
            labels = self.data.items.labels[name][rows]
            columns[f"{name}.true"] = [space.every_class[label] if label >= 0 else None for label in labels]
            columns[f"{name}.answered"] = [space.classes[index] for index in answered.classes[name]]
            unknown = np.full(len(rows), np.nan)
            columns[f"{name}.confidence"] = unknown if answered.confidence is None else answered.confidence[name]
            columns[f"{name}.title_names"] = [self.title_names[name][row] for row in rows]
        return pd.DataFrame(columns)


def attributes_of(table: pd.DataFrame) -> list[str]:
    """The attributes that a table of predictions holds, in order."""
    return [column.removesuffix(".true") for column in table.columns if column.endswith(".true")]


def save_predictions(table: pd.DataFrame, path: Path) -> None:
    """Write all or nothing."""
    unfinished = path.with_name(path.name + ".tmp")
    table.to_parquet(unfinished, index=False)
    unfinished.replace(path)


def _title_names(words: dict[int, set[str]], space: LabelSpace, labels: Rows) -> dict[int, str]:
    """Row -> `own`, `other` or `none`, of the rows whose title `words` are given."""
    own = [label_words([name]) for name in space.every_class]
    every = frozenset[str]().union(*own)

    def names(row: int) -> str:
        if labels[row] >= 0 and not own[labels[row]].isdisjoint(words[row]):
            return "own"
        return "none" if every.isdisjoint(words[row]) else "other"

    return {row: names(row) for row in words}
