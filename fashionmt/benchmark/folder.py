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

FORMAT = 3
"""Of `benchmark.json`. Rows of an earlier one are scored anew from their answers, where these are there."""
REPAIR = "Remove the folder, and run the row again"


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


def read_results(folder: Path) -> tuple[list[tuple[RowFolder, dict[str, Any]]], dict[str, str]]:
    """Every finished row below `folder` and what its `benchmark.json` holds, by row; and row -> why it cannot be shown,
    of those that are damaged, or a copy of another: as several seeds, copies would make one training's spread 0."""
    results, left_out = list[tuple[RowFolder, dict[str, Any]]](), dict[str, str]()
    for row in (RowFolder(path.parent) for path in sorted(folder.glob("*/benchmark.json"))):
        try:
            results.append((row, read_result(row)))
        except UserError as error:
            left_out[row.name] = str(error)
    shown: dict[str, str] = {}
    # First the folder that is called as the row in it.
    for row, result in sorted(results, key=lambda each: each[0].name != each[1]["row"]):
        if (original := shown.setdefault(result["row"], row.name)) != row.name:
            left_out[row.name] = f"a copy of {original}"
    return [each for each in results if each[0].name not in left_out], left_out


def read_result(row: RowFolder) -> dict[str, Any]:
    """What the `benchmark.json` of a finished row holds. Raises `UserError` where it, or the answers beside it, are
    damaged."""
    found = _read(row.result)
    if found is None or "row" not in found:
        raise UserError(str(row.result), "damaged", REPAIR)
    try:
        if row.predictions.is_file():
            read_metadata(row.predictions)
    except (OSError, ArrowException):
        raise UserError(str(row.predictions), "damaged", REPAIR) from None
    return found


def read_failures(folder: Path) -> list[dict[str, Any]]:
    """`row` and `reason` of every row that could not be run."""
    damaged = "failed.json is damaged"
    paths = sorted(folder.glob("*/failed.json"))
    return [{"row": path.parent.name, "reason": damaged} | (_read(path) or {}) for path in paths]


def _read(path: Path) -> dict[str, Any] | None:
    """None where it holds something else."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
