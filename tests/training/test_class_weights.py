"""Class weights equal scikit-learn's or their paper's formula, and a class without items weighs nothing."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from fashionmt.training.class_weights import class_weights

COUNTS = np.array([120, 7, 1, 40, 7])
SCHEMES = ("none", "inverse", "sqrt_inverse", "effective_number")
NO_CAP = 1e9


@pytest.mark.parametrize("counts", [[120, 7, 1, 40, 7], [5, 5], [1, 1000], [3, 0, 9, 0, 2]])
def test_inverse_is_scikit_learns_balanced(counts: list[int]) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    there = np.unique(labels)
    expected = np.zeros(len(counts))
    expected[there] = compute_class_weight("balanced", classes=there, y=labels)
    np.testing.assert_allclose(class_weights(np.array(counts), "inverse", NO_CAP, 0.9), expected)


def test_none_weighs_every_class_one() -> None:
    np.testing.assert_array_equal(class_weights(COUNTS, "none", NO_CAP, 0.9), np.ones(5))


def test_sqrt_inverse_is_in_proportion_to_the_root_of_inverse_with_mean_one() -> None:
    weights = class_weights(COUNTS, "sqrt_inverse", NO_CAP, 0.9)
    assert weights.mean() == pytest.approx(1)
    np.testing.assert_allclose(weights / weights[2], [1 / 120**0.5, 1 / 7**0.5, 1, 1 / 40**0.5, 1 / 7**0.5])


@pytest.mark.parametrize("beta", [0.5, 0.9, 0.999, 0.9999999])
def test_effective_number_is_cui_et_als_sum(beta: float) -> None:
    """(1 - beta^n) / (1 - beta) is the sum of beta^0 .. beta^(n-1), here added up term by term."""
    raw = np.array([1 / sum(beta**power for power in range(count)) for count in COUNTS])
    expected = raw * len(raw) / raw.sum()
    np.testing.assert_allclose(class_weights(COUNTS, "effective_number", NO_CAP, beta), expected, rtol=1e-5)


def test_effective_number_weighs_all_alike_at_beta_zero_and_inversely_near_one() -> None:
    np.testing.assert_allclose(class_weights(COUNTS, "effective_number", NO_CAP, 0.0), np.ones(5))
    near_one = class_weights(COUNTS, "effective_number", NO_CAP, 0.9999999)
    np.testing.assert_allclose(near_one / near_one[2], 1 / COUNTS, rtol=1e-4)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_cap_cuts_what_is_above_and_nothing_else(scheme: str) -> None:
    free = class_weights(COUNTS, scheme, NO_CAP, 0.999)
    np.testing.assert_array_equal(class_weights(COUNTS, scheme, 1.5, 0.999), np.minimum(free, 1.5))
    assert (scheme == "none") == (free.max() <= 1.5)  # so that there was something to cut


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_absent_class_weighs_nothing_and_changes_no_other(scheme: str) -> None:
    with_absent = class_weights(np.array([120, 0, 7, 1, 0]), scheme, NO_CAP, 0.999)
    np.testing.assert_array_equal(with_absent[[1, 4]], [0, 0])
    np.testing.assert_allclose(with_absent[[0, 2, 3]], class_weights(np.array([120, 7, 1]), scheme, NO_CAP, 0.999))


@pytest.mark.parametrize("scheme", SCHEMES[1:])
def test_the_rarer_the_class_the_more_it_weighs(scheme: str) -> None:
    weights = class_weights(np.array([1000, 300, 300, 20, 1]), scheme, NO_CAP, 0.999)
    steps = np.diff(weights)
    assert steps[1] == 0
    assert (steps[[0, 2, 3]] > 0).all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_equal_counts_weigh_one(scheme: str) -> None:
    np.testing.assert_allclose(class_weights(np.array([9, 9, 9]), scheme, NO_CAP, 0.9), np.ones(3))
