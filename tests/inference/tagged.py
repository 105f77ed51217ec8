"""What a job has written, read back."""

from pathlib import Path
from typing import Any

import pandas as pd

from fashionmt.inference.quarantine import read_records


def tags_in(folder: str | Path | None) -> pd.DataFrame:
    return pd.concat([pd.read_parquet(path) for path in sorted(Path(str(folder)).glob("part-*"))], ignore_index=True)


def quarantined_in(folder: str | Path | None) -> list[dict[str, Any]]:
    return [record for path in sorted(Path(str(folder)).glob("quarantine-*")) for record in read_records(path)]
