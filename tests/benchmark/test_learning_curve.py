"""The curve holds every size of a system once, as errors in percent, and there is none where there is one size."""

from collections.abc import Callable
from typing import Any

import pytest
from markupsafe import Markup
from matplotlib.figure import Figure

from fashionmt.benchmark import learning_curve as module
from fashionmt.benchmark.folder import RowFolder
from fashionmt.benchmark.learning_curve import ALL, learning_curve
from fashionmt.benchmark.lines import Line, Row


def line(
    system: str, rows: int, accuracy: float, view: str = "both", low: float | None = None, match: float | None = None
) -> Line:
    """`low`: its interval's lower end, the upper one as far above. `match`: of items as a whole."""
    high = None if low is None else 2 * accuracy - low
    scored = {"accuracy": {"value": accuracy, "low": low, "high": high}}
    whole = {"value": accuracy - 0.1 if match is None else match, "low": None, "high": None}
    views = {view: {"attributes": {"colour": scored}, "exact_match": whole}}
    size = {"train": rows, "epochs": None}
    result = {"system": system, "data": "shop", "size": size, "row": f"{system}{rows}", "seed": 0}
    return Line([Row(RowFolder.__new__(RowFolder), result)], views)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Figure]:
    def draw(lines: list[Line]) -> Figure:
        figure = Figure()

        def keep(caption: str, width: float, height: float, paint: Callable[[Figure], None]) -> Markup:
            paint(figure)
            return Markup(caption)

        monkeypatch.setattr(module, "draw_svg", keep)
        assert learning_curve(lines) == "shop: errors against training rows"
        return figure

    return draw


def points(axes: Any) -> list[list[tuple[float, float]]]:
    """Of the curves, without the intervals' strokes."""
    curves = [one for one in axes.lines if one.get_marker() == "o"]
    return [[(x, round(y, 6)) for x, y in one.get_xydata().tolist()] for one in curves]


def test_each_system_of_several_sizes_is_a_curve(drawn: Callable[..., Figure]) -> None:
    lines = [line("net", 2000, 0.9), line("linear", 500, 0.7, "title"), line("net", 500, 0.8), line("rule", 500, 0.5)]
    figure = drawn([*lines, line("linear", 2000, 0.75, "title")])
    colour, whole = (axes for axes in figure.axes if axes.get_title(loc="left") or axes.get_title())
    assert points(colour) == [[(500, 20), (2000, 10)], [(500, 30), (2000, 25)]]
    assert points(whole) == [[(500, 30), (2000, 20)], [(500, 40), (2000, 35)]]
    assert colour.get_xscale() == colour.get_yscale() == "log"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["net, both", "linear, title"]


def test_intervals_are_strokes_of_errors(drawn: Callable[..., Figure]) -> None:
    figure = drawn([line("net", 500, 0.8, low=0.75), line("net", 900, 0.9)])
    stroke = figure.axes[0].lines[1]
    assert stroke.get_xydata().ravel().tolist() == pytest.approx([500, 25, 500, 15])
    assert len(figure.axes[0].lines) == 2


def test_what_has_no_error_has_no_place_on_a_logarithmic_axis(drawn: Callable[..., Figure]) -> None:
    figure = drawn([line("net", 500, 0.8), line("net", 900, 1.0)])
    assert points(figure.axes[0]) == [[(500, 20)]]
    assert points(figure.axes[1]) == [[(500, 30), (900, 10)]]
    assert ALL == "all right"


def test_one_size_is_no_curve() -> None:
    assert learning_curve([line("net", 500, 0.8), line("rule", 900, 0.8)]) is None


def test_it_is_an_image_for_the_page() -> None:
    found = learning_curve([line("net", 500, 0.8, low=0.7), line("net", 900, 0.9)])
    assert found is not None
    assert found.startswith("<svg")
    assert "colour" in found


def test_where_nothing_is_wrong_there_is_none() -> None:
    assert learning_curve([line("net", 500, 1.0, match=1.0), line("net", 900, 1.0, match=1.0)]) is None


def test_no_system_is_left_out_however_many(drawn: Callable[..., Figure]) -> None:
    """And each looks otherwise than the others."""
    names = [f"{'_' * (k == 0)}net{k}" for k in range(25)]
    figure = drawn([line(name, rows, 0.5 + k / 100) for k, name in enumerate(names) for rows in (500, 900)])
    (legend,) = figure.legends
    assert [text.get_text().strip() for text in legend.get_texts()] == [f"{name}, both" for name in names]
    assert len({(one.get_color(), one.get_marker()) for one in figure.axes[0].lines}) == 25
