"""A cut in time for all users at once: what comes before T1 is learned from, T1 to T2 validates, from T2 on tests.

Leaving each user's last event out instead lets a model learn from others' events that happened later, and changes which
model ranks first (arXiv:2507.16289).
"""

from dataclasses import dataclass

import numpy as np

from fashionmt.errors import UserError
from fashionmt.recommend.interactions import Interactions
from fashionmt.recommend.items import Rows
from fashionmt.recommend.times import parse_times


@dataclass(frozen=True)
class TimeSplit:
    """The cuts."""

    validation: float
    """T1, seconds since 1970."""
    test: float
    """T2."""


@dataclass(frozen=True)
class Targets:
    """What users took from a cut on that they had not had before, U users who had a history then."""

    users: Rows
    """(U,): indices into the interactions' users, rising."""
    user: Rows
    """(P,), rising: an index into `users`."""
    item: Rows
    """(P,): the item, each once a user, in the order of time."""
    time: float
    """The cut."""
    new_users: int
    """Users who had no history: they are counted and left out."""
    repeats: int
    """Events after the cut on items that their user had had: counted and left out."""


def choose_cuts(
    events: Interactions, validation: str | None, test: str | None, validation_share: float, test_share: float
) -> TimeSplit:
    """The cuts that are given as dates, else such that the shares of the events lie behind them.

    Raises `UserError` where nothing would lie on one side.
    """
    known = events.time[~np.isnan(events.time)]
    if not len(known):
        wrong = "no event has a known time, and what is learned from is told from what is tested on by time"
        raise UserError("recommend.interactions", wrong, "Give them a column of times, recommend.columns.time=<column>")
    found = {
        "test_from": _cut(known, test, 1 - test_share),
        "validation_from": _cut(known, validation, 1 - test_share - validation_share),
    }
    split = TimeSplit(found["validation_from"], found["test_from"])
    parts = (known < split.validation, (known >= split.validation) & (known < split.test), known >= split.test)
    for name, part in zip(("training", "validation", "test"), parts, strict=True):
        if not part.any():
            wrong = f"no event is left for {name}"
            raise UserError("recommend.validation_from, test_from", wrong, "Choose other dates or shares")
    return split


def _cut(times: np.ndarray, date: str | None, quantile: float) -> float:
    if date is None:
        return float(np.quantile(times, quantile))
    cut = float(parse_times([date])[0])
    if np.isnan(cut):
        raise UserError(f"recommend date {date!r}", "no date", "Write it as 2020-09-16")
    return cut


def before(events: Interactions, cut: float) -> Interactions:
    """The events before the cut; one whose time is not known cannot be placed and is left out."""
    return events.kept(events.time < cut)


def targets_between(events: Interactions, begin: float, end: float) -> Targets:
    """What is to be found from `begin` up to, and without, `end`."""
    past = before(events, begin)
    window = events.kept((events.time >= begin) & (events.time < end))
    size = 1 + int(max(events.item.max(initial=0), 0))
    has_history = np.isin(window.user, past.user)
    had = np.isin(window.user * size + window.item, past.user * size + past.item)
    _, first = np.unique(window.user * size + window.item, return_index=True)
    is_first = np.zeros(len(window.user), dtype=bool)
    is_first[first] = True
    counted = has_history & ~had & is_first
    users, user = np.unique(window.user[counted], return_inverse=True)
    new_users = len(np.unique(window.user[~has_history]))
    return Targets(users, user.astype(np.int64), window.item[counted], begin, new_users, int((had & has_history).sum()))
