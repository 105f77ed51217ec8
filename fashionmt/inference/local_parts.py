"""Makes parts in this process, one after another."""

from collections.abc import Sequence

from fashionmt.config import PredictConfig
from fashionmt.inference.engine import engine_of
from fashionmt.inference.job import Job
from fashionmt.inference.part import RowsDone, Told, make_part


def make_parts(job: Job, config: PredictConfig, parts: Sequence[int], told: Told) -> None:
    """Raises `UserError`, and what `told` raises: that ends the work between two rows."""
    engine = engine_of(config, job.reader.bundle)
    for part in parts:
        told(RowsDone())
        make_part(engine, job, config, part, told)
