"""The vectorised bootstrap equals drawing groups one by one and asking scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from fashionmt.bootstrap import Bootstrap, Statistic, mean_of, over_seeds

DRAW = np.random.default_rng(3)
COUNT = 60
GROUPS = [f"g{group}" for group in DRAW.integers(0, 25, COUNT)]
TRUE = DRAW.integers(-1, 5, COUNT)
ANSWERED = np.where(DRAW.random(COUNT) < 0.6, np.maximum(TRUE, 0), DRAW.integers(0, 6, COUNT))


def drawn_items(bootstrap: Bootstrap, draw: int) -> list[int]:
    """The items of a draw, each as often as its group was drawn."""
    times = bootstrap.times[draw, bootstrap.group].astype(int)
    return [item for item in range(COUNT) for _ in range(times[item])]


@pytest.fixture
def bootstrap() -> Bootstrap:
    return Bootstrap(GROUPS, draws=40, seed=1)


def test_each_draw_takes_as_many_groups_as_there_are_and_each_of_them_whole(bootstrap: Bootstrap) -> None:
    assert bootstrap.times.sum(1).tolist() == [len(set(GROUPS))] * 40
    assert len(np.unique(bootstrap.times, axis=0)) == 40
    for first in range(COUNT):
        same = [bootstrap.group[i] == bootstrap.group[first] for i in range(COUNT)]
        assert same == [group == GROUPS[first] for group in GROUPS]


def test_accuracy_equals_a_loop_over_the_drawn_items(bootstrap: Bootstrap) -> None:
    found = bootstrap.mean(TRUE == ANSWERED, TRUE >= 0)
    kept = TRUE >= 0
    assert found.value == pytest.approx(accuracy_score(TRUE[kept], ANSWERED[kept]))
    assert found.items == kept.sum()
    for draw in range(40):
        items = [i for i in drawn_items(bootstrap, draw) if kept[i]]
        assert found.draws[draw] == pytest.approx(accuracy_score(TRUE[items], ANSWERED[items]))


def test_macro_f1_equals_scikit_learns_on_the_drawn_items(bootstrap: Bootstrap) -> None:
    found = bootstrap.macro_f1(TRUE, ANSWERED)
    kept = TRUE >= 0
    assert found.value == pytest.approx(f1_score(TRUE[kept], ANSWERED[kept], average="macro", zero_division=0))
    expected = np.zeros(40)
    for draw in range(40):
        items = [i for i in drawn_items(bootstrap, draw) if kept[i]]
        every = sorted({*TRUE[kept], *ANSWERED[kept]})
        expected[draw] = f1_score(TRUE[items], ANSWERED[items], labels=every, average="macro", zero_division=0)
    assert found.draws == pytest.approx(expected - expected.mean() + found.value)


def test_the_interval_of_macro_f1_lies_around_it_where_draws_miss_classes() -> None:
    """Half of the rare classes are answered, half are not; of a draw's classes of one item a third is missing."""
    true = np.concatenate([np.zeros(300, np.int64), np.arange(1, 61)])
    answered = np.where(true % 2 == 1, 0, true)
    found = Bootstrap([str(i) for i in range(360)], 500).macro_f1(true, answered).estimate()
    assert found.value == pytest.approx(f1_score(true, answered, average="macro"))
    assert found.low is not None
    assert found.low < found.value - 0.05 < found.value + 0.05 < found.high  # type: ignore[operator]
    right = Bootstrap([str(i) for i in range(360)], 500).macro_f1(true, true).estimate()
    assert (right.value, right.high) == (1, 1)


def constant(value: float, draws: int = 20000, items: int = 10) -> Statistic:
    """A figure without a spread of items."""
    return Statistic(value, np.full(draws, value), items)


def test_the_mean_over_seeds_has_the_spread_of_a_mean_of_so_many() -> None:
    values = [0.7, 0.8, 0.75, 0.9]
    found = over_seeds([constant(value) for value in values])
    assert found.value == pytest.approx(np.mean(values))
    assert found.spread == pytest.approx(np.std(values, ddof=1))
    assert found.draws.std() == pytest.approx(np.std(values, ddof=1) / 2, rel=0.03)
    assert found.draws.mean() == pytest.approx(found.value, abs=0.001)
    assert found.estimate().spread == found.spread


def test_equal_seeds_leave_the_spread_of_the_items(bootstrap: Bootstrap) -> None:
    one = bootstrap.mean(TRUE == ANSWERED, TRUE >= 0)
    found = over_seeds([one, one, one])
    assert found.draws == pytest.approx(one.draws)
    assert found.spread == pytest.approx(0)
    assert over_seeds([one]) is one


def test_seeds_that_measured_nothing_are_left_out() -> None:
    nothing = constant(0.0, items=0)
    assert over_seeds([nothing, constant(0.5)]).value == 0.5
    assert over_seeds([nothing, nothing]).estimate().value is None


def test_the_mean_of_figures_is_drawn_as_one(bootstrap: Bootstrap) -> None:
    right = TRUE == ANSWERED
    found = mean_of([bootstrap.mean(right, TRUE >= 0), bootstrap.mean(~right, TRUE >= 0), constant(0.3, 40, items=0)])
    assert found.value == pytest.approx(0.5)
    assert found.draws == pytest.approx(np.full(40, 0.5))


def test_the_interval_is_that_of_the_binomial_where_every_item_is_a_group_of_its_own() -> None:
    right = np.arange(2000) < 1800
    found = Bootstrap([str(i) for i in range(2000)], 1000).mean(right, np.ones(2000, bool)).estimate()
    half = 1.96 * (0.9 * 0.1 / 2000) ** 0.5
    assert found.low == pytest.approx(0.9 - half, abs=half / 5)
    assert found.high == pytest.approx(0.9 + half, abs=half / 5)


def test_items_that_go_together_widen_the_interval() -> None:
    """Ten copies of each item hold no more than one of each."""
    right = np.repeat(np.arange(200) < 150, 10)
    every = np.ones(2000, bool)
    copies = Bootstrap([str(i // 10) for i in range(2000)], 500).mean(right, every).estimate()
    single = Bootstrap([str(i) for i in range(200)], 500).mean(right[::10], every[::10]).estimate()
    assert (copies.low, copies.high) == (single.low, single.high)


def test_the_difference_of_two_systems_is_paired() -> None:
    """They err on the same items, and one errs on ten more: the difference is far surer than either figure."""
    one, other = np.arange(400) < 300, np.arange(400) < 290
    bootstrap = Bootstrap([str(i) for i in range(400)], 1000)
    every = np.ones(400, bool)
    difference = (bootstrap.mean(one, every) - bootstrap.mean(other, every)).estimate()
    assert difference.value == pytest.approx(10 / 400)
    assert difference.low is not None
    assert 0 < difference.low < difference.value < difference.high < 0.05  # type: ignore[operator]
    same = (bootstrap.mean(one, every) - bootstrap.mean(one, every)).estimate()
    assert (same.value, same.low, same.high) == (0, 0, 0)


def test_there_is_no_interval_of_a_single_group_and_no_figure_without_items() -> None:
    single = Bootstrap(["a"] * 4, 20).mean(np.array([1, 1, 0, 1]), np.ones(4, bool)).estimate()
    assert (single.value, single.low, single.high) == (0.75, None, None)
    nothing = Bootstrap(["a", "b"], 20).mean(np.ones(2), np.zeros(2, bool)).estimate()
    assert (nothing.value, nothing.low, nothing.items) == (None, None, 0)
    unlabelled = Bootstrap(["a", "b"], 20).macro_f1(np.array([-1, -1]), np.array([0, 1])).estimate()
    assert (unlabelled.value, unlabelled.low, unlabelled.items) == (None, None, 0)
    assert Bootstrap([], 20).mean(np.zeros(0), np.zeros(0, bool)).estimate().value is None


def test_draws_that_hold_no_counted_item_are_left_out() -> None:
    counted = np.array([True, True, *[False] * 8])
    found = Bootstrap([str(i) for i in range(10)], 200).mean(np.ones(10), counted)
    assert np.isnan(found.draws).any()
    assert (found.estimate().low, found.estimate().high) == (1.0, 1.0)


def test_items_of_one_group_have_no_interval_whatever_the_other_groups() -> None:
    """Of three families one holds all that is counted: each draw that holds it says the same."""
    drawn = Bootstrap(["a", "a", "b", "c"], 200)
    counted = np.array([True, True, False, False])
    found = drawn.mean(np.array([1, 0, 1, 1]), counted).estimate()
    assert (found.value, found.low, found.high, found.items) == (0.5, None, None, 2)
    macro = drawn.macro_f1(np.array([0, 1, -1, -1]), np.array([0, 0, 0, 0])).estimate()
    assert (macro.low, macro.high, macro.items) == (None, None, 2)
    assert macro.value == pytest.approx(1 / 3)


def test_the_mean_over_seeds_stays_a_share() -> None:
    values = [np.array([1.0] * 99 + [0.0]), np.array([1.0] * 90 + [0.0] * 10)]
    drawn = Bootstrap([str(i) for i in range(100)], 500)
    found = over_seeds([drawn.mean(value, np.ones(100, bool)) for value in values]).estimate()
    assert found.high is not None
    assert 0.945 < found.high <= 1
