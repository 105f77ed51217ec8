"""What a run tells at its end: the table on the screen, and `metrics.json`."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from fashionmt.data.prepare import PreparedData


class Screen(Console):
    """stdout. Who reads it may leave before the end, as `head` does: that is an error as any other, where rich's own
    ends the command with 1."""

    def on_broken_pipe(self) -> None:
        """The reader is gone."""
        raise BrokenPipeError


def print_data(data: "PreparedData") -> None:
    """The catalogue in a few lines: sizes of the parts, and what was repaired, masked or set aside."""
    console = Console(stderr=True, highlight=False)
    parts = ", ".join(f"{len(rows)} {name}" for name, rows in data.split.parts().items())
    since = f" (from {data.split.test_since} on)" if data.split.test_since is not None else ""
    console.print(f"{len(data.ids)} items: {parts}{since}", markup=False)
    for line in data.findings.lines():
        console.print(f"  {line}", markup=False, soft_wrap=True)


def print_results(metrics: Mapping[str, Any]) -> None:
    """One row an attribute: accuracy, macro-F1, classes, items."""
    table = Table("attribute", *("accuracy", "macro-F1", "classes", "items"), title="test")
    for column in table.columns[1:]:
        column.justify = "right"
    for name, row in metrics["attributes"].items():
        scores = _share(row["accuracy"]), _share(row["macro_f1"])
        table.add_row(name, *scores, str(row["classes"]), str(row["items"]))
    table.add_section()
    table.add_row("all of them right", _share(metrics["exact_match"]), "", "", str(metrics["items"]))
    Screen(highlight=False, markup=False).print(table)  # names may hold brackets


def _share(value: float | None) -> str:
    """Of what has no label there is none."""
    return "-" if value is None else f"{value:.4f}"


def write_json(path: Path, content: Any) -> None:
    """Write all or nothing."""
    write_whole(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Write all or nothing."""
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")  # other processes may be writing it too
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
