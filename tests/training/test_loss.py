"""The loss is torch's own cross-entropy over what is labelled, zero where nothing is, and a weighted sum in total."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny import AWKWARD
from torch import Tensor

from fashionmt.config import LossConfig
from fashionmt.training.loss import MultiTaskLoss, masked_cross_entropy

WEIGHTS = np.array([0.5, 1.0, 3.0, 2.0])
SMOOTHING = (0.0, 0.1, 0.5)


def _logits(count: int = 8, classes: int = 4, seed: int = 0) -> Tensor:
    return torch.randn(count, classes, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def _weight(classes: int = 4) -> Tensor:
    return torch.tensor(WEIGHTS[:classes], dtype=torch.float32)


@pytest.mark.parametrize("smoothing", SMOOTHING)
def test_full_labels_give_torchs_cross_entropy_and_its_gradients(smoothing: float) -> None:
    labels = torch.tensor([0, 1, 2, 3, 3, 2, 0, 0])
    ours, theirs = _logits(), _logits()
    loss = masked_cross_entropy(ours, labels, _weight(), smoothing)
    expected = F.cross_entropy(theirs, labels, _weight(), label_smoothing=smoothing)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("smoothing", SMOOTHING)
@pytest.mark.parametrize("hidden", [-1, 4, 9])
def test_missing_and_unlearned_labels_leave_the_loss_of_the_others(hidden: int, smoothing: float) -> None:
    labels = torch.tensor([0, hidden, 2, hidden, 3, 2, hidden, 0])
    kept = [0, 2, 4, 5, 7]
    ours, theirs = _logits(), _logits()
    loss = masked_cross_entropy(ours, labels, _weight(), smoothing)
    expected = F.cross_entropy(theirs[kept], labels[kept], _weight(), label_smoothing=smoothing)
    torch.testing.assert_close(loss, expected)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    assert ours.grad is not None
    assert not bool(ours.grad[[1, 3, 6]].any())


@pytest.mark.parametrize("smoothing", SMOOTHING)
@pytest.mark.parametrize("hidden", [-1, 4])
def test_no_label_at_all_gives_zero_and_zero_gradients(hidden: int, smoothing: float) -> None:
    logits = _logits()
    loss = masked_cross_entropy(logits, torch.full((8,), hidden), _weight(), smoothing)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros(8, 4))


def test_labels_of_a_class_that_weighs_nothing_give_zero_and_zero_gradients() -> None:
    logits = _logits()
    loss = masked_cross_entropy(logits, torch.full((8,), 1), torch.tensor([1.0, 0.0, 1.0, 1.0]), 0.0)
    loss.backward()
    assert loss.item() == 0
    assert torch.equal(logits.grad, torch.zeros(8, 4))


def test_the_labels_given_are_not_changed() -> None:
    labels = torch.tensor([0, -1, 4])
    masked_cross_entropy(_logits(3), labels, _weight(), 0.1)
    assert labels.tolist() == [0, -1, 4]


def test_each_term_is_its_heads_own_loss_and_the_total_their_weighted_sum() -> None:
    config = LossConfig(label_smoothing=0.1)
    task_weights = {"colour": 1.0, "season": 0.25, "gender": 0.0}
    loss = MultiTaskLoss({"colour": WEIGHTS, "season": WEIGHTS[:3], "gender": WEIGHTS[:2]}, task_weights, config)
    logits = {"colour": _logits(), "season": _logits(8, 3, 1), "gender": _logits(8, 2, 2)}
    labels = {
        "colour": torch.tensor([0, -1, 2, 3, 4, 2, -1, 0]),
        "season": torch.tensor([2, 2, 1, 0, 0, 0, 1, 1]),
        "gender": torch.full((8,), -1),
    }
    terms = loss(logits, labels)
    kept = [0, 2, 3, 5, 7]
    expected = {
        "colour": F.cross_entropy(
            logits["colour"][kept], labels["colour"][kept], _weight(), label_smoothing=0.1
        ).item(),
        "season": F.cross_entropy(logits["season"], labels["season"], _weight(3), label_smoothing=0.1).item(),
        "gender": 0.0,
    }
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected)
    assert loss.total(terms).item() == pytest.approx(expected["colour"] + 0.25 * expected["season"])


def test_the_loss_of_half_precision_logits_is_computed_in_float32() -> None:
    loss = MultiTaskLoss({"colour": WEIGHTS}, {"colour": 1.0}, LossConfig())
    logits, labels = _logits().detach().bfloat16(), torch.tensor([0, 1, 2, 3, 3, 2, 0, 0])
    term = loss({"colour": logits}, {"colour": labels})["colour"]
    assert term.dtype == torch.float32
    torch.testing.assert_close(term, F.cross_entropy(logits.float(), labels, _weight()))


def test_class_weights_are_not_saved_with_the_model() -> None:
    assert not MultiTaskLoss({"colour": WEIGHTS}, {"colour": 1.0}, LossConfig()).state_dict()


def test_attributes_may_bear_names_that_modules_use() -> None:
    loss = MultiTaskLoss(dict.fromkeys(AWKWARD, WEIGHTS), dict.fromkeys(AWKWARD, 1.0) | {"training": 2.0}, LossConfig())
    labels = torch.arange(8) % 4
    terms = loss(dict.fromkeys(AWKWARD, _logits()), dict.fromkeys(AWKWARD, labels))
    one = F.cross_entropy(_logits(), labels, _weight()).item()
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(dict.fromkeys(AWKWARD, one))
    assert loss.total(terms).item() == pytest.approx((len(AWKWARD) + 1) * one)
