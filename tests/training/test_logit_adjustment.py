"""The prior is the training share, the shift its definition, and the chosen tau the best of those that cost no more
accuracy than allowed."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from torch import Tensor

from fashionmt.training.logit_adjustment import TAUS, accuracy, choose_shifts, choose_tau, log_prior, macro_f1, shift

COUNTS = np.array([900, 80, 20])
CANDIDATES = (0.25, 0.5, 0.75, 1.0, 1.5)


def _imbalanced(count: int = 3000, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Items of a Gaussian a class, and the logits of Bayes' rule under the imbalanced prior."""
    draw = np.random.default_rng(seed)
    labels = draw.choice(3, count, p=COUNTS / COUNTS.sum())
    points = 1.2 * np.eye(3)[labels] + draw.normal(size=(count, 3))
    logits = 1.2 * points + np.log(COUNTS / COUNTS.sum())
    return torch.tensor(logits, dtype=torch.float32), torch.tensor(labels)


def test_the_prior_is_the_share_of_each_class_and_finite_for_an_absent_one() -> None:
    torch.testing.assert_close(log_prior(COUNTS).exp(), torch.tensor([0.9, 0.08, 0.02]))
    torch.testing.assert_close(log_prior(np.array([3, 0, 6])).exp(), torch.tensor([0.3, 0.1, 0.6]))
    assert log_prior(np.array([7])).tolist() == [0]
    torch.testing.assert_close(log_prior(np.zeros(4, dtype=np.int64)).exp(), torch.full((4,), 0.25))


def test_the_shift_takes_the_prior_out() -> None:
    """p(class | item) / p(class), made to sum to 1, is what the shifted logits say at tau = 1."""
    logits, _ = _imbalanced(20)
    prior = torch.tensor(COUNTS / COUNTS.sum(), dtype=torch.float32)
    expected = logits.softmax(1) / prior
    torch.testing.assert_close(shift(logits, log_prior(COUNTS), 1.0).softmax(1), expected / expected.sum(1, True))
    assert torch.equal(shift(logits, log_prior(COUNTS), 0.0), logits)


def test_the_shift_keeps_the_logits_precision() -> None:
    assert shift(torch.zeros(2, 3).bfloat16(), log_prior(COUNTS), 1.0).dtype == torch.bfloat16


@pytest.mark.parametrize("seed", range(5))
def test_the_metrics_are_scikit_learns(seed: int) -> None:
    draw = np.random.default_rng(seed)
    answers, labels = draw.integers(0, 4, 30), draw.integers(0, 6, 30)  # labels 4 and 5 are unlearned
    given = torch.tensor(answers), torch.tensor(labels)
    assert accuracy(*given) == pytest.approx(accuracy_score(labels, answers))
    assert macro_f1(*given) == pytest.approx(f1_score(labels, answers, average="macro"))


@pytest.mark.parametrize("drop", [0.0, 0.01, 0.05, 1.0])
@pytest.mark.parametrize("score", [macro_f1, accuracy])
def test_no_candidate_that_is_allowed_scores_better(drop: float, score: object) -> None:
    metric = macro_f1 if score is macro_f1 else accuracy
    logits, labels = _imbalanced()
    tau = choose_tau(logits, labels, log_prior(COUNTS), CANDIDATES, metric, drop)
    answers = {t: shift(logits, log_prior(COUNTS), t).argmax(1) for t in (0.0, *CANDIDATES)}
    allowed = {t: a for t, a in answers.items() if accuracy(a, labels) >= accuracy(answers[0.0], labels) - drop}
    assert tau in allowed
    assert metric(allowed[tau], labels) == max(metric(a, labels) for a in allowed.values())


def test_what_may_be_lost_of_accuracy_buys_macro_f1() -> None:
    logits, labels = _imbalanced()
    careful, free = (choose_tau(logits, labels, log_prior(COUNTS), CANDIDATES, accuracy_drop=d) for d in (0.0, 1.0))
    f1 = {tau: macro_f1(shift(logits, log_prior(COUNTS), tau).argmax(1), labels) for tau in (careful, free)}
    assert 0 <= careful < free
    assert f1[free] > f1[careful]


def test_of_equally_good_ones_the_nearest_to_zero_is_taken() -> None:
    labels = torch.tensor([0, 1, 2])
    certain = 100.0 * torch.eye(3)
    assert choose_tau(certain, labels, log_prior(COUNTS), (1.0, 0.5, -0.5)) == 0.0
    one_wrong = certain.clone()
    one_wrong[2] = torch.tensor([0.1, 0.0, 0.0])  # right from tau = 0.1 / log(45) on
    assert choose_tau(one_wrong, labels, log_prior(COUNTS), (1.0, 0.25, 0.5)) == 0.25


@pytest.mark.parametrize("labels", [[], [-1, -1]])
def test_without_a_label_nothing_is_shifted(labels: list[int]) -> None:
    given = torch.randn(len(labels), 3), torch.tensor(labels, dtype=torch.long)
    assert choose_tau(*given, log_prior(COUNTS), CANDIDATES) == 0.0


def test_missing_labels_are_skipped_and_unlearned_ones_are_mistakes() -> None:
    logits, labels = _imbalanced(300)
    hidden = labels.clone()
    hidden[::3] = -1
    kept = hidden >= 0
    seen: list[float] = []

    def noting(answers: Tensor, of: Tensor) -> float:
        seen.append(accuracy(answers, of))
        return macro_f1(answers, of)

    assert choose_tau(logits, hidden, log_prior(COUNTS), CANDIDATES, noting, 1.0) == choose_tau(
        logits[kept], labels[kept], log_prior(COUNTS), CANDIDATES, accuracy_drop=1.0
    )
    hidden[:150] = 3
    choose_tau(logits, hidden, log_prior(COUNTS), (), noting)
    items = hidden >= 0
    assert seen[-1] == pytest.approx(float((logits.argmax(1) == hidden)[items].double().mean()))
    assert seen[-1] < seen[0]


def test_a_head_of_one_class_is_left_alone() -> None:
    assert choose_tau(torch.randn(4, 1), torch.zeros(4, dtype=torch.long), log_prior(COUNTS[:1]), CANDIDATES) == 0.0


def test_bayes_logits_need_tau_one_for_balanced_accuracy() -> None:
    """Macro-averaged recall, of logits that know the prior, is best near tau = 1 (section 3 of the paper)."""
    logits, labels = _imbalanced(60_000)

    def balanced(answers: Tensor, of: Tensor) -> float:
        return float(torch.stack([(answers[of == c] == c).double().mean() for c in range(3)]).mean())

    tau = choose_tau(logits, labels, log_prior(COUNTS), [i / 4 for i in range(9)], balanced, 1.0)
    assert math.isclose(tau, 1.0, abs_tol=0.25)


def test_heads_that_gain_nothing_are_not_shifted_and_the_others_by_their_own_tau() -> None:
    logits, labels = _imbalanced()
    balanced = torch.eye(3)[labels] * 20  # always right
    heads = {"kind": logits, "colour": balanced}
    found = choose_shifts(heads, {"kind": labels, "colour": labels}, {"kind": COUNTS, "colour": COUNTS})
    tau = choose_tau(logits, labels, log_prior(COUNTS), TAUS)
    expected = {"kind": pytest.approx((tau * log_prior(COUNTS)).tolist())} if tau else {}
    assert found == expected


def test_a_shift_is_found_where_one_costs_nothing() -> None:
    """The rare class is right but for the prior that was added to it."""
    labels = torch.arange(3).repeat(100)
    logits = torch.eye(3)[labels] * 2 + log_prior(COUNTS)
    shifts = choose_shifts({"kind": logits}, {"kind": labels}, {"kind": COUNTS})
    assert accuracy((logits - torch.tensor(shifts["kind"])).argmax(1), labels) == 1.0
    assert accuracy(logits.argmax(1), labels) < 1.0
