"""What a job has written, read back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from fashionmt.bundle import Bundle
from fashionmt.confidence import Thresholds
from fashionmt.inference.quarantine import read_records


def tags_in(folder: str | Path | None) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted(Path(str(folder)).glob("part-*"))], ignore_index=True)


def quarantined_in(folder: str | Path | None) -> list[dict[str, Any]]:
    return [record for path in sorted(Path(str(folder)).glob("quarantine-*")) for record in read_records(path)]


def decided_by(bundle: Bundle, thresholds: Thresholds | None) -> Bundle:
    """The same, which accepts by these thresholds alone, whatever an item shows, and to which nothing is unknown."""
    return replace(bundle, decoder=replace(bundle.decoder, thresholds=thresholds), alone={}, novelty=None)
