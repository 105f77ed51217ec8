"""A row of the benchmark: which system, under which name, and how it is scored."""

import re
from dataclasses import dataclass, field

from fashionmt.config.checks import check_choice, check_range
from fashionmt.errors import UserError

BASELINES = ("majority", "words", "linear")


@dataclass
class BenchmarkConfig:
    """What `conf/experiment/benchmark/<row>.yaml` says beside the run itself."""

    row: str | None = None
    """The file's name; null: the run is no row of the benchmark. The row's folder is `<folder>/<row>`, with another
    seed than 0 `<folder>/<row>-seed<seed>`."""
    system: str = "unnamed"
    """As the table calls it. Rows of one system on other splits share it."""
    baseline: str | None = None
    """Instead of the model: `majority`, `words` (the labels whose words stand in the title), `linear` (TF-IDF and a
    linear SVM on the title)."""
    folder: str = "runs/benchmark"
    without: list[str] = field(default_factory=lambda: ["season"])
    """Attributes that the second exact match leaves out."""
    named: list[str] = field(default_factory=lambda: ["baseColour"])
    """Attributes whose accuracy the table also shows by whether the title names the label."""
    draws: int = 1000
    """Of the bootstrap."""

    def __post_init__(self) -> None:
        if self.baseline is not None:
            check_choice("benchmark.baseline", self.baseline, BASELINES)
        check_range("benchmark.draws", self.draws, 10, 1e6)
        if self.row is not None and not re.fullmatch(r"\w[\w.-]*", self.row):
            raise UserError(f"benchmark.row={self.row}", "not a file name", "Use letters, digits, '_', '-' and '.'")
