"""The test items of a finished run, as its catalogue has them."""

import csv
from pathlib import Path

from fashionmt.bundle import Bundle
from fashionmt.data.tables import Table


def test_rows(run: Path, bundle: Bundle, catalogue: str) -> list[dict[str, str]]:
    """Column -> value, of each, in order. `bundle`: the run's."""
    with (run / "split.csv").open(newline="") as file:
        test = {row["id"] for row in csv.DictReader(file) if row["split"] == "test"}
    table = Table(Path(catalogue), bundle.columns.title)
    return [dict(row.values) for row in table.rows() if row.values[bundle.columns.id] in test]
