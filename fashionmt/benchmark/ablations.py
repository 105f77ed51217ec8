"""The rows that differ from another by one choice, as their differences from it."""

from collections.abc import Sequence

from fashionmt.benchmark.cells import NONE, Table, percent, plus_minus
from fashionmt.benchmark.lines import Line
from fashionmt.benchmark.split_tables import attributes, compared_cells, compared_header, difference_cell

IN_SHORT = ("struck", "picture", "title")
"""The views of which the mean of the heads is shown."""


def ablation_tables(ablations: Sequence[Line], lines: Sequence[Line]) -> list[Table]:
    """A table for each reference among `lines`, and a note of the ablations that have none on the same items."""
    tables, placed = [], set[str]()
    for reference in lines:
        own = [line for line in ablations if line.reference == reference.name and line.fits(reference)]
        placed |= {line.name for line in own}
        if own:
            tables.append(_table(reference, own))
    alone = sorted({line.name for line in ablations} - placed)
    if alone:
        note = f"Not compared, as the row that they differ from is not finished on the same items: {', '.join(alone)}."
        tables.append(Table("", [], [], notes=[note]))
    return tables


def _table(reference: Line, ablations: Sequence[Line]) -> Table:
    names, main = attributes([reference]), reference.main_view
    short = [view for view in IN_SHORT if view in reference.views and view != main]
    figures = [*compared_header(names, reference), *(f"{view}, mean" for view in short)]
    return Table(
        f"Differences from {reference.name} ({reference.size}) under {main}, points",
        ["row", "choice", "settings changed", *figures, "impossible, %", "training, s"],
        [_reference(reference, names, short), *(_ablation(line, reference, names, short) for line in ablations)],
        names=3,
    )


def _reference(line: Line, names: Sequence[str], short: Sequence[str]) -> list[str]:
    """Its own figures, for the differences to be seen against."""
    scored = line.views[line.main_view]
    found = scored["attributes"]
    cells = [plus_minus(found[name]["accuracy"]) for name in names]
    cells.append(plus_minus(scored["exact_match"]))
    cells += [plus_minus(found[name]["accuracy_by_title"]["none"]) for name in line.first["named"]]
    for view in short:
        values = [figures["accuracy"]["value"] for figures in line.views[view]["attributes"].values()]
        known = [value for value in values if value is not None]
        cells.append(percent(sum(known) / len(known) if known else None))
    return [line.name, line.label, NONE, *cells, *_own(line)]


def _ablation(line: Line, reference: Line, names: Sequence[str], short: Sequence[str]) -> list[str]:
    main = reference.main_view
    views = [view for view in (main, *short) if view in line.views]
    found = line.against(reference, {view: view for view in views})
    cells = [
        *compared_cells(found.get(main), names, reference, difference_cell),
        *(difference_cell(found[view]["mean"]) if view in found else NONE for view in short),
    ]
    label = line.label if line.size == reference.size else f"{line.label}, {line.size}"
    # Found in what both were made with, not said by the row: an older reference may differ in more than the choice.
    changed = line.changed(reference)
    settings = "not known" if changed is None else ", ".join(changed) or NONE
    return [line.name, label, settings, *cells, *_own(line)]


def _own(line: Line) -> list[str]:
    impossible = line.views[line.main_view].get("impossible")
    return [plus_minus(impossible), line.training_seconds]
