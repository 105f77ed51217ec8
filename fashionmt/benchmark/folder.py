"""The folder of one row, and the folder of them all."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fashionmt.config import BenchmarkConfig
from fashionmt.training.run_folder import RunFolder

FORMAT = 2
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
    """Every finished row below `folder`, and what its `benchmark.json` holds, by row."""
    return [(RowFolder(path.parent), _read(path)) for path in sorted(folder.glob("*/benchmark.json"))]


def read_failures(folder: Path) -> list[dict[str, Any]]:
    """`row` and `reason` of every row that could not be run."""
    return [_read(path) for path in sorted(folder.glob("*/failed.json"))]


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
