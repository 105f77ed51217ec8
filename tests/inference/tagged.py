"""What a job has written, read back; what an engine answers, compared."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fashionmt.bundle import Bundle
from fashionmt.confidence import Thresholds
from fashionmt.inference import ItemTags, Tag
from fashionmt.inference.quarantine import read_records


def tags_in(folder: str | Path | None) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted(Path(str(folder)).glob("part-*"))], ignore_index=True)


def quarantined_in(folder: str | Path | None) -> list[dict[str, Any]]:
    return [record for path in sorted(Path(str(folder)).glob("quarantine-*")) for record in read_records(path)]


def decided_by(bundle: Bundle, thresholds: Thresholds | None) -> Bundle:
    """The same, which accepts by these thresholds alone, whatever an item shows, and to which nothing is unknown."""
    return replace(bundle, decoder=replace(bundle.decoder, thresholds=thresholds), alone={}, novelty=None)


def same(one: ItemTags, other: ItemTags) -> bool:
    """Whether two answers to an item are the same, up to rounding."""
    if (one.id, one.inputs, one.picture_problem, one.problem) != (
        other.id,
        other.inputs,
        other.picture_problem,
        other.problem,
    ):
        return False
    return all(
        one.tags[name].value == other.tags[name].value
        and one.tags[name].confidence == pytest.approx(other.tags[name].confidence, abs=1e-5)
        for name in one.tags | other.tags
    )


def sure(tag: Tag) -> float:
    assert tag.confidence is not None
    return tag.confidence
