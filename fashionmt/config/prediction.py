"""What `predict.py` reads."""

from dataclasses import dataclass, field

from fashionmt.config.checks import check_choice, check_range


@dataclass
class PredictColumnsConfig:
    """The columns of a catalogue to tag; null means as in the training catalogue."""

    id: str | None = None
    title: str | None = None
    picture: str | None = None
    tabular: dict[str, str] = field(default_factory=dict)
    """Input -> its column; the empty text for none."""


@dataclass
class PredictConfig:
    """Everything `predict.py` reads."""

    bundle: str | None = None
    """A bundle's folder, or `wandb:<entity>/<project>/<artifact>`; null takes the newest under runs/train."""
    catalogue: str | None = None
    """A CSV, TSV or Parquet file; null tags the sample's new items."""
    images: str | None = None
    picture_pattern: str | None = None
    columns: PredictColumnsConfig = field(default_factory=PredictColumnsConfig)
    output: str | None = None
    """A .csv or .parquet file; null writes runs/predict/<date>/<time>/tags.csv."""
    overwrite: bool = False
    batch_size: int = 64
    precision: str = "32-true"

    def __post_init__(self) -> None:
        check_choice("precision", self.precision, ("32-true", "bf16-mixed"))
        check_range("batch_size", self.batch_size, 1, 1e6)
