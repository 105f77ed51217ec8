"""Reliability agrees with torchmetrics, risk-coverage with a loop."""

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import binary_calibration_error

from fashionmt.run_report.confidence import BINS, POINTS, reliability, risk_coverage


@pytest.mark.parametrize("count", [1, 7, 2000])
def test_the_calibration_error_is_torchmetrics(count: int) -> None:
    draw = np.random.default_rng(count)
    confidence = draw.beta(5, 1, count)
    right = draw.random(count) < confidence**2
    expected = binary_calibration_error(torch.tensor(confidence), torch.tensor(right).long(), n_bins=BINS, norm="l1")
    assert reliability(confidence, right).ece == pytest.approx(float(expected), abs=1e-6)


def test_bins_hold_their_items_and_empty_ones_nothing() -> None:
    bins = reliability(np.array([0.0, 0.05, 1.0, 1.0]), np.array([True, False, True, False]))
    assert bins.count.tolist() == [2] + [0] * (BINS - 2) + [2]
    assert bins.accuracy[[0, -1]].tolist() == [0.5, 0.5]
    assert bins.confidence[[0, -1]].tolist() == [0.025, 1.0]
    assert np.isnan(bins.accuracy[1:-1]).all()


def test_risk_and_coverage_are_a_loops_over_thresholds() -> None:
    draw = np.random.default_rng(0)
    confidence, right = draw.integers(1, 20, 300) / 20, draw.random(300) < 0.7
    coverage, risk = risk_coverage(confidence, right)
    expected = [
        (np.mean(confidence >= threshold), np.mean(~right[confidence >= threshold]))
        for threshold in sorted(set(confidence), reverse=True)
    ]
    np.testing.assert_allclose(np.stack([coverage, risk], 1), expected)


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    draw = np.random.default_rng(0)
    confidence, right = draw.permutation(5000) / 5000, draw.random(5000) < 0.9
    coverage, risk = risk_coverage(confidence, right)
    assert len(coverage) == POINTS
    assert (coverage[0], coverage[-1]) == (1 / 5000, 1.0)
    assert risk[-1] == pytest.approx(np.mean(~right))
