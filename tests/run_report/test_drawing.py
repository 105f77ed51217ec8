"""A figure is an element of the page: the page's colours, no code, every script."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from fashionmt.run_report.drawing import FAINT, INK, draw_svg, short

NAMES = ["<script>alert(1)</script>", "$\\bad{$", 'a "b" & c', "लाल कुर्ता", "أحمر", "红色连衣裙", "🧦"]


def labelled(figure: Figure) -> None:
    axes = figure.subplots()
    axes.bar(range(len(NAMES)), range(len(NAMES)), label="<b>")
    axes.set_xticks(range(len(NAMES)), NAMES)
    axes.legend()


def test_labels_are_text_whatever_they_hold() -> None:
    svg = draw_svg('of <"colour">', 5, 3, labelled)
    root = ElementTree.fromstring(svg)
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert set(NAMES) | {"<b>"} <= set(texts)
    assert root.get("aria-label") == 'of <"colour">'
    assert "<script" not in svg


def test_colours_are_the_pages_and_group_ids_are_gone() -> None:
    svg = draw_svg("a", 5, 3, labelled)
    assert "var(--ink)" in svg
    assert "var(--faint)" in svg
    assert INK not in svg
    assert FAINT not in svg
    assert not re.search(r'<g id="', svg)
    assert not re.search(r"20\d\d-\d\d-\d\d", svg)


def test_two_figures_share_no_id_and_one_figure_is_always_the_same() -> None:
    a, b = (set(re.findall(r'id="([^"]*)"', draw_svg(caption, 5, 3, labelled))) for caption in "ab")
    assert a
    assert not a & b
    assert draw_svg("a", 5, 3, labelled) == draw_svg("a", 5, 3, labelled)


@pytest.mark.parametrize(
    ("text", "line"), [("Shirt", "Shirt"), ("a\n\tb  c", "a b c"), ("x" * 30, "x" * 25 + "…"), ("a\x00b", "a b")]
)
def test_a_name_becomes_one_short_line(text: str, line: str) -> None:
    assert short(text) == line
