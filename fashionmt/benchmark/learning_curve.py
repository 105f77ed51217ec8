"""How errors fall with more training rows: systems that were run at several sizes of one catalogue and split."""

import math
from collections.abc import Sequence
from itertools import cycle

import matplotlib.ticker
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fashionmt.benchmark.cells import Estimate
from fashionmt.benchmark.lines import Line
from fashionmt.run_report.drawing import PALETTE, draw_svg, in_legend

ALL = "all right"
MARKERS = "os^Dv"
COLUMNS, WIDTH, HEIGHT = 4, 11.0, 2.3
"""Panels in a row; inches of a row, and of one panel's height."""
STYLES = [(colour, marker) for marker in MARKERS for colour in PALETTE]
"""(colour, marker) of each system."""
Curve = list[tuple[int, Estimate]]
"""(training rows, accuracy), rising."""


def learning_curve(lines: Sequence[Line]) -> Markup | None:
    """Errors against training rows, both logarithmic, a panel for each attribute and one for exact match, each system
    under all that it reads; None where none of `lines`, of one catalogue and split, was run at two sizes, and where
    nothing was answered wrong."""
    systems: dict[str, list[Line]] = {}
    for line in lines:
        systems.setdefault(", ".join([line.first["system"], line.main_view, *line.epochs]), []).append(line)
    curves = {label: own for label, own in systems.items() if len({_rows(line) for line in own}) > 1}
    if not curves:
        return None
    names = list(dict.fromkeys(name for own in curves.values() for line in own for name in _figures(line)))
    if not names:  # all of it is perfect
        return None
    drawn = list(zip(curves, cycle(STYLES), strict=False))

    def draw(figure: Figure) -> None:
        grid = figure.subplots(math.ceil(len(names) / COLUMNS), COLUMNS, squeeze=False)
        for axes, name in zip(grid.flat, names, strict=False):
            for label, style in drawn:
                figures = [(_rows(line), _figures(line)) for line in curves[label]]
                _plot(axes, [(rows, found[name]) for rows, found in figures if name in found], style)
            _dress(axes, name)
        for axes in grid.flat[len(names) :]:
            axes.set_axis_off()
        handles = [Line2D([], [], color=colour, marker=marker) for _, (colour, marker) in drawn]
        figure.legend(handles, [in_legend(label) for label, _ in drawn], loc="outside lower left", ncols=2)

    height = HEIGHT * math.ceil(len(names) / COLUMNS) + 0.4
    return draw_svg(f"{lines[0].first['data']}: errors against training rows", WIDTH, height, draw)


def _rows(line: Line) -> int:
    return int(line.first["size"]["train"])


def _figures(line: Line) -> dict[str, Estimate]:
    """Attribute -> accuracy, under all that the system reads; those that are perfect have no place on the axis."""
    scored = line.views[line.main_view]
    found = {name: figures["accuracy"] for name, figures in scored["attributes"].items()}
    return {name: e for name, e in (found | {ALL: scored["exact_match"]}).items() if e["value"] not in (None, 1.0)}


def _plot(axes: Axes, curve: Curve, style: tuple[str, str]) -> None:
    """Errors in percent, and their intervals."""
    colour, marker = style
    curve = sorted(curve, key=lambda point: point[0])
    rows = [count for count, _ in curve]
    errors = [100 * (1 - estimate["value"]) for _, estimate in curve]
    axes.plot(rows, errors, color=colour, marker=marker)
    for count, estimate in curve:
        if estimate["low"] is not None:
            ends = [100 * (1 - estimate[end]) for end in ("low", "high")]
            axes.plot([count, count], ends, color=colour, linewidth=1, alpha=0.6)


def _dress(axes: Axes, name: str) -> None:
    axes.set_title(name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for axis, unit in ((axes.xaxis, ""), (axes.yaxis, "%")):
        axis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _, unit=unit: f"{value:,g}{unit}"))
        axis.set_minor_locator(matplotlib.ticker.NullLocator())
