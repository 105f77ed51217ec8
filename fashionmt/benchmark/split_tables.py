"""The tables of one catalogue and split."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fashionmt.benchmark.cells import NONE, Strong, Table, difference, interval, percent, plus_minus
from fashionmt.benchmark.compare import comparable
from fashionmt.benchmark.lines import Line
from fashionmt.benchmark.views import VIEWS

PARTS = {"own": "named", "not_own": "not named", "none": "none named"}
"""Part of the items -> what the table calls it."""
COMPARED = ("both", "title")
"""The views of a model that are set against all that the linear one reads."""
LINEAR = "TF-IDF + LinearSVC"
WHO = ["view", "system", "size"]


def split_tables(lines: Sequence[Line]) -> list[Table]:
    """What there is to say of these lines, in order."""
    shown = [(view, line) for view in VIEWS for line in lines if view in line.views]
    names = attributes([line for _, line in shown])
    tables = [
        _accuracy(shown, names),
        *_against_linear(lines, names),
        _by_title(shown),
        _macro_f1(shown, names),
        _weighted(shown, names),
        _calibration(shown, names),
        *_accepted(lines, names),
        _spread(shown, names),
        _cost(lines),
    ]
    return [table for table in tables if table.rows or table.notes]


def attributes(lines: Sequence[Line]) -> list[str]:
    """Those of any line, in order."""
    return list(
        dict.fromkeys(name for line in lines for scored in line.views.values() for name in scored["attributes"])
    )


Shown = Sequence[tuple[str, Line]]
"""A line under each of its views."""


def _accuracy(shown: Shown, names: Sequence[str]) -> Table:
    """Every head, and items as a whole."""
    left_out = list(dict.fromkeys(_left_out(line.views[view]) for view, line in shown))
    header = [*names, "all right", *(f"all but {name}" for name in left_out if name), "impossible"]
    rows = []
    for view, line in shown:
        scored = line.views[view]
        cells = [plus_minus(_figure(scored, name, "accuracy")) for name in names]
        cells.append(plus_minus(scored["exact_match"]))
        cells += [
            plus_minus(scored["exact_match_without"] if _left_out(scored) == name else None)
            for name in left_out
            if name
        ]
        cells.append(plus_minus(scored.get("impossible")))
        rows.append([*_who(view, line), str(scored["items"]), *cells])
    told = _other_items([line for _, line in shown])
    return Table("Accuracy, %", [*WHO, "items", *header], rows, len(WHO), told)


def _other_items(lines: Sequence[Line]) -> list[str]:
    """A note of those that answered other items than lines of the same limit before them: the catalogue, or how it was
    split, has changed between them."""
    first: dict[int | None, Line] = {}
    for line in lines:
        first.setdefault(line.first["size"]["limit_items"], line)
    others = [line for line in lines if not comparable(line.first, first[line.first["size"]["limit_items"]].first)]
    names = ", ".join(dict.fromkeys(line.name for line in others))
    return [f"Of other items than the rows above, or split otherwise: {names}."] if names else []


def _left_out(scored: Mapping[str, Any]) -> str:
    return " and ".join(scored["exact_match_without"]["without"])


def _against_linear(lines: Sequence[Line], names: Sequence[str]) -> list[Table]:
    """Each model's paired differences, and how many of the linear model's errors it does without; two tables for each
    linear model, which may read more than the title."""
    linear = [line for line in lines if line.first["baseline"] == "linear"]
    compared: dict[str, list[tuple[str, Line, Mapping[str, Any]]]] = {}
    alone = []
    for line in lines:
        if line.first["baseline"] is not None or not any(view in line.views for view in COMPARED):
            continue
        fitting = next((other for other in linear if line.fits(other)), None)
        if fitting is None:
            alone.append(f"{line.label} ({line.size})")
        else:
            # A title alone is not set against a title and other columns.
            fair = ("both",) if fitting.main_view == "both" else COMPARED
            views = dict.fromkeys((view for view in fair if view in line.views), fitting.main_view)
            found = line.against(fitting, views).items()
            compared.setdefault(fitting.label, []).extend((view, line, figures) for view, figures in found)
    header = [*WHO, "items", *compared_header(names, lines[0])]
    tables = []
    for linear_label, rows in compared.items():
        rows.sort(key=lambda row: COMPARED.index(row[0]))
        for told, cell in (("accuracy, points", difference_cell), ("fewer errors, %", _fewer_errors)):
            cells = [
                [*_who(view, line), str(found["items"]), *compared_cells(found, names, lines[0], cell)]
                for view, line, found in rows
            ]
            tables.append(Table(f"Against {linear_label}: {told}", header, cells, len(WHO)))
    if alone:
        note = f"Not compared, as no {LINEAR} answered the same items: {'; '.join(alone)}."
        tables.append(Table("", [], [], notes=[note]))
    return tables


def compared_header(names: Sequence[str], shown: Line) -> list[str]:
    """Above `compared_cells`: every head, exact match, and heads where the title names none, of those that `shown`
    has it of."""
    return [*names, "all right", *(f"{name}, none named" for name in shown.first["named"])]


def compared_cells(
    found: Mapping[str, Any] | None, names: Sequence[str], shown: Line, cell: Callable[[Mapping[str, Any]], str]
) -> list[str]:
    """What `compare.all_differences` found, each by `cell`."""
    if found is None:
        return [NONE] * len(compared_header(names, shown))
    figures = [*(found["attributes"].get(name) for name in names), found["exact_match"]]
    figures += [found["none_named"].get(name) for name in shown.first["named"]]
    return [NONE if one is None else cell(one) for one in figures]


def difference_cell(compared: Mapping[str, Any]) -> str:
    """In points."""
    return difference(compared["difference"])


def _fewer_errors(compared: Mapping[str, Any]) -> str:
    """Strong where the difference is."""
    if compared["theirs"] == 1 or compared["difference"]["value"] is None:
        return NONE
    told = f"{round(100 * (1 - (1 - compared['ours']) / (1 - compared['theirs']))) + 0:d}"
    return Strong(told) if isinstance(difference(compared["difference"]), Strong) else told


def _by_title(shown: Shown) -> Table:
    """By what the title names."""
    named = list(dict.fromkeys(name for _, line in shown for name in line.first["named"]))
    header = [f"{name}, {told}" for name in named for told in PARTS.values()]
    rows = []
    for view, line in shown:
        found = [_figure(line.views[view], name, "accuracy_by_title") or {} for name in named]
        rows.append([*_who(view, line), *(plus_minus(parts.get(part)) for parts in found for part in PARTS)])
    return Table("Accuracy by what the title names, %", [*WHO, *header], rows if named else [], len(WHO))


def _macro_f1(shown: Shown, names: Sequence[str]) -> Table:
    return _heads("Macro-F1, %", shown, names, lambda scored, name: interval(_figure(scored, name, "macro_f1")))


def _weighted(shown: Shown, names: Sequence[str]) -> Table:
    def cell(scored: Mapping[str, Any], name: str) -> str:
        found = _figure(scored, name, "weighted")
        return " / ".join(percent(found[part]) for part in ("precision", "recall", "f1")) if found else NONE

    return _heads("Precision / recall / F1, weighted by class, %", shown, names, cell)


def _calibration(shown: Shown, names: Sequence[str]) -> Table:
    """Only of systems that give a confidence."""

    def cell(scored: Mapping[str, Any], name: str) -> str:
        error = _figure(scored, name, "calibration_error")
        return NONE if error is None else f"{error:.3f}"

    return _heads("Expected calibration error", shown, names, cell)


def _spread(shown: Shown, names: Sequence[str]) -> Table:
    """Only of lines of several seeds."""
    several = [(view, line) for view, line in shown if len(line.rows) > 1]
    rows = []
    for view, line in several:
        scored = line.views[view]
        spreads = [*(_figure(scored, name, "accuracy") for name in names), scored["exact_match"]]
        rows.append([*_who(view, line), *(percent((estimate or {}).get("spread")) for estimate in spreads)])
    return Table("Standard deviation of accuracy over seeds, points", [*WHO, *names, "all right"], rows, len(WHO))


def _heads(title: str, shown: Shown, names: Sequence[str], cell: Callable[[Mapping[str, Any], str], str]) -> Table:
    """One cell an attribute; lines that have none of them are left out."""
    rows = [(view, line, [cell(line.views[view], name) for name in names]) for view, line in shown]
    kept = [[*_who(view, line), *cells] for view, line, cells in rows if set(cells) != {NONE}]
    return Table(title, [*WHO, *names], kept, len(WHO))


def _accepted(lines: Sequence[Line], names: Sequence[str]) -> list[Table]:
    """What the thresholds chosen on validation accept on test."""
    shares, right = [], []
    for view, line in ((view, line) for view in VIEWS for line in lines if view in line.views):
        scored = line.views[view]
        found = [*(_figure(scored, name, "accepted") for name in names), scored.get("accepted")]
        if any(found):
            who = _who(view, line)
            shares.append([*who, *(plus_minus(one["share"]) if one else NONE for one in found)])
            right.append([*who, *(_kept_promise(one) if one else NONE for one in found)])
    header = [*WHO, *names, "item"]
    return [
        Table("Accepted at the threshold, % of items", header, shares, len(WHO)),
        Table("Right among the accepted, % (stated)", header, right, len(WHO)),
    ]


def _kept_promise(accepted: Mapping[str, Any]) -> str:
    return f"{plus_minus(accepted['accuracy'])} ({100 * accepted['stated']:g})"


def _cost(lines: Sequence[Line]) -> Table:
    rows = []
    for line in lines:
        size, seconds = line.first["size"], [row.result["seconds"] for row in line.rows]
        epochs = NONE if size["epochs"] is None else str(size["epochs"])
        answering = f"{sum(one['evaluation'] for one in seconds) / len(seconds):.0f}"
        parts = [str(size[name]) for name in ("train", "validation", "test")]
        seeds = " ".join(str(row.result["seed"]) for row in line.rows)
        rows.append([_row(line), str(line.first["system"]), seeds, *parts, epochs, line.training_seconds, answering])
    header = ["row", "system", "seed", "train", "validation", "test", "epochs", "training, s", "answering, s"]
    return Table("Size and cost", header, rows, 2)


def _row(line: Line) -> str:
    return line.name if len(line.rows) > 1 else str(line.first["row"])


def _figure(scored: Mapping[str, Any], name: str, kind: str) -> Any:
    return scored["attributes"].get(name, {}).get(kind)


def _who(view: str, line: Line) -> list[str]:
    return [view, line.label, line.size]
