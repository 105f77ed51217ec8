"""The loss is torch's own cross-entropy (or its paper's formula) over what is labelled, zero where nothing is, and a
weighted sum in total."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tiny import AWKWARD
from torch import Tensor
from torchvision.ops import sigmoid_focal_loss

from fashionmt.config import LossConfig
from fashionmt.training.class_weights import Counts, class_weights
from fashionmt.training.loss import build_loss, masked_cross_entropy, masked_focal_loss

WEIGHTS = np.array([0.5, 1.0, 3.0, 2.0])
COUNTS = np.array([50, 20, 3, 7])
SMOOTHING = (0.0, 0.1, 0.5)
KINDS = ("cross_entropy", "focal", "logit_adjusted")


def _logits(count: int = 8, classes: int = 4, seed: int = 0) -> Tensor:
    return torch.randn(count, classes, generator=torch.Generator().manual_seed(seed)).requires_grad_()


def _weight(classes: int = 4) -> Tensor:
    return torch.tensor(WEIGHTS[:classes], dtype=torch.float32)


def _of_counts(counts: Counts) -> Tensor:
    """The class weights of the default config."""
    return torch.tensor(class_weights(counts, "sqrt_inverse", 10.0, 0.999), dtype=torch.float32)


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


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_focal_loss_is_the_papers_formula_item_by_item(gamma: float) -> None:
    logits, labels = _logits(), [0, -1, 2, 3, 4, 2, -1, 0]
    terms, weights = [], []
    for row, label in zip(logits.tolist(), labels, strict=True):
        if 0 <= label < 4:
            p = math.exp(row[label]) / sum(math.exp(value) for value in row)
            terms.append(-WEIGHTS[label] * (1 - p) ** gamma * math.log(p))
            weights.append(WEIGHTS[label])
    loss = masked_focal_loss(logits, torch.tensor(labels), _weight(), gamma)
    assert loss.item() == pytest.approx(sum(terms) / sum(weights), rel=1e-5)


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_loss_of_two_classes_is_torchvisions_and_so_are_its_gradients(gamma: float) -> None:
    """A softmax over (0, x) is a sigmoid of x."""
    ours, theirs = _logits(8, 1), _logits(8, 1)
    labels = torch.tensor([0, 1, 1, 0, 1, 0, 0, 1])
    loss = masked_focal_loss(torch.cat((torch.zeros(8, 1), ours), 1), labels, torch.ones(2), gamma)
    expected = sigmoid_focal_loss(theirs.squeeze(1), labels.float(), alpha=-1, gamma=gamma, reduction="mean")
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_focal_loss_at_gamma_zero_is_cross_entropy_with_its_gradients() -> None:
    labels = torch.tensor([0, -1, 2, 3, 4, 2, -1, 0])
    ours, theirs = _logits(), _logits()
    loss, expected = masked_focal_loss(ours, labels, _weight(), 0.0), masked_cross_entropy(theirs, labels, _weight(), 0)
    loss.backward()
    expected.backward()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(ours.grad, theirs.grad)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0])
def test_focal_loss_and_its_gradients_are_finite_where_an_answer_is_certain(gamma: float) -> None:
    logits = torch.tensor([[200.0, 0.0], [0.0, 200.0]], requires_grad=True)  # one certainly right, one wrong
    loss = masked_focal_loss(logits, torch.tensor([0, 0]), torch.ones(2), gamma)
    loss.backward()
    assert loss.item() == pytest.approx(100)
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, torch.tensor([[0.0, 0.0], [-0.5, 0.5]]))


def test_logit_adjustment_adds_tau_log_priors_to_the_logits_in_the_loss_only() -> None:
    config = LossConfig(kind="logit_adjusted", tau=0.7, class_weights="none")
    loss = build_loss({"colour": COUNTS}, {"colour": 1.0}, config)
    logits, labels = _logits(), torch.tensor([0, 1, 2, 3, -1, 2, 0, 0])
    before = logits.detach().clone()
    found = loss({"colour": logits}, {"colour": labels})["colour"]
    prior = torch.tensor(COUNTS / COUNTS.sum(), dtype=torch.float32)
    kept = labels >= 0
    torch.testing.assert_close(found, F.cross_entropy(logits[kept] + 0.7 * prior.log(), labels[kept]))
    assert torch.equal(logits, before)


def test_trained_with_logit_adjustment_a_constant_model_answers_every_class_alike() -> None:
    """Where the input says nothing, the best logits are the log priors; adjusted, they are equal."""
    labels = torch.arange(4).repeat_interleave(torch.tensor(COUNTS))
    loss = build_loss({"a": COUNTS}, {"a": 1.0}, LossConfig(kind="logit_adjusted", class_weights="none"))
    logits = torch.zeros(1, 4, requires_grad=True)
    loss({"a": logits.expand(len(labels), 4)}, {"a": labels})["a"].backward()
    torch.testing.assert_close(logits.grad, torch.zeros(1, 4), atol=1e-6, rtol=0)


def test_each_term_is_its_heads_own_loss_and_the_total_their_weighted_sum() -> None:
    config = LossConfig(label_smoothing=0.1)
    task_weights = {"colour": 1.0, "season": 0.25, "gender": 0.0}
    counts = {"colour": COUNTS, "season": COUNTS[:3], "gender": COUNTS[:2]}
    loss = build_loss(counts, task_weights, config)
    logits = {"colour": _logits(), "season": _logits(8, 3, 1), "gender": _logits(8, 2, 2)}
    labels = {
        "colour": torch.tensor([0, -1, 2, 3, 4, 2, -1, 0]),
        "season": torch.tensor([2, 2, 1, 0, 0, 0, 1, 1]),
        "gender": torch.full((8,), -1),
    }
    terms = loss(logits, labels)
    kept = [0, 2, 3, 5, 7]
    weights = [_of_counts(counts[name]) for name in ("colour", "season")]
    expected = {
        "colour": F.cross_entropy(
            logits["colour"][kept], labels["colour"][kept], weights[0], label_smoothing=0.1
        ).item(),
        "season": F.cross_entropy(logits["season"], labels["season"], weights[1], label_smoothing=0.1).item(),
        "gender": 0.0,
    }
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(expected)
    assert loss.total(terms).item() == pytest.approx(expected["colour"] + 0.25 * expected["season"])
    total, found = loss.balance(terms)
    assert torch.equal(total, loss.total(terms))
    assert {name: weight.item() for name, weight in found.items()} == task_weights


def test_a_term_is_the_mean_of_the_items_that_are_not_masked() -> None:
    loss = build_loss({"a": COUNTS, "b": COUNTS[:2]}, {"a": 1.0, "b": 1.0}, LossConfig())
    labels = torch.tensor([0, 1, -1, 3, 2])
    assert {name: int(count) for name, count in loss.items({"a": labels, "b": labels}).items()} == {"a": 4, "b": 2}


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_of_half_precision_logits_is_computed_in_float32(kind: str) -> None:
    loss = build_loss({"colour": COUNTS}, {"colour": 1.0}, LossConfig(kind=kind, class_weights="none"))
    logits, labels = _logits().detach().bfloat16(), torch.tensor([0, 1, 2, 3, 3, 2, 0, 0])
    term = loss({"colour": logits}, {"colour": labels})["colour"]
    assert term.dtype == torch.float32
    assert torch.equal(term, loss({"colour": logits.float()}, {"colour": labels})["colour"])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("classes", [1, 4])
def test_a_head_without_a_label_in_the_batch_gives_zero_and_zero_gradients(kind: str, classes: int) -> None:
    loss = build_loss({"colour": COUNTS[:classes]}, {"colour": 1.0}, LossConfig(kind=kind, class_weights="none"))
    logits = _logits(8, classes)
    term = loss({"colour": logits}, {"colour": torch.full((8,), -1)})["colour"]
    term.backward()
    assert term.item() == 0
    assert torch.equal(logits.grad, torch.zeros(8, classes))


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_of_one_class_costs_nothing(kind: str) -> None:
    loss = build_loss({"colour": COUNTS[:1]}, {"colour": 1.0}, LossConfig(kind=kind, class_weights="none"))
    logits = _logits(8, 1)
    term = loss({"colour": logits}, {"colour": torch.zeros(8, dtype=torch.long)})["colour"]
    term.backward()
    assert term.item() == 0
    assert torch.equal(logits.grad, torch.zeros(8, 1))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_made_from_the_training_rows_is_not_saved_with_the_model(kind: str) -> None:
    loss = build_loss({"colour": COUNTS}, {"colour": 1.0}, LossConfig(kind=kind, class_weights="none"))
    assert not loss.state_dict()


def test_attributes_may_bear_names_that_modules_use() -> None:
    loss = build_loss(dict.fromkeys(AWKWARD, COUNTS), dict.fromkeys(AWKWARD, 1.0) | {"training": 2.0}, LossConfig())
    labels = torch.arange(8) % 4
    terms = loss(dict.fromkeys(AWKWARD, _logits()), dict.fromkeys(AWKWARD, labels))
    one = F.cross_entropy(_logits(), labels, _of_counts(COUNTS)).item()
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(dict.fromkeys(AWKWARD, one))
    assert loss.total(terms).item() == pytest.approx((len(AWKWARD) + 1) * one)
