"""What the tables show a line of: a system at one size on one split, by one training or by several seeds of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from fashionmt.benchmark.compare import all_differences, comparable
from fashionmt.benchmark.folder import FORMAT, RowFolder, read_results
from fashionmt.benchmark.kept import digest, kept
from fashionmt.benchmark.metrics import Answers, score_view
from fashionmt.benchmark.recipe import differences
from fashionmt.config import TrainConfig
from fashionmt.errors import UserError
from fashionmt.hydra_bridge import from_yaml

Result = Mapping[str, Any]
"""What a row's `benchmark.json` holds."""


@dataclass(frozen=True)
class Row:
    """A finished row."""

    folder: RowFolder
    result: Result

    @property
    def name(self) -> str:
        """The row's, without its seed."""
        return str(self.result["row"]).removesuffix(f"-seed{self.result['seed']}")

    @property
    def has_answers(self) -> bool:
        """Whether its answers are there, item by item."""
        return self.folder.predictions.is_file()

    @cached_property
    def made_of(self) -> list[Any]:
        """What its answers and their thresholds are, for `kept`."""
        return [digest(self.folder.predictions), self.result.get("thresholds")]

    def answers(self) -> pd.DataFrame:
        """All views."""
        return pd.read_parquet(self.folder.predictions)

    @cached_property
    def config(self) -> TrainConfig | None:
        """What it was made with; None where that is gone, or of a version whose settings are no more."""
        try:
            return from_yaml(self.folder.run.config)
        except (OSError, UserError):
            return None


@dataclass(frozen=True)
class Line:
    """One system at one size on one split. Its figures are the mean over its rows."""

    rows: Sequence[Row]
    """One, or one a seed, by seed."""
    views: Mapping[str, Any] = field(repr=False)
    """As a row's `views`."""

    @property
    def first(self) -> Result:
        """What all rows share: name, system, data, split, size."""
        return self.rows[0].result

    @property
    def name(self) -> str:
        """The row's, without its seed."""
        return self.rows[0].name

    @property
    def label(self) -> str:
        """The system, and its seeds where they are not 0 alone."""
        if len(self.rows) > 1:
            return f"{self.first['system']}, mean of {len(self.rows)} seeds"
        seed = f", seed {self.first['seed']}" if self.first["seed"] else ""
        return f"{self.first['system']}{seed}"

    @property
    def reference(self) -> str | None:
        """The row that it is an ablation of."""
        return self.first.get("reference")

    @property
    def main_view(self) -> str:
        """All that the system can read."""
        return "both" if "both" in self.views else next(iter(self.views))

    @property
    def size(self) -> str:
        """The size that it was run at: never to be guessed."""
        size = self.first["size"]
        rows = f"{size['train']} rows" + (" (of a subset)" if size["limit_items"] is not None else "")
        return ", ".join([rows, *self.epochs])

    @property
    def has_answers(self) -> bool:
        """Whether it can be compared."""
        return all(row.has_answers for row in self.rows)

    @property
    def epochs(self) -> list[str]:
        """How many, in words; nothing of what is not trained."""
        count = self.first["size"]["epochs"]
        return [] if count is None else [f"{count} {'epoch' if count == 1 else 'epochs'}"]

    @property
    def effort(self) -> list[str]:
        """What tells it from the same system at another size, on any split, in words."""
        limit = self.first["size"]["limit_items"]
        return [*([] if limit is None else [f"{limit} items"]), *self.epochs]

    @property
    def training_seconds(self) -> str:
        """The mean over its rows; of one that was resumed at least so many."""
        seconds = [row.result["seconds"] for row in self.rows]
        least = "≥ " if any(one["resumed"] for one in seconds) else ""
        return f"{least}{sum(one['training'] for one in seconds) / len(seconds):.0f}"

    def changed(self, other: "Line") -> list[str] | None:
        """The settings in which it is not what `other` is, by their dotted keys; None where either's are not known."""
        ours, theirs = self.rows[0].config, other.rows[0].config
        return None if ours is None or theirs is None else differences(theirs, ours)

    def fits(self, other: "Line") -> bool:
        """Whether both answered the items of one catalogue, size and split, and their answers are there."""
        return self.has_answers and other.has_answers and comparable(self.first, other.first)

    def against(self, other: "Line", views: Mapping[str, str]) -> dict[str, Any]:
        """View -> `all_differences` from `other`. `views`: of this -> of the other."""
        draws = min(self.first["interval"]["draws"], other.first["interval"]["draws"])
        made_of = [[row.made_of[0] for row in line.rows] for line in (self, other)]

        def make() -> dict[str, Any]:
            ours, theirs = ([row.answers() for row in line.rows] for line in (self, other))
            return {view: all_differences(ours, theirs, view, view_b, draws) for view, view_b in views.items()}

        path = self.rows[0].folder.against(other.rows[0].folder)
        found: dict[str, Any] = kept(path, [*made_of, dict(views), draws], make)
        return found


def read_lines(folder: Path) -> tuple[list[Line], dict[str, str]]:
    """The finished rows below `folder`, those of several seeds in one line where their answers are there; and row ->
    why it is in none."""
    results, left_out = read_results(folder)
    groups: dict[str, list[Row]] = {}
    for row in (Row(*found) for found in results):
        groups.setdefault(_same(row) if row.has_answers else str(row.folder.root), []).append(row)
    return [_line(sorted(rows, key=lambda row: row.result["seed"])) for rows in groups.values()], left_out


def _same(row: Row) -> str:
    """What rows of one line have in common."""
    result = row.result
    shared = (result[key] for key in ("system", "data", "data_fingerprint", "split", "size"))
    return repr((row.name, *shared, result.get("recipe")))  # rows of before have none


def _line(rows: Sequence[Row]) -> Line:
    first = rows[0]
    if len(rows) == 1 and (first.result["format"] >= FORMAT or not first.has_answers):
        return Line(rows, first.result["views"])
    without = next(iter(first.result["views"].values()))["exact_match_without"]["without"]
    draws = first.result["interval"]["draws"]

    def make() -> dict[str, Any]:
        seeds = [(row.answers(), row.result.get("thresholds")) for row in rows]
        return {
            view: score_view([Answers(table[table["view"] == view], told) for table, told in seeds], without, draws)
            for view in first.result["views"]
        }

    return Line(rows, kept(first.folder.figures, [[row.made_of for row in rows], without, draws], make))
