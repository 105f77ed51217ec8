"""All rows of the benchmark as tables: `table.md`, and `table.html` with plots. Nothing is measured here."""

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from fashionmt.benchmark.folder import read_failures, read_results
from fashionmt.benchmark.page import Panel, by_split, by_view, render_page, system_label
from fashionmt.benchmark.views import VIEWS
from fashionmt.config import BASELINES

Result = Mapping[str, Any]
"""What a row's `benchmark.json` holds."""
SPLITS = ("random", "family", "block", "time")
NONE = "-"
NOTES = (
    "Accuracy in percent, ± half the width of its 95 % interval; macro-F1 in percent, with its interval. Intervals are "
    "of the test items alone (percentile bootstrap over whole families, or blocks where the split deals blocks): each "
    "row is one training, and another seed moves a figure too. 0 and 100 have no width in such an interval.",
    "Views: picture or title alone; both: all there is; struck: all there is, less the words of every label in the "
    "title. A system that reads titles alone is shown the title alone under struck too. Items without what a view "
    "needs are left out, and every item of a class that training could not learn is a mistake.",
    "A title names its label where a word of the label stands in it; it names none where no word of any label of the "
    "attribute does.",
    "Seconds are wall-clock. ≥: of a resumed run, since it was resumed.",
)


@dataclass(frozen=True)
class Table:
    """Cells as text, all rows as long as the header."""

    title: str
    header: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Section:
    """The rows of one catalogue and split."""

    title: str
    tables: list[Table]
    panels: list[Panel] = field(default_factory=list)


def write_tables(folder: Path) -> list[Path]:
    """Write `table.md` and `table.html` from the rows below `folder`; returns where."""
    results = sorted(read_results(folder), key=_order)
    failures = [[row["row"], row["reason"]] for row in read_failures(folder)]
    sections = [Section(title, _tables(rows), by_view(rows)) for title, rows in _by(results, _section_title)]
    across = by_split(results)
    if across:
        sections.append(Section("By split", [], across))
    if failures:
        sections.append(Section("Rows that failed", [Table("", ["row", "reason"], failures)]))
    folder.mkdir(parents=True, exist_ok=True)
    written = {"table.md": _markdown(sections), "table.html": render_page(sections, NOTES)}
    for name, text in written.items():
        unfinished = folder / f"{name}.tmp"
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(folder / name)
    return [folder / name for name in written]


def _order(result: Result) -> tuple[Any, ...]:
    """By catalogue and split, baselines before models."""
    baseline = result["baseline"]
    rank = BASELINES.index(baseline) if baseline in BASELINES else len(BASELINES)
    kind = result["split"]["kind"]
    return result["data"], SPLITS.index(kind), _section_title(result), rank, result["system"], result["row"]


def _section_title(result: Result) -> str:
    split = result["split"]
    kind = {"block": f"block split, {split['block_size']} ids", "time": "time split"}.get(
        split["kind"], f"{split['kind']} split"
    )
    seed = f", split seed {split['seed']}" if split["seed"] else ""
    return f"{result['data']}, {kind}{seed}"


def _by(results: Sequence[Result], key: Callable[[Result], str]) -> list[tuple[str, list[Result]]]:
    return [(name, list(rows)) for name, rows in groupby(results, key)]


def _tables(results: Sequence[Result]) -> list[Table]:
    lines = [(view, result) for view in VIEWS for result in results if view in result["views"]]
    names = list(dict.fromkeys(name for view, result in lines for name in result["views"][view]["attributes"]))
    return [_accuracy(lines, names), _macro_f1(lines, names), *_calibration(lines, names), _cost(results)]


Lines = Sequence[tuple[str, Result]]


def _accuracy(lines: Lines, names: Sequence[str]) -> Table:
    """Every head, exact matches, and by what the title names."""
    left_out = list(dict.fromkeys(" and ".join(_scored(line)["exact_match_without"]["without"]) for line in lines))
    named = list(dict.fromkeys(name for _, result in lines for name in result["named"]))
    parts = {"own": "named", "not_own": "not named", "none": "none named"}
    header = [*names, "all right", *(f"all but {name}" for name in left_out if name)]
    header += [f"{name}, {told}" for name in named for told in parts.values()]
    rows = []
    for line in lines:
        scored = _scored(line)
        without = scored["exact_match_without"]
        cells = [_plus_minus(scored["attributes"].get(name, {}).get("accuracy")) for name in names]
        cells.append(_plus_minus(scored["exact_match"]))
        cells += [
            _plus_minus(without if " and ".join(without["without"]) == name else None) for name in left_out if name
        ]
        for name in named:
            by_title = scored["attributes"].get(name, {}).get("accuracy_by_title", {})
            cells += [_plus_minus(by_title.get(part)) for part in parts]
        rows.append([*_who(line), str(scored["items"]), *cells])
    return Table("Accuracy, %", ["view", "system", "size", "items", *header], rows)


def _macro_f1(lines: Lines, names: Sequence[str]) -> Table:
    rows = [
        [*_who(line), *(_interval(_scored(line)["attributes"].get(name, {}).get("macro_f1")) for name in names)]
        for line in lines
    ]
    return Table("Macro-F1, %", ["view", "system", "size", *names], rows)


def _calibration(lines: Lines, names: Sequence[str]) -> list[Table]:
    """Only of systems that give a confidence."""
    rows = []
    for line in lines:
        errors = [_scored(line)["attributes"].get(name, {}).get("calibration_error") for name in names]
        if any(error is not None for error in errors):
            rows.append([*_who(line), *(NONE if error is None else f"{error:.3f}" for error in errors)])
    return [Table("Expected calibration error", ["view", "system", "size", *names], rows)] if rows else []


def _cost(results: Sequence[Result]) -> Table:
    rows = []
    for result in results:
        size, seconds = result["size"], result["seconds"]
        epochs = NONE if size["epochs"] is None else str(size["epochs"])
        training = f"{'≥ ' if seconds['resumed'] else ''}{seconds['training']:.0f}"
        parts = [str(size[name]) for name in ("train", "validation", "test")]
        rows.append([result["row"], system_label(result), *parts, epochs, training, f"{seconds['evaluation']:.0f}"])
    header = ["row", "system", "train", "validation", "test", "epochs", "training, s", "answering, s"]
    return Table("Size and cost", header, rows)


def _scored(line: tuple[str, Result]) -> Mapping[str, Any]:
    view, result = line
    scored: Mapping[str, Any] = result["views"][view]
    return scored


def _who(line: tuple[str, Result]) -> list[str]:
    view, result = line
    return [view, system_label(result), _size(result["size"])]


def _size(size: Mapping[str, Any]) -> str:
    """The size that the row was run at: never to be guessed."""
    rows = f"{size['train']} rows" + (" (of a subset)" if size["limit_items"] is not None else "")
    if size["epochs"] is None:
        return rows
    return f"{rows}, {size['epochs']} {'epoch' if size['epochs'] == 1 else 'epochs'}"


def _plus_minus(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None or estimate["value"] is None:
        return NONE
    value = f"{100 * estimate['value']:.1f}"
    return value if estimate["low"] is None else f"{value} ±{50 * (estimate['high'] - estimate['low']):.1f}"


def _interval(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None or estimate["value"] is None:
        return NONE
    value = f"{100 * estimate['value']:.1f}"
    return (
        value if estimate["low"] is None else f"{value} ({100 * estimate['low']:.1f} to {100 * estimate['high']:.1f})"
    )


def _markdown(sections: Sequence[Section]) -> str:
    lines = ["# Benchmark", ""]
    for note in NOTES:
        lines += [note, ""]
    for section in sections:
        if not section.tables:
            continue
        lines += [f"## {_cell(section.title)}", ""]
        for table in section.tables:
            lines += [f"### {_cell(table.title)}", ""] if table.title else []
            lines += [_line(table.header), _line(["---"] * len(table.header)), *map(_line, table.rows), ""]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(map(_cell, cells))} |"


def _cell(text: str) -> str:
    """Data may hold anything; a cell is one line and no markup."""
    return html.escape(" ".join(text.split()), quote=False).replace("|", "\\|")
