"""The tables show what was measured, at the size it was measured at, and nothing of the data becomes markup."""

import json
import math
import re
import runpy
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up import CLASSES, ITEMS, SURE, WriteRow

from fashionmt.benchmark.cells import difference
from fashionmt.benchmark.page import LEFT, WIDE
from fashionmt.benchmark.table import write_tables
from fashionmt.config import TrainConfig
from fashionmt.hydra_bridge import to_yaml

NASTY = '<script>alert("1")</script> | & $x_1$'


def estimate(value: float, half: float | None = 0.01, items: int = 100) -> dict[str, Any]:
    low, high = (None, None) if half is None else (value - half, value + half)
    return {"value": value, "low": low, "high": high, "items": items}


def result(row: str, **changes: Any) -> dict[str, Any]:
    """What a row writes, of one attribute and one view."""
    kind = changes.pop("kind", "family")
    accuracy = changes.pop("accuracy", estimate(0.9))
    parts = {name: estimate(0.5) for name in ("own", "other", "none", "not_own")}
    scored = {
        "accuracy": accuracy,
        "macro_f1": estimate(0.7, 0.02),
        "accuracy_by_title": parts,
        "calibration_error": None,
    }
    view = {
        "items": 100,
        "groups": 80,
        "attributes": {"colour": scored},
        "exact_match": estimate(0.6),
        "exact_match_without": {"without": [], **estimate(0.6)},
    }
    return {
        "format": 1,
        "row": row,
        "system": row,
        "baseline": None,
        "reads": ["text"],
        "data": "shop",
        "data_fingerprint": "",
        "split": {"kind": kind, "block_size": 500, "seed": 0},
        "size": {"train": 700, "validation": 10, "test": 100, "limit_items": None, "epochs": 3},
        "seed": 0,
        "named": [],
        "seconds": {"training": 61.2, "resumed": False, "evaluation": 2.0},
        "views": {"title": view},
    } | changes


def write(folder: Path, *rows: dict[str, Any]) -> tuple[str, str]:
    """(table.md, table.html) of these rows."""
    for number, row in enumerate(rows):
        (folder / str(number)).mkdir()
        (folder / f"{number}/benchmark.json").write_text(json.dumps(row))
    markdown, page = write_tables(folder)
    return markdown.read_text(), page.read_text()


def table(markdown: str, section: str, title: str) -> list[list[str]]:
    """The cells of a table, its header first."""
    part = markdown.split(f"## {section}\n")[1].split("\n## ")[0].split(f"### {title}\n\n")[1].split("\n\n")[0]
    lines = [line.strip("| ").split(" | ") for line in part.strip().splitlines()]
    return [lines[0], *lines[2:]]


def test_a_row_shows_figures_intervals_items_and_size(tmp_path: Path) -> None:
    markdown, _ = write(tmp_path, result("net", named=["colour"]))
    header, row = table(markdown, "shop, family split", "Accuracy, %")
    cells = dict(zip(header, row, strict=True))
    assert cells == {
        "view": "title",
        "system": "net",
        "size": "700 rows, 3 epochs",
        "items": "100",
        "colour": "90.0 ±1.0",
        "all right": "60.0 ±1.0",
        "impossible": "-",
    }
    by_title = table(markdown, "shop, family split", "Accuracy by what the title names, %")
    assert by_title[0][3:] == ["colour, named", "colour, not named", "colour, none named"]
    assert by_title[1][3:] == ["50.0 ±1.0"] * 3
    assert table(markdown, "shop, family split", "Macro-F1, %")[1][-1] == "70.0 (68.0 to 72.0)"
    assert "calibration" not in markdown


def test_a_smaller_size_another_seed_and_a_resumed_run_are_told(tmp_path: Path) -> None:
    size = {"train": 50, "validation": 5, "test": 20, "limit_items": 75, "epochs": 1}
    seconds = {"training": 9.0, "resumed": True, "evaluation": 1.0}
    markdown, _ = write(tmp_path, result("net", size=size, seed=2, seconds=seconds))
    row = table(markdown, "shop, family split", "Accuracy, %")[1]
    assert row[1:3] == ["net, seed 2", "50 rows (of a subset), 1 epoch"]
    assert table(markdown, "shop, family split", "Size and cost")[1][-2:] == ["≥ 9", "1"]


def test_baselines_come_first_and_each_split_is_a_section(tmp_path: Path) -> None:
    rows = [
        result("a net"),
        result("rule", baseline="words"),
        result("linear", baseline="linear"),
        result("later", kind="time"),
        result("dealt", kind="random"),
        result("blocks", kind="block"),
    ]
    markdown, _ = write(tmp_path, *rows)
    sections = re.findall(r"^## (.*)", markdown, re.MULTILINE)
    assert sections == [
        "shop, random split",
        "shop, family split",
        "shop, block split, 500 ids",
        "shop, time split",
    ]
    assert [row[1] for row in table(markdown, "shop, family split", "Accuracy, %")[1:]] == ["rule", "linear", "a net"]


def test_what_could_not_be_measured_is_a_dash(tmp_path: Path) -> None:
    none = {"value": None, "low": None, "high": None, "items": 0}
    markdown, _ = write(tmp_path, result("a", accuracy=none), result("b", accuracy=estimate(0.5, None)))
    assert [row[4] for row in table(markdown, "shop, family split", "Accuracy, %")[1:]] == ["-", "50.0"]


def test_a_row_that_failed_is_named_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x/failed.json").write_text(json.dumps({"row": "x", "reason": f"no {NASTY}"}))
    markdown, page = write(tmp_path, result("net"))
    assert "| x | no &lt;script&gt;" in markdown
    assert "no &lt;script&gt;" in page


class Scripts(HTMLParser):
    """Collects the tags of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.links += [f"{name}={value}" for name, value in attrs if name in ("src", "href")]


def test_nothing_of_the_data_becomes_markup_and_the_page_needs_no_other_file(tmp_path: Path) -> None:
    nasty = result(NASTY, data=NASTY, system=NASTY)
    nasty["views"]["title"]["attributes"] = {NASTY: nasty["views"]["title"]["attributes"]["colour"]}
    markdown, page = write(tmp_path, nasty)
    parser = Scripts()
    parser.feed(page)
    assert "script" not in parser.tags
    assert {"svg", "table"} <= parser.tags
    assert parser.links == []
    assert "<script" not in markdown
    assert r"\| &amp; $x_1$" in markdown


def drawings(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]


def test_each_attribute_is_drawn_with_its_intervals_in_place(tmp_path: Path) -> None:
    """From an error of 0.3 to one of 0.1: their logarithms are an axis apart."""
    _, page = write(tmp_path, result("a", accuracy=estimate(0.75, 0.05)), result("b", accuracy=estimate(0.9, None)))
    (drawing,) = drawings(page)
    assert [float(dot.attrib["cx"]) for dot in drawing.iter("circle")] == pytest.approx(
        [LEFT + WIDE * math.log(0.3 / 0.25) / math.log(3), LEFT + WIDE], abs=0.1
    )
    bars = [line for line in drawing.iter("line") if "stroke" in line.attrib]
    places = [LEFT, LEFT + WIDE * math.log(0.3 / 0.2) / math.log(3)]
    assert [float(bars[0].attrib[x]) for x in ("x1", "x2")] == pytest.approx(places, abs=0.1)
    assert bars[1].attrib["x1"] == bars[1].attrib["x2"]
    told = [text.text for text in drawing.iter("text")]
    assert {"colour", "title: a", "75.0", "title: b", "90.0", "70", "80"} <= set(told)


@pytest.mark.parametrize("value", [0.0, 0.5, 0.9996, 1.0])
def test_any_share_has_a_place_on_the_axis(tmp_path: Path, value: float) -> None:
    _, page = write(tmp_path, result("a", accuracy=estimate(value, None)), result("b", accuracy=estimate(value, None)))
    places = [float(dot.attrib["cx"]) for dot in drawings(page)[0].iter("circle")]
    assert places[0] == places[1]
    assert LEFT <= places[0] <= LEFT + WIDE


def test_a_label_that_is_too_long_is_cut_and_told_in_full_beside_it(tmp_path: Path) -> None:
    _, page = write(tmp_path, result("net", system="n" * 200))
    (label,) = [text for text in drawings(page)[0].iter("text") if str(text.text).startswith("title: n")]
    assert str(label.text).endswith("n…")
    assert len(str(label.text)) < 60
    assert [title.text for title in label.iter("title")] == [f"title: {'n' * 200}"]


def test_a_system_of_several_splits_is_drawn_by_split(tmp_path: Path) -> None:
    rows = [result("a", system="net"), result("b", system="net", kind="time"), result("c")]
    _, page = write(tmp_path, *rows)
    by_split = page.split("By split")[1]
    told = [text.text for text in drawings(by_split)[0].iter("text")]
    assert {"family, title: net, 3 epochs, shop", "time, title: net, 3 epochs, shop"} <= set(told)
    assert not any(": c" in str(text) for text in told)


@pytest.mark.parametrize(
    "changes",
    [
        {"data": "another shop"},
        {"size": {"train": 700, "validation": 10, "test": 100, "limit_items": None, "epochs": 9}},
        {"size": {"train": 70, "validation": 10, "test": 10, "limit_items": 90, "epochs": 3}},
    ],
)
def test_what_differs_in_more_than_its_split_is_not_drawn_by_split(tmp_path: Path, changes: dict[str, Any]) -> None:
    _, page = write(tmp_path, result("a", system="net"), result("b", system="net", kind="time", **changes))
    assert "By split" not in page


FAMILY = "shop, family split"
THRESHOLDS = {
    "heads": {name: {"target_accuracy": 0.9, "confidence": 0.3} for name in CLASSES},
    "item": {"target_accuracy": 0.75, "confidence": None},
}


def rendered(folder: Path) -> str:
    return write_tables(folder)[0].read_text()


def share_right(folder: Path, name: str, view: str) -> float:
    found = pd.read_parquet(folder / "predictions.parquet").query("view == @view")
    return float((found[f"{name}.true"] == found[f"{name}.answered"]).mean())


def number(cell: str) -> float:
    return float(cell.strip("*").split(" ")[0])


def test_models_are_set_against_the_linear_model_of_the_same_items(write_row: WriteRow, tmp_path: Path) -> None:
    linear = write_row("linear", ("title", "struck"), 0.5, baseline="linear", system="TF-IDF + LinearSVC")
    net = write_row("net", ("picture", "title", "both", "struck"), 0.95, seed=1)
    write_row("small", right=0.9, data_fingerprint="of a subset")
    write_row("pictures", ("picture",))
    markdown = rendered(tmp_path)
    header, *rows = table(markdown, FAMILY, "Against TF-IDF + LinearSVC: accuracy, points")
    assert header == ["view", "system", "size", "items", "colour", "kind", "all right", "colour, none named"]
    assert [row[:2] for row in rows] == [["both", "net, seed 1"], ["title", "net, seed 1"]]
    fewer = table(markdown, FAMILY, "Against TF-IDF + LinearSVC: fewer errors, %")[1:]
    for row, other in zip(rows, fewer, strict=True):
        for name, cell, errors in zip(CLASSES, row[4:], other[4:], strict=False):
            ours, theirs = share_right(net, name, row[0]), share_right(linear, name, "title")
            assert number(cell) == pytest.approx(100 * (ours - theirs), abs=0.05)
            assert number(errors) == pytest.approx(100 * (1 - (1 - ours) / (1 - theirs)), abs=0.5)
            assert re.fullmatch(r"\*\*\+.* to .*\)\*\*", cell)
            assert errors.startswith("**")
    assert "LinearSVC answered the same items: small (700 rows, 3 epochs)." in markdown


def test_without_a_linear_model_there_is_a_note_and_no_table(write_row: WriteRow, tmp_path: Path) -> None:
    write_row("net")
    markdown = rendered(tmp_path)
    assert "answered the same items: net" in markdown
    assert "| view | system | size | items | colour | kind | all right |\n" not in markdown


@pytest.mark.parametrize(
    ("low", "high", "strong"), [(0.01, 0.03, True), (-0.03, -0.01, True), (-0.01, 0.03, False), (0.0, 0.02, False)]
)
def test_a_difference_stands_out_where_its_interval_leaves_out_0(low: float, high: float, strong: bool) -> None:
    told = difference({"value": (low + high) / 2, "low": low, "high": high})
    assert (type(told) is not str) == strong
    assert told[0] in "+-"


def test_ablations_stand_apart_as_differences_from_their_reference(write_row: WriteRow, tmp_path: Path) -> None:
    views = ("picture", "both", "struck")
    full = write_row("ablation_full", views, 0.9, system="full recipe")
    less = write_row("ablation_less", views, 0.5, seed=1, reference="ablation_full", system="less of it")
    write_row("ablation_lost", views, reference="ablation_full", data_fingerprint="b")
    write_row("ablation_odd", views, reference="none such")
    markdown = rendered(tmp_path)
    title = "Differences from ablation_full (700 rows, 3 epochs) under both, points"
    header, reference, row = table(markdown, f"Ablations: {FAMILY}", title)
    assert header[:7] == ["row", "choice", "settings changed", *CLASSES, "all right", "colour, none named"]
    assert header[7:] == ["struck, mean", "picture, mean", "impossible, %", "training, s"]
    assert reference[:3] == ["ablation_full", "full recipe", "-"]
    assert number(reference[3]) == pytest.approx(100 * share_right(full, "colour", "both"), abs=0.05)
    assert row[:3] == ["ablation_less", "less of it, seed 1", "not known"]
    for name, cell in zip(CLASSES, row[3:], strict=False):
        expected = share_right(less, name, "both") - share_right(full, name, "both")
        assert number(cell) == pytest.approx(100 * expected, abs=0.05)
    for view, place in {"struck": 7, "picture": 8}.items():
        means = [np.mean([share_right(folder, name, view) for name in CLASSES]) for folder in (less, full)]
        assert number(row[place]) == pytest.approx(100 * (means[0] - means[1]), abs=0.05)
        assert number(reference[place]) == pytest.approx(100 * means[1], abs=0.05)
    assert "not finished on the same items: ablation_lost, ablation_odd." in markdown
    systems = {row[1] for row in table(markdown, FAMILY, "Accuracy, %")[1:]}
    assert systems == {"full recipe"}


def test_what_an_ablation_changed_is_read_from_what_both_were_made_with(
    write_row: WriteRow, compose: Callable[..., TrainConfig], tmp_path: Path
) -> None:
    made_with = {
        "ablation_full": (),
        "ablation_plain": ("loss.label_smoothing=0.5", "trainer.accelerator=auto"),
        "ablation_of_old": ("loss.label_smoothing=0.5", "optim.batch_size=32"),
        "ablation_same": ("benchmark.system=other",),
        "ablation_unread": (),
    }
    for name, overrides in made_with.items():
        folder = write_row(name, ("both",), reference=None if name == "ablation_full" else "ablation_full")
        (folder / "config.yaml").write_text(to_yaml(compose(*overrides)))
    with (tmp_path / "ablation_unread/config.yaml").open("a") as file:
        file.write("a_setting_that_is_no_more: 1\n")
    title = "Differences from ablation_full (700 rows, 3 epochs) under both, points"
    changed = {row[0]: row[2] for row in table(rendered(tmp_path), f"Ablations: {FAMILY}", title)[1:]}
    assert changed == {
        "ablation_full": "-",
        "ablation_plain": "loss.label_smoothing",
        "ablation_of_old": "loss.label_smoothing, optim.batch_size",
        "ablation_same": "-",
        "ablation_unread": "not known",
    }


def test_thresholds_are_shown_with_what_they_keep_of_their_promise(write_row: WriteRow, tmp_path: Path) -> None:
    folder = write_row("net", ("picture", "both"), thresholds=THRESHOLDS)
    write_row("linear", baseline="linear")
    markdown = rendered(tmp_path)
    header, alone, row = table(markdown, FAMILY, "Accepted at the threshold, % of items")
    assert header == ["view", "system", "size", *CLASSES, "item"]
    found = pd.read_parquet(folder / "predictions.parquet").query("view == 'both'")
    accepted = found[found["colour.confidence"] >= SURE]
    assert [alone[:2], row[:2]] == [["picture", "net"], ["both", "net"]]
    assert number(row[3]) == pytest.approx(100 * len(accepted) / ITEMS, abs=0.05)
    assert row[5] == "0.0 ±0.0"
    *_, right = table(markdown, FAMILY, "Right among the accepted, % (stated)")
    share = (accepted["colour.true"] == accepted["colour.answered"]).mean()
    assert number(right[3]) == pytest.approx(100 * share, abs=0.05)
    assert right[3].endswith(" (90)")
    assert right[5] == "- (75)"


def test_weighted_figures_and_impossible_answers_have_their_places(write_row: WriteRow, tmp_path: Path) -> None:
    folder = write_row("net")
    markdown = rendered(tmp_path)
    found = pd.read_parquet(folder / "predictions.parquet")
    header, row = table(markdown, FAMILY, "Accuracy, %")
    assert number(dict(zip(header, row, strict=True))["impossible"]) == pytest.approx(
        100 * (1 - found["possible"].astype(float).mean()), abs=0.05
    )
    (_, row) = table(markdown, FAMILY, "Precision / recall / F1, weighted by class, %")
    assert number(row[3].split(" / ")[1]) == pytest.approx(100 * share_right(folder, "colour", "title"), abs=0.05)


def test_seeds_have_one_line_and_their_spread_a_table(write_row: WriteRow, tmp_path: Path) -> None:
    folders = [write_row("net", right=right, seed=seed) for seed, right in enumerate((0.5, 0.7, 0.9))]
    write_row("alone")
    markdown = rendered(tmp_path)
    assert [row[1] for row in table(markdown, FAMILY, "Accuracy, %")[1:]] == ["alone", "net, mean of 3 seeds"]
    (_, row) = table(markdown, FAMILY, "Standard deviation of accuracy over seeds, points")
    rights = [share_right(folder, "colour", "title") for folder in folders]
    assert number(row[3]) == pytest.approx(100 * np.std(rights, ddof=1), abs=0.05)
    cost = table(markdown, FAMILY, "Size and cost")[2]
    assert cost[:3] == ["net", "net", "0 1 2"]
    assert cost[-2:] == ["61", "2"]


def test_no_row_at_all_is_a_table_all_the_same(tmp_path: Path) -> None:
    markdown, page = write(tmp_path)
    assert markdown.startswith("# Benchmark")
    assert "</html>" in page


def test_the_module_renders_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    markdown, page = write(tmp_path, result("net"))
    for path in (tmp_path / "table.md", tmp_path / "table.html"):
        path.unlink()
    monkeypatch.setattr(sys, "argv", ["fashionmt.benchmark", str(tmp_path)])
    runpy.run_module("fashionmt.benchmark", run_name="__main__")
    assert ((tmp_path / "table.md").read_text(), (tmp_path / "table.html").read_text()) == (markdown, page)
    monkeypatch.setattr(sys, "argv", ["fashionmt.benchmark", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit, match="2"):
        runpy.run_module("fashionmt.benchmark", run_name="__main__")


def test_a_system_of_two_sizes_has_a_learning_curve_on_the_page(tmp_path: Path) -> None:
    size = {"train": 50, "validation": 5, "test": 20, "limit_items": 75, "epochs": 3}
    markdown, page = write(tmp_path, result("net"), result("net2", system="net", size=size))
    assert "By training rows: shop, family split" in page
    assert page.count("errors against training rows") == 1
    assert "By training rows" not in markdown


def test_rows_of_other_items_are_named(write_row: WriteRow, tmp_path: Path) -> None:
    """A catalogue that has grown between two rows of one folder; a subset is told by its size."""
    write_row("net")
    size = {"train": 70, "validation": 10, "test": 60, "limit_items": 80, "epochs": 3}
    write_row("net_small", data_fingerprint="c", size=size)
    assert "Of other items" not in rendered(tmp_path)
    write_row("older", data_fingerprint="b")
    assert "Of other items than the rows above, or split otherwise: older." in rendered(tmp_path)


def test_each_linear_model_is_called_as_it_is(write_row: WriteRow, tmp_path: Path) -> None:
    write_row("net")
    write_row("linear", baseline="linear", system="linear + year")
    assert table(rendered(tmp_path), FAMILY, "Against linear + year: accuracy, points")[1][1] == "net"


def test_the_seconds_of_a_resumed_ablation_are_a_least(write_row: WriteRow, tmp_path: Path) -> None:
    write_row("full")
    write_row("plain", reference="full", seconds={"training": 5.0, "resumed": True, "evaluation": 1.0})
    title = "Differences from full (700 rows, 3 epochs) under title, points"
    rows = table(rendered(tmp_path), "Ablations: shop, family split", title)
    assert [row[-1] for row in rows] == ["training, s", "60", "≥ 5"]
