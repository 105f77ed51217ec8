"""How errors fall with more training rows: systems that were run at several sizes of one catalogue and split."""

import math
from collections.abc import Sequence

import matplotlib.ticker
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fashionmt.benchmark.cells import Estimate
from fashionmt.benchmark.lines import Line
from fashionmt.run_report.drawing import PALETTE, draw_svg

ALL = "all right"
COLUMNS, WIDTH, HEIGHT = 4, 11.0, 2.3
"""Panels in a row; inches of a row, and of one panel's height."""
Curve = list[tuple[int, Estimate]]
"""(training rows, accuracy), rising."""


def learning_curve(lines: Sequence[Line]) -> Markup | None:
    """Errors against training rows, both logarithmic, a panel for each attribute and one for exact match, each system
    under all that it reads; None where none of `lines`, of one catalogue and split, was run at two sizes."""
    systems: dict[str, list[Line]] = {}
    for line in lines:
        systems.setdefault(", ".join([line.first["system"], line.main_view, *line.epochs]), []).append(line)
    curves = {label: own for label, own in systems.items() if len({_rows(line) for line in own}) > 1}
    if not curves:
        return None
    names = list(dict.fromkeys(name for own in curves.values() for line in own for name in _figures(line)))

    def draw(figure: Figure) -> None:
        grid = figure.subplots(math.ceil(len(names) / COLUMNS), COLUMNS, squeeze=False)
        for axes, name in zip(grid.flat, names, strict=False):
            for colour, own in zip(PALETTE, curves.values(), strict=False):
                _plot(axes, [(_rows(line), _figures(line)[name]) for line in own if name in _figures(line)], colour)
            _dress(axes, name)
        for axes in grid.flat[len(names) :]:
            axes.set_axis_off()
        handles = [Line2D([], [], color=c, marker="o") for c, _ in zip(PALETTE, curves, strict=False)]
        figure.legend(handles, list(curves), loc="outside lower left", ncols=2)

    height = HEIGHT * math.ceil(len(names) / COLUMNS) + 0.4
    return draw_svg(f"{lines[0].first['data']}: errors against training rows", WIDTH, height, draw)


def _rows(line: Line) -> int:
    return int(line.first["size"]["train"])


def _figures(line: Line) -> dict[str, Estimate]:
    """Attribute -> accuracy, under all that the system reads; those that are perfect have no place on the axis."""
    scored = line.views[line.main_view]
    found = {name: figures["accuracy"] for name, figures in scored["attributes"].items()}
    return {name: e for name, e in (found | {ALL: scored["exact_match"]}).items() if e["value"] not in (None, 1.0)}


def _plot(axes: Axes, curve: Curve, colour: str) -> None:
    """Errors in percent, and their intervals."""
    curve = sorted(curve, key=lambda point: point[0])
    rows = [count for count, _ in curve]
    errors = [100 * (1 - estimate["value"]) for _, estimate in curve]
    axes.plot(rows, errors, color=colour, marker="o")
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
