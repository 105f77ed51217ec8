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
    reference: str | None = None
    """The row that this one differs from by one choice: it stands among the ablations, as its difference from that row
    on the same items. null: it stands among the systems."""
    folder: str = "runs/benchmark"
    without: list[str] = field(default_factory=lambda: ["season"])
    """Attributes that the second exact match leaves out."""
    named: list[str] = field(default_factory=lambda: ["baseColour"])
    """Attributes whose accuracy the table also shows by whether the title names the label."""
    together: list[str] = field(default_factory=lambda: ["articleType", "subCategory", "masterCategory"])
    """Attributes whose combined answers are checked against the combinations of the training rows, whether or not the
    system knows them (`data.taxonomy`)."""
    draws: int = 1000
    """Of the bootstrap."""

    def __post_init__(self) -> None:
        if self.baseline is not None:
            check_choice("benchmark.baseline", self.baseline, BASELINES)
        check_range("benchmark.draws", self.draws, 10, 1e6)
        for key, name in {"row": self.row, "reference": self.reference}.items():
            if name is not None and not re.fullmatch(r"\w[\w.-]*", name):
                raise UserError(f"benchmark.{key}={name}", "not a file name", "Use letters, digits, '_', '-' and '.'")
