"""The folder of one row, and the folder of them all."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow.lib import ArrowException
from pyarrow.parquet import read_metadata

from fashionmt.config import BenchmarkConfig
from fashionmt.errors import UserError
from fashionmt.training.run_folder import RunFolder

REPAIR = "Remove the folder, and run the row again"
FORMAT = 3
"""Of `benchmark.json`. Rows of an earlier one are scored anew from their answers, where these are there."""


@dataclass(frozen=True)
class RowFolder:
    """`runs/benchmark/<row>/`: of a model, its run's folder too."""

    root: Path

    @classmethod
    def of(cls, benchmark: BenchmarkConfig, seed: int) -> "RowFolder":
        """Where a row lies. Raises `ValueError` for a run that is none."""
        if benchmark.row is None:
            raise ValueError("not a row of the benchmark")
        return cls(Path(benchmark.folder) / (benchmark.row if seed == 0 else f"{benchmark.row}-seed{seed}"))

    @property
    def name(self) -> str:
        """The row's, with its seed."""
        return self.root.name

    @property
    def run(self) -> RunFolder:
        """The training run in it."""
        return RunFolder(self.root)

    @property
    def result(self) -> Path:
        """The figures; its presence says that the row is done."""
        return self.root / "benchmark.json"

    @property
    def predictions(self) -> Path:
        """The answers behind the figures."""
        return self.root / "predictions.parquet"

    @property
    def figures(self) -> Path:
        """Figures that rendering made of several rows, or of an older row's answers: kept while these are the same."""
        return self.root / "figures.json"

    def against(self, other: "RowFolder") -> Path:
        """The differences from another row that rendering made, kept likewise."""
        return self.root / f"against-{other.name}.json"

    @property
    def failure(self) -> Path:
        """Why the row could not be run; gone when it could."""
        return self.root / "failed.json"

    @property
    def begun(self) -> bool:
        """Whether it holds something that took time to make: figures, a trained model or a checkpoint."""
        return self.result.is_file() or self.run.begun


def read_results(folder: Path) -> list[tuple[RowFolder, dict[str, Any]]]:
    """Every finished row below `folder`, and what its `benchmark.json` holds, by row; less those of `left_out`."""
    rows = [RowFolder(path.parent) for path in sorted(folder.glob("*/benchmark.json"))]
    without = left_out(folder)
    return [(row, read_result(row)) for row in rows if row.name not in without]


def left_out(folder: Path) -> dict[str, str]:
    """Row -> why it cannot be shown, of the finished rows below `folder`: damaged, or a copy of another."""
    found: dict[str, str] = {}
    shown: dict[str, str] = {}
    rows = [RowFolder(path.parent) for path in sorted(folder.glob("*/benchmark.json"))]
    for row in rows:
        try:
            called = str(read_result(row)["row"])
            if row.predictions.is_file():
                read_metadata(row.predictions)
        except UserError as error:
            found[row.name] = str(error)
        except (OSError, ArrowException):
            found[row.name] = str(UserError(str(row.predictions), "damaged", REPAIR))
        else:
            # Two folders of one row were run once: as several seeds they would make one training's spread 0.
            kept = called if called != row.name and RowFolder(folder / called).result.is_file() else shown.get(called)
            if kept is None or called == row.name:
                shown[called] = row.name
            else:
                found[row.name] = f"a copy of {kept}"
    return found


def read_result(row: RowFolder) -> dict[str, Any]:
    """What the `benchmark.json` of a finished row holds. Raises `UserError` where it is damaged."""
    try:
        found = json.loads(row.result.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict) or "row" not in found:
        raise UserError(str(row.result), "damaged", REPAIR)
    return found


def read_failures(folder: Path) -> list[dict[str, Any]]:
    """`row` and `reason` of every row that could not be run."""
    return [_read_failure(path) for path in sorted(folder.glob("*/failed.json"))]


def _read_failure(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    sound = isinstance(found, dict) and {"row", "reason"} <= found.keys()
    return found if sound else {"row": path.parent.name, "reason": f"{path.name} is damaged"}
