"""All rows of the benchmark as tables: `table.md`, and `table.html` with plots. No system is run here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from markupsafe import Markup

from fashionmt.benchmark.ablations import ablation_tables
from fashionmt.benchmark.cells import Table, markdown, one_line
from fashionmt.benchmark.folder import read_failures
from fashionmt.benchmark.learning_curve import learning_curve
from fashionmt.benchmark.lines import Line, read_lines
from fashionmt.benchmark.page import Panel, by_split, by_view, render_page
from fashionmt.benchmark.split_tables import split_tables
from fashionmt.config import BASELINES
from fashionmt.training.report import write_whole

SPLITS = ("random", "family", "block", "time")
NOTES = (
    "Accuracy in percent, ± half the width of its 95 % interval; macro-F1 in percent, with its interval. Intervals are "
    "by the percentile bootstrap over whole families of test items, or blocks where the split deals blocks; those of "
    "macro-F1 count a class that a draw misses as 0, and are moved so that the mean of the draws is the figure. 0 and "
    "100 have no width in such an interval.",
    "The interval of one training holds the spread of its items alone, and another seed moves the figure too. That of "
    "a mean over seeds holds both: each draw takes items, and S of the S seeds with replacement, the deviation that "
    "these make stretched by the root of S / (S - 1). Of two or three seeds that is rough; their standard deviation "
    "stands in a table of its own.",
    "Views: picture or title alone; both: all there is; struck: all there is, less the words of every label in the "
    "title. A system that reads titles alone is shown the title alone under struck too. Items without what a view "
    "needs are left out, and every item of a class that training could not learn is a mistake.",
    "Impossible: items answered with a combination of classes (of article type, sub and master category, or what "
    "benchmark.together names) that the training rows do not hold. A title names its label where a word of the label "
    "stands in it; it names none where no word of any label of the attribute does.",
    "Differences are paired: both systems on the same draws of the items that both answered, seeds drawn for each by "
    "itself. Bold: the 95 % interval leaves out 0, which one in twenty does by chance. The linear model is shown all "
    "that it reads, the title and perhaps other columns, whatever the other is shown.",
    "A threshold is chosen on validation for a stated accuracy, for items that show picture and title, the picture "
    "alone or the title alone, and none for struck titles, which are decided as whole ones; shown is what it "
    "accepts on test, and the accuracy of that. A weighted recall is the accuracy. Seconds are wall-clock, over "
    "seeds the mean. ≥: of a resumed run, since it was resumed.",
)


@dataclass(frozen=True)
class Section:
    """The rows of one catalogue and split."""

    title: str
    tables: list[Table]
    panels: list[Panel] = field(default_factory=list)
    curve: Markup | None = None


def write_tables(folder: Path) -> list[Path]:
    """Write `table.md` and `table.html` from the rows below `folder`; returns where."""
    lines, left_out = read_lines(folder)
    sections = _sections(sorted(lines, key=_order))
    if failures := [[row["row"], row["reason"]] for row in read_failures(folder)]:
        sections.append(Section("Rows that failed", [Table("", ["row", "reason"], failures, names=2)]))
    if left_out:
        without = [list(told) for told in sorted(left_out.items())]
        sections.append(Section("Rows left out", [Table("", ["row", "reason"], without, names=2)]))
    folder.mkdir(parents=True, exist_ok=True)
    written = {"table.md": _markdown(sections), "table.html": render_page(sections, NOTES)}
    for name, text in written.items():
        write_whole(folder / name, text)
    return [folder / name for name in written]


def _sections(lines: Sequence[Line]) -> list[Section]:
    systems = [line for line in lines if line.reference is None]
    ablations = [line for line in lines if line.reference is not None]
    sections = [Section(title, split_tables(found), by_view(found)) for title, found in _by(systems, _section_title)]
    if across := by_split(systems):
        sections.append(Section("By split", [], across))
    for title, found in _by(systems, _section_title):
        if curve := learning_curve(found):
            sections.append(Section(f"By training rows: {title}", [], curve=curve))
    for title, found in _by(ablations, _section_title):
        sections.append(Section(f"Ablations: {title}", ablation_tables(found, lines)))
    return sections


def _order(line: Line) -> tuple[Any, ...]:
    """By catalogue and split, baselines before models, whole catalogues before subsets."""
    result = line.first
    baseline = result["baseline"]
    rank = BASELINES.index(baseline) if baseline in BASELINES else len(BASELINES)
    place = result["data"], SPLITS.index(result["split"]["kind"]), _section_title(line)
    return *place, result["size"]["limit_items"] is not None, rank, result["system"], result["row"]


def _section_title(line: Line) -> str:
    split = line.first["split"]
    kind = {"block": f"block split, {split['block_size']} ids", "time": "time split"}.get(
        split["kind"], f"{split['kind']} split"
    )
    seed = f", split seed {split['seed']}" if split["seed"] else ""
    return f"{line.first['data']}, {kind}{seed}"


def _by(lines: Sequence[Line], key: Callable[[Line], str]) -> list[tuple[str, list[Line]]]:
    return [(name, list(found)) for name, found in groupby(lines, key)]


def _markdown(sections: Sequence[Section]) -> str:
    lines = ["# Benchmark", ""]
    for note in NOTES:
        lines += [note, ""]
    for section in sections:
        if section.tables:
            lines += [f"## {one_line(section.title)}", ""]
        for table in section.tables:
            lines += markdown(table)
    return "\n".join(lines)
