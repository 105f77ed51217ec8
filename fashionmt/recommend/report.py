"""What a ranker's run tells: its events in a few lines, and the table of systems."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from fashionmt.recommend.source import SYNTHETIC, Source
from fashionmt.recommend.split import Targets, TimeSplit
from fashionmt.training.report import Screen

SHOWN = (
    "coverage, popularity, cold: of what is shown, the share of the catalogue, the mean share of items that fewer had, "
    "and the share of items that nobody had had"
)
COLUMNS = ("MAP", "NDCG", "Recall", "Hit", "MRR")


def print_events(source: Source, split: TimeSplit, targets: Targets) -> None:
    """What there is, and what became of the rest."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    events = source.events
    line = f"{len(events.user)} events of {len(events.users)} users on {len(source.items)} items of {source.index}"
    console.print(
        f"{line}; learned from what was before {date_text(split.validation)}, tested from {date_text(split.test)}"
    )
    for finding in source.findings.lines():
        console.print(f"  {finding}", markup=False)
    if targets.new_users or targets.repeats:
        left_out = f"{targets.new_users} users of the test have no history, {targets.repeats} events are repeats"
        console.print(f"  {left_out}: left out of the table")


def print_table(metrics: Mapping[str, Any], folder: Path) -> None:
    """One row a system; `report.md` beside the metrics has all figures."""
    k = metrics["k"]
    table = Table("system", f"NDCG@{k}, 95 %", f"MAP@{k}", "warm", "cold", title=_title(metrics), box=SIMPLE_HEAD)
    for column in table.columns:
        column.no_wrap = True
        column.justify = "left" if column is table.columns[0] else "right"
    for system in metrics["systems"]:
        ndcg, precision = (_interval(system["metrics"][f"{name}@{k}"], name == "NDCG") for name in ("NDCG", "MAP"))
        sides = [_interval(system[side]["Recall"], False) for side in ("warm_items", "cold_items")]
        table.add_row(system["name"], ndcg, precision, *sides)
    console = Screen(highlight=False, soft_wrap=True)
    console.print(table)
    console.print(_legend(k))
    if metrics["synthetic"]:
        console.print(f"{SYNTHETIC}.", markup=False)
    console.print(f"ranker: {folder}", markup=False)


def report_of(metrics: Mapping[str, Any]) -> str:
    """All figures in Markdown: every metric with its interval, next items, warm and cold items, lengths of history."""
    k = metrics["k"]
    systems = metrics["systems"]
    figures = [f"{name}@{k}" for name in COLUMNS]
    lengths = list(systems[0]["by_history"])
    shown = ("coverage", "popularity", "cold")
    rows = [["system", *figures, "next item NDCG", "next item Hit", "warm Recall", "cold Recall", *shown]]
    by_length = [["NDCG by length of history", *lengths]]
    for system in systems:
        cells = [_interval(system["metrics"][name], True) for name in figures]
        cells += [_interval(system["next_item"][name], True) for name in ("NDCG", "Hit")]
        cells += [_interval(system[side]["Recall"], True) for side in ("warm_items", "cold_items")]
        rows.append([system["name"], *cells, *(f"{system['shown'][name]:.3f}" for name in shown)])
        by_length.append([system["name"], *(_interval(system["by_history"][name], True) for name in lengths)])
    parts = [f"# {_title(metrics)}", _markdown(rows), _legend(k), _markdown(by_length)]
    return "\n\n".join([*parts, SHOWN, *([f"{SYNTHETIC}."] if metrics["synthetic"] else [])]) + "\n"


def _title(metrics: Mapping[str, Any]) -> str:
    made_up = "SYNTHETIC people: " if metrics["synthetic"] else ""
    return f"{made_up}{metrics['users']} users, the whole catalogue ranked, seen items out"


def _legend(k: int) -> str:
    return f"warm, cold: Recall@{k} of items that someone, or nobody, had had; an oracle knows the made-up people"


def _markdown(rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([lines[0], "| --- |" + " ---: |" * (len(rows[0]) - 1), *lines[1:]])


def date_text(seconds: float) -> str:
    """The day, UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _interval(estimate: Mapping[str, Any], whole: bool) -> str:
    if estimate["value"] is None:
        return "-"
    value = f"{estimate['value']:.3f}"
    if not whole or estimate["low"] is None:
        return value
    return f"{value} [{estimate['low']:.3f}, {estimate['high']:.3f}]"
