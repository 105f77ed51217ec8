"""The figures of a report. Each returns an inline SVG, or None where there is nothing to draw."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

import matplotlib.ticker
import numpy as np
import numpy.typing as npt
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import LinearSegmentedColormap, PowerNorm
from matplotlib.figure import Figure

from fashionmt.attributes import MISSING, LabelSpace
from fashionmt.run_report.confidence import BINS, reliability, risk_coverage
from fashionmt.run_report.confusion import Confusion
from fashionmt.run_report.content import Head
from fashionmt.run_report.drawing import BLUE, FAINT, ORANGE, PALETTE, draw_svg, in_legend, short
from fashionmt.run_report.projection import Map

WIDTH = 11.0
BARS_IN_A_ROW = 50
NAMED_CLASSES = 200
"""More classes than this are drawn without their names."""
COLUMNS = 4
OTHER = "other classes"


def distribution(counts: npt.NDArray[np.int64], space: LabelSpace) -> Markup:
    """Training items of each class, most first, on a logarithmic scale; classes that were not learned in orange."""
    order = np.argsort(-counts, kind="stable")
    named = len(order) <= NAMED_CLASSES
    rows = np.array_split(order, math.ceil(len(order) / BARS_IN_A_ROW)) if named else [order]
    widest = len(rows[0])

    def draw(figure: Figure) -> None:
        for axes, row in zip(np.ravel(figure.subplots(len(rows), 1, squeeze=False)), rows, strict=True):
            colours = [ORANGE if i >= len(space) else BLUE for i in row]
            places = np.arange(len(row))
            axes.set_yscale("log")
            axes.set_ylim(0.7, max(10, int(counts.max()) * 1.5))
            axes.bar(places, counts[row], width=0.8 if named else 1.0, color=colours)
            axes.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axes.set_xlim(-0.8, widest - 0.2)
            axes.set_ylabel("training items")
            if named:
                names = [short(space.every_class[i], 22) for i in row]
                axes.set_xticks(places, names, rotation=90 if widest > 12 else 0)
                axes.tick_params(axis="x", length=0)
            else:
                axes.set_xlabel("rank of the class")

    width = WIDTH if widest > 12 else max(3.5, 0.85 * widest + 1)
    return draw_svg(
        f"{space.attribute}: training items of each class", width, (3.0 if widest > 12 else 2.4) * len(rows), draw
    )


@dataclass(frozen=True)
class _Curve:
    """A column of the log, as a panel shows it."""

    column: str
    label: str
    colour: str


def loss_curves(epochs: pd.DataFrame, attributes: Sequence[str]) -> Markup | None:
    """Loss on train and validation by epoch, all heads together and each alone, and the learning rates."""
    ends = ({"all heads": ""} if len(attributes) > 1 else {}) | {name: f"/{name}" for name in attributes}
    panels = {
        title: [_Curve(f"train/loss{end}", "train", FAINT), _Curve(f"val/loss{end}", "val", ORANGE)]
        for title, end in ends.items()
    }
    return _curves("Loss by epoch", epochs, panels | {"learning rate": _learning_rates(epochs)})


def _learning_rates(epochs: pd.DataFrame) -> list[_Curve]:
    """Those of the groups of parameters; equal ones are one curve."""
    names: dict[tuple[float, ...], list[str]] = {}
    for column in epochs:
        if str(column).startswith("lr/"):
            names.setdefault(tuple(epochs[column]), []).append(str(column))
    return [
        _Curve(same[0], ", ".join(same), colour) for same, colour in zip(names.values(), cycle(PALETTE), strict=False)
    ]


def score_curves(epochs: pd.DataFrame, attributes: Sequence[str]) -> Markup | None:
    """Accuracy and macro-F1 on validation by epoch: each head, their means, and the share of items right in all."""
    ends = ({"all heads": "mean"} if len(attributes) > 1 else {}) | {name: name for name in attributes}
    panels = {
        title: [
            _Curve(f"val/accuracy/{end}", "accuracy", BLUE),
            _Curve(f"val/macro_f1/{end}", "macro-F1", ORANGE),
            *([_Curve("val/exact_match", "exact match", FAINT)] if title not in attributes else []),
        ]
        for title, end in ends.items()
    }
    return _curves("Scores on validation by epoch", epochs, panels)


def _curves(caption: str, epochs: pd.DataFrame, panels: Mapping[str, Sequence[_Curve]]) -> Markup | None:
    """A panel for each title, less the curves that were not logged."""
    there = {title: [curve for curve in curves if curve.column in epochs] for title, curves in panels.items()}
    there = {title: curves for title, curves in there.items() if curves}
    if not there:
        return None
    across = min(COLUMNS, len(there))
    down = math.ceil(len(there) / across)

    def draw(figure: Figure) -> None:
        every = np.ravel(figure.subplots(down, across, squeeze=False))
        for axes in every[len(there) :]:
            axes.remove()
        for axes, (title, curves) in zip(every, there.items(), strict=False):
            axes.set_title(short(title))
            for curve in curves:
                axes.plot(epochs.index + 1, epochs[curve.column], "o-", color=curve.colour, label=curve.label)
            axes.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(5, integer=True))
            axes.legend()

    return draw_svg(caption, WIDTH * max(across, 2) / COLUMNS, 2.3 * down, draw)


def confusion_map(confusion: Confusion, space: LabelSpace) -> Markup | None:
    """The most confused classes against each other: counts, shaded by their share of the true class."""
    chosen = confusion.most_confused()
    if len(chosen) == 0:
        return None
    rows = confusion.counts[chosen]
    rest = rows.sum(1) - rows[:, chosen].sum(1)
    cells = np.column_stack([rows[:, chosen], rest]) if rest.any() else rows[:, chosen]
    shares = cells / np.maximum(cells.sum(1, keepdims=True), 1)
    names = [short(space.every_class[i]) for i in chosen]
    sure = [f"{name} (not learned)" if i >= len(space) else name for i, name in zip(chosen, names, strict=True)]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.grid(False)
        right = np.eye(*cells.shape, dtype=np.bool_)
        _shade(axes, np.where(right, shares, 0.0), BLUE)
        _shade(axes, np.where(right, 0.0, shares), ORANGE)
        for (row, column), count in np.ndenumerate(cells):
            if count:
                axes.text(column + 0.5, row + 0.5, f"{count:,}", ha="center", va="center", fontsize=7)
        middles = np.arange(cells.shape[1]) + 0.5
        axes.set_xticks(middles, [*names, OTHER][: len(middles)], rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(middles[: len(sure)], sure)
        axes.tick_params(length=0)
        axes.invert_yaxis()
        axes.set_aspect("equal")
        axes.spines[:].set_visible(False)
        axes.set(xlabel="answered", ylabel="true")

    side = 0.4 * len(chosen)
    return draw_svg(f"{space.attribute}: confusion of the classes with most mistakes", side + 2.4, side + 1.6, draw)


def _shade(axes: Axes, shares: npt.NDArray[np.float64], colour: str) -> None:
    """Cells from see-through at 0 to `colour` at the largest share; the root lets small ones show."""
    colours = LinearSegmentedColormap.from_list("see-through", [f"{colour}00", f"{colour}d0"])
    norm = PowerNorm(0.5, 0, max(float(shares.max()), 1e-9))
    axes.pcolormesh(shares, cmap=colours, norm=norm, edgecolors=f"{FAINT}22", linewidth=0.5)


def confidence_plots(head: Head, attribute: str) -> Markup | None:
    """Reliability diagram, the confidences' histogram below it, and the risk-coverage curve, over labelled items."""
    if not head.labelled.any():
        return None
    confidence, right = head.confidence[head.labelled], ~head.wrong[head.labelled]
    bins = reliability(confidence, right)

    def draw(figure: Figure) -> None:
        grid = figure.add_gridspec(2, 2, height_ratios=[3, 1], width_ratios=[1, 1.1])
        _reliability_diagram(figure.add_subplot(grid[0, 0]), bins.accuracy, bins.confidence, bins.ece)
        histogram = figure.add_subplot(grid[1, 0])
        histogram.bar(_middles(), bins.count / bins.count.sum(), width=0.9 / BINS, color=FAINT)
        histogram.set(xlim=(0, 1), xlabel="confidence", ylabel="items")
        _in_percent(histogram.xaxis, histogram.yaxis)
        _risk_coverage_curve(figure.add_subplot(grid[:, 1]), confidence, right)

    return draw_svg(f"{attribute}: reliability and risk against coverage", 8.0, 3.6, draw)


def _in_percent(*every: Axis) -> None:
    for axis in every:
        axis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{100 * value:g}\u00a0%"))


def _middles() -> npt.NDArray[np.float64]:
    return (np.arange(BINS) + 0.5) / BINS


def _reliability_diagram(
    axes: Axes, accuracy: npt.NDArray[np.float64], confidence: npt.NDArray[np.float64], ece: float
) -> None:
    axes.plot([0, 1], [0, 1], color=FAINT, linestyle="--", linewidth=1)
    axes.bar(_middles(), accuracy, width=0.9 / BINS, color=BLUE, alpha=0.45)
    axes.plot(confidence, accuracy, "o", color=BLUE)
    axes.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="accuracy", title=f"reliability, ECE {ece:.4f}")
    axes.tick_params(labelbottom=False)
    _in_percent(axes.yaxis)


def _risk_coverage_curve(axes: Axes, confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> None:
    coverage, risk = risk_coverage(confidence, right)
    axes.plot(coverage, risk, color=ORANGE)
    axes.axhline(risk[-1], color=FAINT, linestyle="--", linewidth=1)
    axes.set(
        xlim=(0, 1.01), xlabel="answered, most confident first", ylabel="mistakes among them", title="risk and coverage"
    )
    axes.set_ylim(0, max(0.001, float(risk.max()) * 1.08))
    _in_percent(axes.xaxis, axes.yaxis)


def embedding_maps(found: Sequence[Map], labels: Sequence[tuple[LabelSpace, npt.NDArray[np.int64]]]) -> Markup | None:
    """A row for each map, a column for each attribute that colours it by its label; (items,) labels."""
    if not found:
        return None

    def draw(figure: Figure) -> None:
        panels = figure.subplots(len(found), len(labels), squeeze=False)
        for row, mapped in zip(panels, found, strict=True):
            for axes, (space, column) in zip(row, labels, strict=True):
                _scatter(axes, mapped, space, column)

    return draw_svg("Embeddings of test items on a plane", 5.8 * len(labels), 3.8 * len(found), draw)


def _scatter(axes: Axes, mapped: Map, space: LabelSpace, labels: npt.NDArray[np.int64]) -> None:
    """Colours for the most frequent classes, grey for the others."""
    classes, counts = np.unique(labels[labels != MISSING], return_counts=True)
    shown = classes[np.argsort(-counts, kind="stable")][: len(PALETTE)]
    rest = ~np.isin(labels, shown)
    groups = [(OTHER, rest, FAINT, 0.25)] if rest.any() else []
    groups += [(short(space.every_class[i], 20), labels == i, PALETTE[k], 0.7) for k, i in enumerate(shown)]
    for name, chosen, colour, alpha in groups:
        points = mapped.points[chosen, 0], mapped.points[chosen, 1]
        # Thousands of points: a picture inside the figure is smaller than as many shapes.
        axes.scatter(*points, s=5, color=colour, alpha=alpha, linewidths=0, label=in_legend(name), rasterized=True)
    axes.grid(False)
    axes.set(
        title=f"{mapped.method} by {short(space.attribute)}",
        xlabel=mapped.axes[0],
        ylabel=mapped.axes[1],
        xticks=[],
        yticks=[],
    )
    legend = axes.legend(loc="upper left", bbox_to_anchor=(1, 1), markerscale=2.5, handletextpad=0.2)
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_alpha(1)
