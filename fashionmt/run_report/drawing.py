"""Matplotlib figures as SVG that takes its colours from the page, so that it reads on light and on dark."""

import io
import re
import warnings
from collections.abc import Callable
from html import escape
from typing import Any, cast

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure

INK, FAINT = "#1f2329", "#8a929c"
"""Text and lines; ticks, grids and what is beside the point. The page redefines both for dark screens."""
BLUE, ORANGE = "#3b82c4", "#e07b39"
PALETTE = ("#3b82c4", "#e07b39", "#3fa66b", "#c9484f", "#8a6fc7", "#9a7355", "#d277b4", "#4fb0b5", "#b8a22e", "#6b7a8f")
STYLE: dict[str, Any] = {
    "axes.edgecolor": FAINT,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "grid.alpha": 0.25,
    "grid.color": FAINT,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 3.5,
    "savefig.dpi": 150,
    "svg.fonttype": "none",  # text stays text: the browser has every script's letters
    "text.color": INK,
    "text.parse_math": False,  # a class may be called $
    "xtick.color": INK,
    "xtick.labelsize": 7.5,
    "ytick.color": INK,
    "ytick.labelsize": 7.5,
}
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
LONGEST = 26


def draw_svg(caption: str, width: float, height: float, draw: Callable[[Figure], None]) -> Markup:
    """An inline `<svg>` of `width` x `height` inches; `caption` is read out in its place, and salts its ids."""
    text = io.StringIO()
    with matplotlib.rc_context(cast(Any, STYLE | {"svg.hashsalt": caption})), warnings.catch_warnings():
        # Matplotlib measures with its own font; the browser draws with one that has the letters.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        figure.savefig(text, format="svg", transparent=True, metadata=NO_METADATA)
    return Markup(_inline(text.getvalue(), caption))


def _inline(svg: str, caption: str) -> str:
    """The `<svg>` element alone, its group ids gone (the page holds many figures), its two greys the page's."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    svg = svg.replace(INK, "var(--ink)").replace(FAINT, "var(--faint)").replace("'DejaVu Sans', ", "")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(caption)}" ', 1)


def short(text: str, longest: int = LONGEST) -> str:
    """A class name that fits beside an axis: one line, cut where it is long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def in_legend(text: str) -> str:
    """A name that a legend shows: what begins with _ would be left out."""
    return f" {text}" if text.startswith("_") else text
