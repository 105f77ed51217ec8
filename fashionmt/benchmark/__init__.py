"""The benchmark: every system by every split and input, with baselines and intervals, in one table."""

from fashionmt.benchmark.compare import paired_difference
from fashionmt.benchmark.row import row_recorded, run_row
from fashionmt.benchmark.table import write_tables

__all__ = ["paired_difference", "row_recorded", "run_row", "write_tables"]
