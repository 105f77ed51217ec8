"""Shares of answers: those that held-out labels were drawn with, none below 0, and none that answers worse."""

import pytest
import torch

from fashionmt.training.stacking import choose_shares

AS_IS = (1.0, 0.0)


def drawn(shares: tuple[float, ...], count: int = 20_000) -> tuple[list[torch.Tensor], torch.Tensor]:
    """Answers of four classes, and labels drawn from their sum in `shares`."""
    draw = torch.Generator().manual_seed(0)
    answers = [torch.randn(count, 4, generator=draw, dtype=torch.float64) for _ in shares]
    logits = sum(share * answer for share, answer in zip(shares, answers, strict=True))
    assert isinstance(logits, torch.Tensor)
    return answers, torch.multinomial(logits.softmax(1), 1, generator=draw).squeeze(1)


@pytest.mark.parametrize("shares", [(1.5, 0.7), (0.6, 0.2, 1.1)])
def test_shares_are_those_that_the_labels_were_drawn_with(shares: tuple[float, ...]) -> None:
    answers, labels = drawn(shares)
    labels[:50] = -1
    labels[50:99] = 4
    assert choose_shares(answers, labels, (1.0,) + (0.0,) * (len(shares) - 1)) == pytest.approx(shares, abs=0.07)


def test_an_answer_that_speaks_against_the_labels_has_none() -> None:
    (good, other), labels = drawn((1.5, 0.7))
    assert choose_shares([good, -other], labels, AS_IS)[1] == 0.0


def test_without_a_learned_label_nothing_changes() -> None:
    answers, labels = drawn((1.5, 0.7), 100)
    assert choose_shares(answers, torch.full_like(labels, -1), AS_IS) == AS_IS
    assert choose_shares(answers, torch.full_like(labels, 4), AS_IS) == AS_IS


def test_an_item_counts_what_it_weighs() -> None:
    (good, other), labels = drawn((1.5, 0.7))
    both = [torch.cat([good, good]), torch.cat([other, -other])]
    weights = torch.cat([torch.ones(len(good)), torch.full((len(good),), 1e-9)])
    expected = choose_shares([good, other], labels, AS_IS)
    assert choose_shares(both, torch.cat([labels, labels]), AS_IS, weights) == pytest.approx(expected, abs=1e-3)
    assert choose_shares(both, torch.cat([labels, labels]), AS_IS)[1] < 0.1


def test_a_likelier_sum_that_answers_worse_is_left_out() -> None:
    labels = torch.zeros(100, dtype=torch.int64)
    logits = torch.tensor([[0.01, 0.0]]).repeat(100, 1)
    other = torch.tensor([[5.0, -5.0]] * 95 + [[-1.0, 1.0]] * 5).double()
    assert choose_shares([logits, other], labels, AS_IS) == AS_IS
    assert choose_shares([logits, other.abs() * other[0].sign()], labels, AS_IS)[1] > 0
