"""Times as files write them: dates, or counts of seconds, milliseconds, microseconds or nanoseconds since 1970."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

UNITS = ((1e11, 1.0), (1e14, 1e3), (1e17, 1e6), (np.inf, 1e9))
"""A file whose median is below the first number counts so many to the second: 1e11 seconds are the year 5138."""


def parse_times(texts: Sequence[str]) -> npt.NDArray[np.float64]:
    """(E,) seconds since 1970, UTC where no zone is named; NaN for what is neither a number nor an ISO 8601 date.

    Numbers are all of one unit, which their median tells.
    """
    column = pd.Series(list(texts), dtype="str").str.strip()
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    seconds = numbers / _unit(numbers)
    others = np.flatnonzero(np.isnan(numbers) & (column != "").to_numpy())
    if len(others):
        dates = pd.to_datetime(column.iloc[others], errors="coerce", utc=True, format="ISO8601")
        since = (dates - pd.Timestamp(0, tz="UTC")).dt.total_seconds()
        seconds[others] = since.to_numpy(np.float64, na_value=np.nan)
    return seconds


def _unit(numbers: npt.NDArray[np.float64]) -> float:
    known = np.abs(numbers[~np.isnan(numbers)])
    if not len(known):
        return 1.0
    return next(divisor for limit, divisor in UNITS if np.median(known) < limit)
