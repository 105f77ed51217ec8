"""Numbers as people read them."""

import math

import numpy as np


def percent(value: float | None, decimals: int = 1) -> str:
    """0.123 -> 12.3 %; "-" for what could not be computed."""
    return f"{100 * value:.{decimals}f}\u00a0%" if value is not None and math.isfinite(value) else "-"


def count(value: int | np.integer) -> str:
    """12345 -> 12,345."""
    return f"{int(value):,}"
