"""A split in time tests on the newest items, whole times at once, and orders nothing that has no order."""

import random
from collections.abc import Sequence

import pytest

from fashionmt.config import SplitConfig
from fashionmt.data.splits import make_split, newest
from fashionmt.errors import UserError


def ids_of(rows: Sequence[object]) -> list[str]:
    return [f"i{i}" for i in range(len(rows))]


@pytest.mark.parametrize(
    ("times", "fraction", "expected"),
    [
        (["2010", "2011", "2012", "2013"], 0.25, [3]),
        (["2013", "2010", "2012", "2011"], 0.5, [0, 2]),
        (["9", "10", "8", "7"], 0.25, [1]),  # by value: as texts 9 is the newest
        (["2012-01-31", "2012-02-01", "2011-12-31", None], 0.25, [1]),
        (["2012-02", "2012-01-31T23:30-01:00", "2012-01-31", "20120131"], 0.25, [1]),
        (["7", "7.0", "6", "5"], 0.25, [0, 1]),  # one time, written in two ways
        ([None, None, "1", "2"], 0.9, [3]),  # no time is old; one known value stays for training
        (["1", "2", "2", "2", "2", "2", "2", "2", "2", "3"], 0.3, [9]),  # 10 % is nearer than 90 %
        (["1", "2", "2", "2", "2", "2", "2", "2", "2", "3"], 0.6, [1, 2, 3, 4, 5, 6, 7, 8, 9]),
    ],
)
def test_the_newest_are_whole_time_values_nearest_to_the_share(
    times: list[str | None], fraction: float, expected: list[int]
) -> None:
    rows, since = newest(ids_of(times), times, fraction)
    assert rows.tolist() == expected
    assert since in [times[row] for row in expected]
    assert len({time for row, time in enumerate(times) if time is not None and row not in expected} & {since}) == 0


@pytest.mark.parametrize(
    ("times", "told"),
    [
        (["2019", "2020", "NULL", "nan"], "item i2: its time 'NULL' is neither a number nor an ISO date. List it in"),
        (["2019", None, "inf"], "item i2: its time 'inf' is neither"),
        (["2021-01-01", "31/12/2019"], "item i1: its time '31/12/2019' is neither"),
        (["2019", "2021-01-01"], r"the times are numbers \('2019'\) and dates \('2021-01-01'\)"),
    ],
)
def test_times_that_have_no_order_are_refused(times: list[str | None], told: str) -> None:
    with pytest.raises(UserError, match=told):
        newest(ids_of(times), times, 0.3)


def test_many_different_times_are_cut_at_the_share_asked_for() -> None:
    times = [f"{i}" for i in random.Random(0).sample(range(100_000), 100_000)]
    rows, since = newest(times, times, 0.3)
    assert since == "70000"
    assert len(rows) == 30_000
    split = make_split(times[:50], times[:50], [None] * 50, times[:50], SplitConfig(kind="time"))
    assert split.test_since == min((times[row] for row in split.test), key=int)


@pytest.mark.parametrize("times", [[None] * 50, ["2012"] * 50, ["2012", None] * 25])
def test_a_catalogue_of_one_time_is_refused(times: list[str | None]) -> None:
    ids = [f"{i}" for i in range(50)]
    with pytest.raises(UserError, match=r"[01] different times\. Set data\.columns\.time"):
        make_split(ids, ids, [None] * 50, times, SplitConfig(kind="time"))
