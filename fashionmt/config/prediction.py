"""What `predict.py` reads."""

import re
from dataclasses import dataclass, field
from typing import Any

from fashionmt.config.calibrate import CalibrateConfig
from fashionmt.config.checks import check_choice, check_range
from fashionmt.config.export import EXPORTED, ExportConfig
from fashionmt.config.recommend import RecommendConfig
from fashionmt.config.similar import SimilarConfig
from fashionmt.errors import UserError

TASKS = ("tag", "index", "similar", "recommend", "export", "calibrate")
PRECISIONS = {"torch": ("32-true", "bf16-mixed"), "onnx": EXPORTED, "openvino": EXPORTED}
"""What computes the model -> in which arithmetic it can."""


@dataclass
class PredictColumnsConfig:
    """The columns of a catalogue to tag; null means as in the training catalogue."""

    id: str | None = None
    title: str | None = None
    picture: str | None = None
    tabular: dict[str, str] = field(default_factory=dict)
    """Input -> its column; the empty text for none."""
    given: dict[str, str] = field(default_factory=dict)
    """Attribute -> the column with what is known of it; the empty text for none. Columns that have an attribute's name
    are taken for it."""


@dataclass
class PredictConfig:
    """Everything `predict.py` reads."""

    task: str = "tag"
    """tag: a catalogue; index: tag it and make, or add to, an index of its items; similar: find items in an index;
    recommend: items of an index for people, by what they took before; export: the bundle's model for other runtimes;
    calibrate: a new bundle, whose confidences and thresholds are fitted to a labelled catalogue."""
    bundle: str | None = None
    """A bundle's folder, or `wandb:<entity>/<project>/<artifact>`; null takes the newest under runs/train."""
    catalogue: Any = None
    """A file (CSV, TSV, JSONL, Parquet; gz too), a list of them, a pattern such as 'new/*.csv', a folder of pictures,
    or - for the standard input; null tags the sample's new items."""
    stdin_format: str = "csv"
    """What comes in by the standard input: csv, tsv or jsonl."""
    images: str | None = None
    """A folder, a .zip or .tar, or an fsspec location such as s3://bucket/folder."""
    picture_pattern: str | None = None
    columns: PredictColumnsConfig = field(default_factory=PredictColumnsConfig)
    given: bool = True
    """Keep what the catalogue says of an attribute already; false: the model answers."""
    keep_columns: list[str] = field(default_factory=list)
    """Of the catalogue, to go through to the output."""
    embeddings: bool = False
    """Write each item's embedding beside its tags."""
    output: str | None = None
    """A folder, or a .csv or .parquet file, whose parts then lie in <file>.parts; null: below runs/predict, by the
    catalogue's name and the job's fingerprint."""
    format: str = "parquet"
    """Of the parts: parquet or csv."""
    finalize: bool = False
    """Tag nothing: close an output whose parts are all there, as the last of the shards does."""
    overwrite: bool = False
    """Replace the output of another job, and make this job's parts anew though they are there: with shards, each its
    own. Without it the same command goes on with what was begun."""
    part_rows: int = 4096
    """Rounded up to whole batches."""
    shard: str = "0/1"
    """i/n: every n-th part from the i-th on, i from 0; n processes, on as many machines, make the whole."""
    retry: str | None = None
    """quarantine: make the parts again that hold rows which may pass now."""
    max_bad_fraction: float = 0.05
    """More rows than these in quarantine: the output is not called complete."""
    early_stop: bool = True
    """Stop where more than half of the first thousand rows have no tags, or no picture though one is named."""
    summary: bool = True
    """Write summary.html and review_queue.csv beside the tags: what was accepted, what has drifted, what to look at."""
    picture_missing: str = "use_title"
    """An item whose picture cannot be read: use_title, or quarantine."""
    allow_urls: bool = False
    """Fetch pictures that are named by http(s) addresses."""
    picture_seconds: float = 10.0
    """At most so long for one picture from elsewhere."""
    index: str | None = None
    """The folder of an index that task=index made; null: the newest below runs/index, and where there is none, one is
    made of the catalogue, or of the sample."""
    similar: SimilarConfig = field(default_factory=SimilarConfig)
    recommend: RecommendConfig = field(default_factory=RecommendConfig)
    engine: str = "local"
    """What makes the parts: local, this process; ray, the workers of Ray on this machine or a cluster. Either makes the
    same ones, and goes on with the other's."""
    ray_workers: int | None = None
    """null: one for each GPU of the cluster, or for each core where it has none."""
    batch_size: int = 64
    runtime: str = "torch"
    """What computes the model: torch; onnx or openvino, which are extras, on what task=export made of the bundle."""
    precision: str = "32-true"
    """32-true; bf16-mixed with torch; int8 with the others."""
    export: ExportConfig = field(default_factory=ExportConfig)
    calibrate: CalibrateConfig = field(default_factory=CalibrateConfig)

    def __post_init__(self) -> None:
        check_choice("task", self.task, TASKS)
        check_choice("runtime", self.runtime, tuple(PRECISIONS))
        check_choice("precision", self.precision, PRECISIONS[self.runtime])
        check_choice("format", self.format, ("parquet", "csv"))
        check_choice("engine", self.engine, ("local", "ray"))
        check_choice("stdin_format", self.stdin_format, ("csv", "tsv", "jsonl"))
        check_choice("picture_missing", self.picture_missing, ("use_title", "quarantine"))
        if self.retry is not None:
            check_choice("retry", self.retry, ("quarantine",))
        check_range("batch_size", self.batch_size, 1, 1e6)
        check_range("part_rows", self.part_rows, 1, 1e7)
        check_range("max_bad_fraction", self.max_bad_fraction, 0, 1)
        check_range("picture_seconds", self.picture_seconds, 0.001, 3600)
        if self.ray_workers is not None:
            check_range("ray_workers", self.ray_workers, 1, 1e5)
        self.shard_of()
        if self.catalogue is not None and not all(isinstance(name, str) for name in self.catalogues()):
            raise UserError("catalogue", "not a name, or a list of names", "Set catalogue=<file>")
        if self.catalogue is not None and (not self.catalogues() or "" in self.catalogues()):
            raise UserError("catalogue", "names no file", "Set catalogue=<file>")
        if self.engine == "ray" and self.catalogue is not None and "-" in self.catalogues():
            raise UserError("catalogue=-", "the workers of engine=ray cannot read it", "Write it to a file first")

    @property
    def vectors(self) -> bool:
        """Whether each item's vector, by which it is compared, is written beside its tags."""
        return self.task == "index"

    def shard_of(self) -> tuple[int, int]:
        """(which, of how many). Raises `UserError`."""
        match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", self.shard)
        which, count = (int(text) for text in match.groups()) if match else (0, 0)
        if which >= count:
            raise UserError(f"shard={self.shard}", "not one of so many", "Use 0/4, 1/4, 2/4 and 3/4, say")
        return which, count

    def catalogues(self) -> list[str]:
        """The names given."""
        return [self.catalogue] if isinstance(self.catalogue, str) else list(self.catalogue)
