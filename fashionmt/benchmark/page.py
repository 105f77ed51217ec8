"""The benchmark as one HTML page that needs no other file: tables, and a panel of figures with their intervals for each
attribute. Everything that comes from data is escaped by the template."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader

from fashionmt.benchmark.cells import Strong
from fashionmt.benchmark.lines import Line
from fashionmt.benchmark.views import VIEWS

TEMPLATE = "table.html.jinja"
COLOURS = ("#3566a5", "#c4662a", "#3f8f5b", "#8a4f9e")
"""By view, or by split."""
LEFT, WIDE, RIGHT, LINE, TOP = 340, 265, 45, 17, 26
"""Of a panel, in pixels: labels, axis, figures, a line, the title."""
LONGEST, APART = 56, 26
"""Of a label, in letters; of two ticks, in pixels."""
ERRORS = (1, 0.8, 0.5, 0.3, 0.2, 0.1, 0.05, 0.03, 0.02, 0.01, 0.005, 0.003, 0.002, 0.001, 0.0005)
"""Where the axis may begin, have a tick and end."""


@dataclass(frozen=True)
class Mark:
    """One figure with its interval, placed."""

    label: str
    told: str
    """The label, shortened where it is too long to draw."""
    figure: str
    colour: str
    y: float
    x: float
    x_low: float
    x_high: float


@dataclass(frozen=True)
class Panel:
    """The figures of one attribute under each other, on one axis."""

    title: str
    marks: list[Mark]
    ticks: list[tuple[float, str]]

    @property
    def width(self) -> int:
        """Of the drawing."""
        return LEFT + WIDE + RIGHT

    @property
    def height(self) -> int:
        """Of the drawing."""
        return TOP + LINE * len(self.marks) + 24

    @property
    def bottom(self) -> int:
        """Where the axis is."""
        return TOP + LINE * len(self.marks)


@dataclass(frozen=True)
class _Line:
    label: str
    colour: str
    estimate: Mapping[str, Any]


def by_view(found: Sequence[Line]) -> list[Panel]:
    """A panel for each attribute: the accuracy of each system under each view. `found`: of one split."""
    drawn: dict[str, list[_Line]] = {}
    for view, colour in zip(VIEWS, COLOURS, strict=True):
        for line in found:
            for name, scored in line.views.get(view, {"attributes": {}})["attributes"].items():
                drawn.setdefault(name, []).append(_Line(f"{view}: {_label(line)}", colour, scored["accuracy"]))
    return _panels(drawn)


def by_split(found: Sequence[Line]) -> list[Panel]:
    """A panel for each attribute: the accuracy of the systems and views that were scored on several splits of one
    catalogue, at one size and number of epochs."""
    places: dict[tuple[str, str, str], list[tuple[str, Mapping[str, Any]]]] = {}
    for line in found:
        label = ", ".join([_label(line), *line.effort, line.first["data"]])
        for view, scored in line.views.items():
            for name, figures in scored["attributes"].items():
                where = (line.first["split"]["kind"], figures["accuracy"])
                places.setdefault((name, view, label), []).append(where)
    kinds = list(dict.fromkeys(line.first["split"]["kind"] for line in found))
    drawn: dict[str, list[_Line]] = {}
    for (name, view, label), scores in places.items():
        if len({kind for kind, _ in scores}) > 1:
            drawn.setdefault(name, []).extend(
                _Line(f"{kind}, {view}: {label}", COLOURS[kinds.index(kind) % len(COLOURS)], estimate)
                for kind, estimate in scores
            )
    return _panels(drawn)


def render_page(sections: Sequence[Any], notes: Sequence[str]) -> str:
    """The whole page. `sections`: of `table.Section`."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    environment.tests["strong"] = lambda cell: isinstance(cell, Strong)
    return environment.get_template(TEMPLATE).render(
        sections=sections, notes=notes, left=LEFT, wide=WIDE, top=TOP, line=LINE
    )


def _label(line: Line) -> str:
    """The system, and how many items it had where these are a subset."""
    limit = line.first["size"]["limit_items"]
    return line.label if limit is None else f"{line.label}, {limit} items"


def _panels(lines: Mapping[str, Sequence[_Line]]) -> list[Panel]:
    return [
        _panel(name, drawn)
        for name, all_lines in lines.items()
        if (drawn := [line for line in all_lines if line.estimate["value"] is not None])
    ]


def _panel(title: str, lines: Sequence[_Line]) -> Panel:
    """The axis is of the logarithm of the error: 99.8 is as far from 99.6 as 80 from 60."""
    worst = max(_error(_ends(line.estimate)[0]) for line in lines)
    best = min(_error(_ends(line.estimate)[1]) for line in lines)
    start = min((error for error in ERRORS[:-1] if error >= worst), default=ERRORS[0])
    end = max((error for error in ERRORS if error < start and error <= best), default=ERRORS[-1])

    def place(value: float) -> float:
        error = min(max(_error(value), end), start)
        return round(LEFT + WIDE * math.log(start / error) / math.log(start / end), 1)

    marks = [
        Mark(
            line.label,
            line.label if len(line.label) <= LONGEST else f"{line.label[: LONGEST - 1]}…",
            f"{100 * line.estimate['value']:.1f}",
            line.colour,
            TOP + LINE * (row + 0.5),
            place(line.estimate["value"]),
            *map(place, _ends(line.estimate)),
        )
        for row, line in enumerate(lines)
    ]
    ticks: list[tuple[float, str]] = []
    for error in ERRORS:
        if end <= error <= start and (not ticks or place(1 - error) - ticks[-1][0] >= APART):
            ticks.append((place(1 - error), f"{100 * (1 - error):g}"))
    return Panel(title, marks, ticks)


def _error(accuracy: float) -> float:
    return round(1 - accuracy, 9)  # 1 - 0.7 is more than 0.3


def _ends(estimate: Mapping[str, Any]) -> tuple[float, float]:
    if estimate["low"] is None:
        return estimate["value"], estimate["value"]
    return estimate["low"], estimate["high"]
