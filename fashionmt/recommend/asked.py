"""Who is recommended to, from a file of users or from the interactions themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fashionmt.data.findings import Findings
from fashionmt.data.tables import BadRow, Table, TableRow
from fashionmt.inference.quarantine import Record
from fashionmt.problems import Code, Problem
from fashionmt.recommend.columns import map_user_column
from fashionmt.recommend.interactions import Interactions
from fashionmt.recommend.items import Rows


@dataclass(frozen=True)
class Asked:
    """U users, in the order of their lists."""

    users: Sequence[str]
    known: Sequence[Mapping[str, str]]
    """What is known of each, attribute -> value."""
    records: Sequence[Record]
    """Rows of the file that name nobody."""
    findings: Findings


def everyone(events: Interactions) -> Asked:
    """All users of the interactions."""
    return Asked(events.users, [{}] * len(events.users), (), Findings())


def read_asked(path: Path, column: str | None, attributes: Sequence[str]) -> Asked:
    """The users of a file; `attributes`: columns of these names say what is known of them. `column`: of users; None:
    found by its name. Raises `UserError` where the file or the column is not there."""
    table = Table(path)
    named = map_user_column(path, table.columns, column)
    told = [name for name in attributes if name in table.columns]
    found: dict[str, Mapping[str, str]] = {}
    records: list[Record] = []
    findings = Findings()
    for number, (_, row) in enumerate(table.scan()):
        if isinstance(row, TableRow) and row.repair is not None:
            findings.add(row.repair, "repaired", f"line {row.line}")
        if isinstance(row, BadRow):
            records.append(Record.of(number, None, (str(path), row.line), row.problem, row.raw))
        elif (user := row.values[named]) == "":
            problem = Problem(Code.ID_MISSING, f"the column {named} is empty")
            records.append(Record.of(number, None, (str(path), row.line), problem, b""))
        elif user in found:
            findings.add("users that stand twice", "the first counts", user)
        else:
            found[user] = {name: row.values[name] for name in told}
    return Asked(tuple(found), list(found.values()), records, findings)


def with_events_of(events: Interactions, users: Sequence[str]) -> tuple[Interactions, Rows]:
    """(the events, with `users` among their users; the index of each)."""
    numbers = {user: number for number, user in enumerate(events.users)}
    for user in users:
        numbers.setdefault(user, len(numbers))
    widened = Interactions(tuple(numbers), events.user, events.item, events.time)
    return widened, np.array([numbers[user] for user in users], dtype=np.int64)


def bad_rows(path: Path, rows: Sequence[BadRow]) -> list[Record]:
    """Rows of the interactions that cannot be read: their users may lack an item of the history."""
    return [Record.of(number, None, (str(path), row.line), row.problem, row.raw) for number, row in enumerate(rows)]
