"""The rows that differ from another by one choice, as their differences from it."""

from collections.abc import Sequence

from fashionmt.benchmark.cells import NONE, Table, difference, percent, plus_minus
from fashionmt.benchmark.lines import Line
from fashionmt.benchmark.split_tables import attributes

IN_SHORT = ("struck", "picture")
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
    names = attributes([reference])
    main = reference.main_view
    short = [view for view in IN_SHORT if view in reference.views and view != main]
    header = ["row", "choice", "size", *names, "all right", *(f"{view}, mean" for view in short), "training, s"]
    return Table(
        f"Differences from {reference.name} under {main}, points",
        header,
        [_reference(reference, names, short), *(_ablation(line, reference, names, short) for line in ablations)],
        names=3,
    )


def _reference(line: Line, names: Sequence[str], short: Sequence[str]) -> list[str]:
    """Its own figures, for the differences to be seen against."""
    scored = line.views[line.main_view]
    cells = [plus_minus(scored["attributes"][name]["accuracy"]) for name in names]
    cells.append(plus_minus(scored["exact_match"]))
    for view in short:
        values = [figures["accuracy"]["value"] for figures in line.views[view]["attributes"].values()]
        known = [value for value in values if value is not None]
        cells.append(percent(sum(known) / len(known) if known else None))
    return [line.name, line.label, line.size, *cells, _seconds(line)]


def _ablation(line: Line, reference: Line, names: Sequence[str], short: Sequence[str]) -> list[str]:
    views = [view for view in (reference.main_view, *short) if view in line.views]
    found = line.against(reference, {view: view for view in views})
    main = found.get(reference.main_view, {"attributes": {}, "exact_match": None})
    compared = [*(main["attributes"].get(name) for name in names), main["exact_match"]]
    compared += [found[view]["mean"] if view in found else None for view in short]
    cells = [NONE if figures is None else difference(figures["difference"]) for figures in compared]
    return [line.name, line.label, line.size, *cells, _seconds(line)]


def _seconds(line: Line) -> str:
    seconds = [row.result["seconds"]["training"] for row in line.rows]
    return f"{sum(seconds) / len(seconds):.0f}"
