"""Tables as text, and how a figure is written in them."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard

NONE = "-"
Estimate = Mapping[str, Any]
"""As `bootstrap.Estimate.to_json` gives it."""


class Strong(str):
    """A cell that stands out."""

    __slots__ = ()


@dataclass(frozen=True)
class Table:
    """Cells as text, all rows as long as the header."""

    title: str
    header: list[str]
    rows: list[list[str]]
    names: int = 1
    """How many columns, from the left, say what a row is; the others hold figures."""
    notes: list[str] = field(default_factory=list)


def plus_minus(estimate: Estimate | None) -> str:
    """`97.1 ±0.3`: percent, and half the width of the interval."""
    if not _known(estimate):
        return NONE
    value = percent(estimate["value"])
    return value if estimate["low"] is None else f"{value} ±{50 * (estimate['high'] - estimate['low']):.1f}"


def interval(estimate: Estimate | None) -> str:
    """`97.1 (96.8 to 97.4)`: percent."""
    if not _known(estimate):
        return NONE
    value = percent(estimate["value"])
    if estimate["low"] is None:
        return value
    return f"{value} ({percent(estimate['low'])} to {percent(estimate['high'])})"


def difference(estimate: Estimate | None) -> str:
    """`+0.6 (+0.2 to +1.0)`: points, strong where the interval leaves out 0."""
    if not _known(estimate):
        return NONE
    value = _signed(estimate["value"])
    if estimate["low"] is None:
        return value
    told = f"{value} ({_signed(estimate['low'])} to {_signed(estimate['high'])})"
    return Strong(told) if estimate["low"] > 0 or estimate["high"] < 0 else told


def percent(value: float | None) -> str:
    """One decimal."""
    return NONE if value is None else f"{100 * value:.1f}"


def _signed(value: float) -> str:
    return f"{round(100 * value, 1) + 0:+.1f}"  # + 0: no -0.0


def _known(estimate: Estimate | None) -> TypeGuard[Estimate]:
    return estimate is not None and estimate["value"] is not None


def markdown(table: Table) -> list[str]:
    """The lines of a table, and of its notes."""
    rule = ["---" if column < table.names else "---:" for column in range(len(table.header))]
    lines = [f"### {one_line(table.title)}", ""] if table.title else []
    if table.rows:
        lines += [_line(table.header), _line(rule), *map(_line, table.rows), ""]
    for note in table.notes:
        lines += [one_line(note), ""]
    return lines


def one_line(text: str) -> str:
    """Data may hold anything; a cell is one line and no markup."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")


def _line(cells: Sequence[str]) -> str:
    return (
        f"| {' | '.join(f'**{one_line(cell)}**' if isinstance(cell, Strong) else one_line(cell) for cell in cells)} |"
    )
