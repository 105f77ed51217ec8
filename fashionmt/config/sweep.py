"""A multirun: where its jobs lie, what they are ranked by, and which of them are given up early."""

import re
from dataclasses import dataclass, field
from typing import Any

from fashionmt.config.checks import check_choice, check_range
from fashionmt.errors import UserError

PRUNERS = ("none", "median", "halving")


@dataclass
class SweepConfig:
    """What `conf/sweep/<name>.yaml` says beside the values it tries."""

    name: str = "unnamed"
    """The jobs lie in `<folder>/<name>/`. A job that is done there is not done again, whichever command asks for it."""
    folder: str = "runs/sweep"
    maximize: list[dict[str, Any]] = field(default_factory=lambda: [{"val/macro_f1/mean": 1.0}])
    """The objectives, each a weighted sum of logged metrics (metric -> weight, below 0 for what is to be small), all of
    the epoch whose weights are kept. The table is ranked by the first."""
    retry: bool = False
    """Try failed jobs again."""
    pruner: str = "none"
    """Which trials of a search are given up early. `median`: from a third of the epochs on, those whose best value so
    far is below the median of the others at that epoch. `halving`: the worse half at a third of the epochs, and of the
    others at two thirds (asynchronous successive halving, Li et al. 2020, arXiv:1810.05934)."""
    pruner_trials: int = 4
    """Of `median`: how many trials run to the end before one is given up."""
    storage: str | None = None
    """Where a search keeps its study: an SQLAlchemy URL; null: SQLite, `study.db` in the sweep's folder."""
    trial: int | None = None
    """The number of the job's trial in its study; set by the search itself."""

    def __post_init__(self) -> None:
        check_choice("sweep.pruner", self.pruner, PRUNERS)
        check_range("sweep.pruner_trials", self.pruner_trials, 1, 1e6)
        if not re.fullmatch(r"\w[\w.-]*", self.name):
            raise UserError(f"sweep.name={self.name}", "not a file name", "Use letters, digits, '_', '-' and '.'")
        if not self.maximize or not all(self.maximize):
            raise UserError("sweep.maximize", "names no metric", "Name one, as in 'sweep.maximize=[{val/loss: -1}]'")
        for name, weight in (pair for objective in self.maximize for pair in objective.items()):
            if isinstance(weight, bool) or not isinstance(weight, int | float):
                raise UserError(f"sweep.maximize: {name}: {weight}", "not a weight", "Use a number")
            if name.startswith("test/"):
                wrong = "what is chosen by test figures has none left to be tested by"
                raise UserError(f"sweep.maximize: {name}", wrong, f"Use val/{name.removeprefix('test/')}")
        if self.pruner != "none" and len(self.maximize) > 1:
            raise UserError(f"sweep.pruner={self.pruner}", "knows one objective", "Use none, or one objective")
