"""The page stands alone, runs nothing, and says something sensible whatever the data.

Most tests read its words alone, with empty figures: drawing takes longer than all else.
"""

from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup

from fashionmt.attributes import LabelSpace
from fashionmt.pages import percent
from fashionmt.run_report import Head, HeldOut, ReportContent, write_report
from fashionmt.run_report.cards import SHEET
from tests.run_report.conftest import SPACES, held_out, random_head

Make = Callable[..., ReportContent]
STUB = "<svg></svg>"
VOID = {"meta", "img", "br", "link", "input"}


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fashionmt.run_report.figures.draw_svg", lambda *_: Markup(STUB))


class Page(HTMLParser):
    """The page's texts, tags and links; fails where a tag is not closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


def written(content: ReportContent, folder: Path) -> Page:
    write_report(folder / "report.html", content)
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def with_test(content: ReportContent, **changes: Any) -> ReportContent:
    return replace(content, test=replace(content.test, **changes))


def perfect(spaces: dict[str, LabelSpace], count: int) -> dict[str, Head]:
    heads = {}
    for name, space in spaces.items():
        labels = np.arange(count) % len(space)
        heads[name] = Head(np.eye(len(space), dtype=np.float32)[labels], labels, labels)
    return heads


def test_it_is_one_file_that_reads_no_other(make_content: Make, tmp_path: Path) -> None:
    page = written(make_content(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["label_suspects.csv", "report.html"]
    assert all(link.startswith(("data:image/", "#")) or link == "label_suspects.csv" for link in page.links)
    assert "script" not in page.tags
    assert page.tags.count("svg") == 3 * len(SPACES) + 3


@pytest.mark.usefixtures("no_figures")
def test_it_shows_facts_results_and_both_sheets(make_content: Make, tmp_path: Path) -> None:
    content = make_content()
    page = written(content, tmp_path)
    assert "data drawn seed 0" in page.text
    assert "colour 50.00 % 25.00 % 4 60" in page.text
    assert "all of them right 12.50 % 60" in page.text
    mistakes = [int(head.wrong.sum()) for head in content.test.heads.values()]
    suspects = pd.read_csv(tmp_path / "label_suspects.csv")
    shown = sum(min(SHEET, count) for count in (*mistakes, *suspects["attribute"].value_counts()))
    assert page.tags.count("article") == shown
    assert set(suspects["id"].str.split("-").str[0]) == {"validation", "test"}


@pytest.mark.usefixtures("no_figures")
def test_calibration_and_acceptance_are_shown_where_they_were_measured(make_content: Make, tmp_path: Path) -> None:
    content = make_content()
    assert "accepted" not in written(content, tmp_path).text
    rows = {name: row | {"ece": 0.0123} for name, row in content.metrics["attributes"].items()}
    rows["colour"] |= {"accepted": 0.75, "accepted_accuracy": 0.99}
    rows["season"] |= {"accepted": 0.0, "accepted_accuracy": None}
    whole = {"accepted": 0.5, "accepted_accuracy": 0.875}
    text = written(replace(content, metrics={**content.metrics, "attributes": rows, "item": whole}), tmp_path).text
    assert "0.0123 75.0 % 99.00 % 4 60" in text
    assert "0.0123 0.0 % - 4 60" in text
    assert "50.0 % 87.50 % 60" in text


@pytest.mark.usefixtures("no_figures")
def test_what_one_input_alone_is_worth_is_shown(make_content: Make, tmp_path: Path) -> None:
    content = make_content()
    row = {"accuracy": 0.25, "ece": 0.0123, "accepted": 0.5, "accepted_accuracy": 0.875}
    alone = {
        "attributes": dict.fromkeys(content.metrics["attributes"], row | {"ece": None, "accepted_accuracy": None})
        | {"colour": row},
        "exact_match": 0.125,
        "item": {"accepted": 0.0, "accepted_accuracy": None},
        "items": 59,
    }
    text = written(replace(content, metrics={**content.metrics, "alone": {"image": alone}}), tmp_path).text
    assert "an item that has nothing else: 59 test items" in text
    assert "By the title alone" not in text
    assert "colour 25.00 % 0.0123 50.0 % 87.50 %" in text
    assert "season 25.00 % 50.0 % -" in text


EVIL = ['<script>alert("x")</script>', "</svg><img src=x onerror=alert(1)>", "{{ 7 * 7 }}", "$\\bad{$", "&amp;"]


def test_nothing_from_the_data_is_markup(make_content: Make, tmp_path: Path) -> None:
    space = LabelSpace("<i>colour</i>", tuple(EVIL), ("<script>plum</script>",))
    content = make_content({space.attribute: space})
    titles = [EVIL[i % 5] for i in range(60)]
    content = with_test(content, titles=titles, ids=titles)
    content = replace(content, facts={"<script>": "<script>"}, title="<script>")
    page = written(content, tmp_path)
    assert not {"script", "i"} & set(page.tags)
    assert all(text in page.text for text in (*EVIL, space.attribute, space.unlearned[0]))


@pytest.mark.usefixtures("no_figures")
def test_every_script_shows(make_content: Make, tmp_path: Path) -> None:
    names = ("लाल", "أحمر", "红色", "🧦")
    space = LabelSpace("रंग", names)
    titles = [f"{names[i % 4]} 👗 Ünïcödé" for i in range(60)]
    content = with_test(make_content({"रंग": space}), titles=titles)
    page = written(content, tmp_path)
    assert all(text in page.text for text in (*names, titles[0], "रंग"))


@pytest.mark.parametrize("classes", [2, 3])
def test_one_small_head_is_enough(make_content: Make, tmp_path: Path, classes: int) -> None:
    space = LabelSpace("type", ("shoe", "shirt", "hat")[:classes])
    page = written(make_content({"type": space}), tmp_path)
    assert f"{classes} classes learned" in page.text
    assert "all heads" not in page.text


@pytest.mark.usefixtures("no_figures")
def test_without_pictures_the_sheets_have_none(make_content: Make, tmp_path: Path) -> None:
    content = make_content()
    parts = {name: replace(getattr(content, name), picture=lambda _: None) for name in ("validation", "test")}
    page = written(replace(content, **parts), tmp_path)
    assert "img" not in page.tags
    assert page.tags.count("article") > 10


@pytest.mark.usefixtures("no_figures")
def test_without_titles_the_sheets_say_so(make_content: Make, tmp_path: Path) -> None:
    assert "no title" in written(with_test(make_content(), titles=[None] * 60), tmp_path).text


@pytest.mark.usefixtures("no_figures")
def test_no_mistakes_at_all(make_content: Make, tmp_path: Path) -> None:
    parts: dict[str, HeldOut] = {name: held_out(name, perfect(SPACES, 60)) for name in ("validation", "test")}
    page = written(make_content(**parts), tmp_path)
    assert page.text.count("No mistakes among 60 items.") == 2
    assert page.text.count("No label is suspect.") == 2
    assert "article" not in page.tags
    assert len((tmp_path / "label_suspects.csv").read_text(encoding="utf-8").splitlines()) == 1


@pytest.mark.usefixtures("no_figures")
def test_a_class_that_is_never_answered_is_named(make_content: Make, tmp_path: Path) -> None:
    heads = perfect(SPACES, 60)
    colour = heads["colour"]
    heads["colour"] = replace(colour, answers=np.where(colour.answers == 2, 1, colour.answers))
    page = written(with_test(make_content(), heads=heads), tmp_path)
    assert "Never answered, although test has items of them: red (15)." in page.text


@pytest.mark.usefixtures("no_figures")
def test_a_head_without_labels(make_content: Make, tmp_path: Path) -> None:
    content = make_content()
    unlabelled = replace(content.test.heads["season"], labels=np.full(60, -1))
    figures = content.metrics["attributes"]
    none = figures["season"] | {"accuracy": None, "macro_f1": None, "ece": None, "items": 0}
    shown = replace(content, metrics=content.metrics | {"attributes": figures | {"season": none}})
    page = written(with_test(shown, heads=content.test.heads | {"season": unlabelled}), tmp_path)
    assert page.text.count("No test item has a label.") == 2


@pytest.mark.usefixtures("no_figures")
def test_no_epochs_make_no_curves(make_content: Make, tmp_path: Path) -> None:
    assert "No epoch was logged" in written(make_content(epochs=pd.DataFrame()), tmp_path).text


@pytest.mark.usefixtures("no_figures")
def test_few_items_make_no_map(make_content: Make, tmp_path: Path) -> None:
    assert "No map: too few test items" in written(make_content(items=5), tmp_path).text


def test_numbers_that_could_not_be_computed_are_dashes() -> None:
    assert [percent(value) for value in (0.1234, float("nan"), None)] == ["12.3\u00a0%", "-", "-"]


@pytest.mark.usefixtures("no_figures")
def test_twelve_thousand_items_make_a_file_that_opens_quickly(make_content: Make, tmp_path: Path) -> None:
    """Pictures of noise are the largest; one head of six may take a sixth of 5 MB."""
    space = LabelSpace("type", tuple(f"class {i}" for i in range(140)))
    content = make_content({"type": space}, items=12_000)
    written(content, tmp_path)
    assert (tmp_path / "report.html").stat().st_size < 5_000_000 / 6


@pytest.mark.usefixtures("no_figures")
def test_a_failure_leaves_the_old_report(make_content: Make, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old")
    content = make_content()
    heads = {"colour": random_head(SPACES["colour"], 60)}  # season is missing
    with pytest.raises(KeyError):
        write_report(tmp_path / "report.html", with_test(content, heads=heads))
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]
