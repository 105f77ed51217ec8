"""The two checks of the whole schema: each refuses a value that would fail later, with a worse message."""

from collections.abc import Collection

from fashionmt.errors import UserError

MAX_SEED = 2**32 - 1  # NumPy's and scikit-learn's limit


def check_choice(key: str, value: str, choices: Collection[str]) -> None:
    """Raise `UserError` where `value` is none of `choices`."""
    if value not in choices:
        raise UserError(f"{key}={value}", "no such choice", f"Use one of {', '.join(choices)}")


def check_range(key: str, value: float, low: float, high: float) -> None:
    """Raise `UserError` where `value` is not from `low` to `high`."""
    if not low <= value <= high:
        raise UserError(f"{key}={value}", "out of range", f"Use a value from {low:g} to {high:g}")
