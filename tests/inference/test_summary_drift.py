"""Drift is told where labels are distributed otherwise, and not where chance, or a trifle, is all there is."""

import numpy as np
import pytest

from fashionmt.attributes import LabelSpace
from fashionmt.inference.summary.drift import BLOCK, BOUND, DRAWS, Drift, find_drift

CLASSES = tuple("abcdefgh")
SPACE = LabelSpace("type", CLASSES)
TRAINED = [800, 400, 200, 100, 50, 20, 5, 0]


def drawn(size: int, seed: int, trained: list[int] = TRAINED) -> dict[str, int]:
    """Labels of as many items as of another catalogue that is distributed as the training one."""
    counts = np.random.default_rng(seed).multinomial(size, np.array(trained) / sum(trained))
    return dict(zip(CLASSES, counts.tolist(), strict=True))


def found(predicted: dict[str, int], trained: list[int] = TRAINED) -> Drift:
    drift = find_drift(SPACE, trained, predicted)
    assert drift is not None
    return drift


def test_the_distance_is_that_of_the_definition() -> None:
    drift = found({"a": 30, "h": 10})
    p = np.array(TRAINED) / sum(TRAINED)
    q = np.array([30, 0, 0, 0, 0, 0, 0, 10]) / 40
    middle = (p + q) / 2
    halves = [sum(x * np.log(x / m) for x, m in zip(each, middle, strict=True) if x) / 2 for each in (p, q)]
    assert drift.distance == pytest.approx(sum(halves) ** 0.5)


def test_a_shift_is_flagged_and_names_the_classes_that_moved() -> None:
    drift = found(drawn(2000, 0, TRAINED[::-1]))
    assert drift.flagged
    assert [moved.label for moved in drift.moved[:2]] == ["a", "h"]
    assert drift.moved[0].before == pytest.approx(800 / 1575)
    assert drift.moved[0].now == 0
    assert drift.moved[0].points == pytest.approx(-100 * 800 / 1575)


@pytest.mark.parametrize("size", [1, 3, 20, 60, 500])
def test_chance_alone_is_not_flagged(size: int) -> None:
    drifts = [found(drawn(size, seed)) for seed in range(40)]
    assert not [drift for drift in drifts if drift.flagged]
    if size <= 60:  # or the bound alone would do
        assert any(drift.distance > BOUND for drift in drifts)


def test_a_small_sample_is_flagged_where_chance_cannot_explain_it() -> None:
    assert found({"h": 20}).flagged
    assert not found({"c": 1}).flagged


def test_a_trifle_is_not_flagged_however_sure_it_is() -> None:
    many = [1000 * count for count in TRAINED]
    moved = dict(zip(CLASSES, many, strict=True)) | {"a": many[0] - 40_000, "b": many[1] + 40_000}
    drift = found(moved, many)
    assert drift.by_chance < drift.distance < BOUND
    assert not drift.flagged


def test_the_same_distribution_has_no_distance_and_nothing_moved() -> None:
    drift = found(dict(zip(CLASSES, TRAINED, strict=True)))
    assert (drift.distance, drift.moved, drift.flagged) == (0, [], False)


def test_it_is_the_same_at_every_call() -> None:
    assert found(drawn(100, 3)) == found(drawn(100, 3))
    assert DRAWS % BLOCK == 0


def test_without_answers_or_training_labels_there_is_nothing_to_compare() -> None:
    assert find_drift(SPACE, TRAINED, {}) is None
    assert find_drift(SPACE, [0] * 8, {"a": 3}) is None
