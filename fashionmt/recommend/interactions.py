"""Who took what and when, from a table file: ids are texts as they stand, and nothing is lost uncounted.

U users, E events.
"""

import time as clock
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from tqdm import tqdm

from fashionmt.data.findings import Findings
from fashionmt.data.tables import BadRow, Table, TableRow
from fashionmt.errors import UserError
from fashionmt.recommend.columns import InteractionColumns, map_columns
from fashionmt.recommend.items import Rows
from fashionmt.recommend.times import parse_times

Floats = npt.NDArray[np.float64]
DAY = 86_400.0


@dataclass(frozen=True)
class Interactions:
    """Events by user, each user's in the order in which they happened; at one time, in the order of the file."""

    users: tuple[str, ...]
    """The users' ids, in the order of the file; those whose events are all set aside too."""
    user: Rows
    """(E,), rising: an index of `users`."""
    item: Rows
    """(E,): a row of the items."""
    time: Floats
    """(E,) seconds since 1970; NaN where it is not known, and those come first of their user's."""

    @property
    def starts(self) -> Rows:
        """(U + 1,): user u has the events from `starts[u]` to `starts[u + 1]`."""
        return np.searchsorted(self.user, np.arange(len(self.users) + 1)).astype(np.int64)

    def kept(self, which: npt.NDArray[np.bool_]) -> "Interactions":
        """Of the same users, the events that `which` (E,) says."""
        return Interactions(self.users, self.user[which], self.item[which], self.time[which])

    @classmethod
    def of(cls, users: Sequence[str], user: Rows, item: Rows, time: Floats) -> "Interactions":
        """Events in any order."""
        order = np.lexsort((np.arange(len(user)), np.nan_to_num(time, nan=-np.inf), user))
        return cls(tuple(users), user[order], item[order], time[order])


@dataclass(frozen=True)
class Filters:
    """Which events count."""

    columns: Mapping[str, str | None]
    """Meaning -> the file's column, where it is named."""
    events: Sequence[str] = ()
    """Of the event column; empty: all."""
    least_weight: float | None = None
    """Ratings or weights below it do not count, but their user has had the item; None: all count."""


@dataclass(frozen=True)
class ReadInteractions:
    """A file, read."""

    events: Interactions
    had: Interactions
    """With those that weigh too little to count, which come first of their user's: what nobody needs recommended."""
    columns: InteractionColumns
    findings: Findings
    bad: tuple[BadRow, ...]
    """The rows that cannot be read."""


def read_interactions(
    path: Path, rows: Mapping[str, int], filters: Filters, option: str, now: float | None = None
) -> ReadInteractions:
    """The events of `path` on the items of `rows` (id -> row), what was found on the way, and the rows that are none.

    `option`: the key that the columns are named below, for errors. `now`: seconds since 1970; later is the future. An
    event whose time is absent, is no time or lies in the future has no known time. Raises `UserError` where the file or
    a needed column is not there.
    """
    table = Table(path)
    columns = map_columns(path, table.columns, filters.columns, option)
    _check_filters(path, table.columns, columns, filters, option)
    reader = _Reader(columns, rows, filters)
    for _, row in tqdm(table.scan(), desc="reading", unit=" rows", disable=None, leave=False):
        reader.add(row)
    return reader.result(clock.time() if now is None else now)


def _check_filters(
    path: Path, found: Sequence[str], columns: InteractionColumns, filters: Filters, option: str
) -> None:
    """Raises `UserError` where events are to be left out by a column that the file has not."""
    asked = ("event", "events", len(filters.events) > 0), ("weight", "least_weight", filters.least_weight is not None)
    for meaning, key, is_asked in asked:
        if is_asked and vars(columns)[meaning] is None:
            wrong = f"no column of {meaning}s, and recommend.{key} goes by it; found: {', '.join(found)}"
            raise UserError(str(path), wrong, f"Set {option}.{meaning}=<column>, or leave out recommend.{key}")


class _Reader:
    """Sorts rows into events and findings."""

    def __init__(self, columns: InteractionColumns, rows: Mapping[str, int], filters: Filters) -> None:
        self.columns, self.rows, self.filters = columns, rows, filters
        self.findings = Findings()
        self.bad: list[BadRow] = []
        self.users: dict[str, int] = {}
        self.user, self.item = array("q"), array("q")
        self.light_user, self.light_item = array("q"), array("q")
        self.times: list[str] = []

    def add(self, row: TableRow | BadRow) -> None:
        """A row of the file."""
        if isinstance(row, BadRow):
            self.bad.append(row)
            self.findings.add(f"rows that cannot be read ({row.problem.code})", "set aside", f"line {row.line}")
            return
        values, line = row.values, f"line {row.line}"
        if row.repair is not None:
            self.findings.add(row.repair, "repaired", line)
        user, item = values[self.columns.user], values[self.columns.item]
        if user == "" or item == "":
            self.findings.add("rows without a user or an item", "set aside", line)
            return
        number = self.users.setdefault(user, len(self.users))
        if not self._is_of_kind(values, line):
            return
        if not self._weighs_enough(values, line):
            if item in self.rows:
                self.light_user.append(number)
                self.light_item.append(self.rows[item])
            return
        if item not in self.rows:
            self.findings.add("events with items that the catalogue lacks", "set aside", item)
            return
        self.user.append(number)
        self.item.append(self.rows[item])
        if self.columns.time is not None:
            self.times.append(values[self.columns.time])

    def _is_of_kind(self, values: Mapping[str, str], line: str) -> bool:
        """Whether the event is one of those asked for. Of others it is not known whether the item was had by them."""
        kinds = self.filters.events
        if not kinds or self.columns.event is None or values[self.columns.event] in kinds:
            return True
        self.findings.add(f"events of other kinds than {', '.join(kinds)}", "left out", line)
        return False

    def _weighs_enough(self, values: Mapping[str, str], line: str) -> bool:
        least = self.filters.least_weight
        if least is None or self.columns.weight is None:
            return True
        try:
            enough = float(values[self.columns.weight]) >= least
        except ValueError:
            self.findings.add("weights that are no numbers", "left out of histories", line)
            return False
        if not enough:
            self.findings.add(f"events that weigh less than {least:g}", "left out of histories", line)
        return enough

    def result(self, now: float) -> ReadInteractions:
        """All of it, sorted; duplicates counted and left out."""
        user, item = np.array(self.user, np.int64), np.array(self.item, np.int64)
        names = list(self.users)
        time = np.full(len(user), np.nan)
        if self.columns.time is not None:
            time = self._times(now, [names[number] for number in user])
        elif len(user):
            self.findings.add(
                "events without a time", "taken in the order of the file", "no column of times", len(user)
            )
        once = ~pd.DataFrame({"user": user, "item": item, "time": time}).duplicated().to_numpy()
        if self.columns.time is None:
            once[:] = True  # what stands twice may have happened twice
        for number in np.flatnonzero(~once):
            self.findings.add("events that stand twice, at one time", "counted once", names[user[number]])
        events = Interactions.of(names, user[once], item[once], time[once])
        self._note_ties(events)
        return ReadInteractions(events, self._with_light(events), self.columns, self.findings, tuple(self.bad))

    def _with_light(self, events: Interactions) -> Interactions:
        if not self.light_user:
            return events
        user, item = np.array(self.light_user, np.int64), np.array(self.light_item, np.int64)
        time = np.concatenate([np.full(len(user), np.nan), events.time])
        return Interactions.of(
            events.users, np.concatenate([user, events.user]), np.concatenate([item, events.item]), time
        )

    def _times(self, now: float, users: Sequence[str]) -> Floats:
        """Seconds since 1970, NaN for what is no time or has not been yet."""
        time = parse_times(self.times)
        for number in np.flatnonzero(np.isnan(time)).tolist():
            self.findings.add("events whose time is missing or no time", "taken as their user's oldest", users[number])
        for number in np.flatnonzero(time > now + DAY).tolist():  # clocks differ by a time zone
            self.findings.add("events dated in the future", "taken as their user's oldest", users[number])
        return np.where(time > now + DAY, np.nan, time)

    def _note_ties(self, events: Interactions) -> None:
        """Events of one user at one time: their order is the file's."""
        tied = (events.user[1:] == events.user[:-1]) & (events.time[1:] == events.time[:-1])
        for number in np.flatnonzero(tied):
            what = "events at the same time as another of their user"
            self.findings.add(what, "taken in the order of the file", events.users[events.user[number]])
