"""The temperature is the known one where there is one, never changes an answer, and is finite whatever comes."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fashionmt.training.calibration import fit_temperature

KINDS = ("random", "right", "wrong", "mostly right")


def _sampled(true_temperature: float, count: int = 20_000) -> tuple[Tensor, Tensor]:
    """Labels drawn from softmax(logits), and the logits multiplied by `true_temperature`."""
    draw = torch.Generator().manual_seed(0)
    logits = 2 * torch.randn(count, 5, generator=draw)
    labels = torch.multinomial(logits.softmax(1), 1, generator=draw).squeeze(1)
    return logits * true_temperature, labels


def _labelled(kind: str, scale: float, seed: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(40, 6, generator=draw)
    random = torch.randint(0, 6, (40,), generator=draw)
    labels = {
        "random": random,
        "right": logits.argmax(1),
        "wrong": logits.argmin(1),
        "mostly right": torch.where(torch.arange(40) < 36, logits.argmax(1), random),
    }
    return logits, labels[kind]


def _nll(logits: Tensor, labels: Tensor, temperature: float) -> float:
    return F.cross_entropy(logits.double() / temperature, labels).item()


@pytest.mark.parametrize("true_temperature", [0.3, 1.0, 2.5, 8.0])
def test_a_known_temperature_is_recovered(true_temperature: float) -> None:
    assert fit_temperature(*_sampled(true_temperature)) == pytest.approx(true_temperature, rel=0.03)


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0, 1000.0])
@pytest.mark.parametrize("kind", KINDS)
def test_no_temperature_of_a_fine_grid_is_better(kind: str, scale: float) -> None:
    for seed in range(3):
        logits, labels = _labelled(kind, scale, seed)
        temperature = fit_temperature(logits, labels)
        assert 0.05 <= temperature <= 20
        best = min(_nll(logits, labels, 0.05 * 400 ** (i / 300)) for i in range(301))
        assert _nll(logits, labels, temperature) <= best * (1 + 1e-6) + 1e-7


@pytest.mark.parametrize("kind", ["random", "mostly right"])
def test_it_lowers_the_cross_entropy(kind: str) -> None:
    logits, labels = _labelled(kind, 5.0, 0)
    assert _nll(logits, labels, fit_temperature(logits, labels)) < 0.95 * _nll(logits, labels, 1.0)


@pytest.mark.parametrize("kind", KINDS)
def test_it_never_changes_an_answer(kind: str) -> None:
    logits, labels = _labelled(kind, 5.0, 0)
    temperature = fit_temperature(logits, labels)
    assert torch.equal((logits / temperature).argmax(1), logits.argmax(1))


@pytest.mark.parametrize("labels", [[], [-1, -1], [-1, 3, 7]])
def test_it_is_one_where_nothing_is_labelled_with_a_learned_class(labels: list[int]) -> None:
    logits = torch.randn(len(labels), 3)
    assert fit_temperature(logits, torch.tensor(labels, dtype=torch.long)) == 1.0


def test_missing_and_unlearned_labels_are_skipped() -> None:
    logits, labels = _labelled("random", 5.0, 0)
    hidden = labels.clone()
    hidden[::3], hidden[1::3] = -1, 6
    assert fit_temperature(logits, hidden) == pytest.approx(fit_temperature(logits[2::3], labels[2::3]))


def test_perfect_answers_do_not_become_certain() -> None:
    logits, labels = _labelled("right", 1.0, 0)
    confidence = (logits / fit_temperature(logits, labels)).softmax(1)
    assert bool(confidence.isfinite().all())
    assert fit_temperature(logits, labels) == pytest.approx(0.05)


def test_the_logits_given_are_not_changed() -> None:
    logits, labels = _labelled("random", 5.0, 0)
    before = logits.clone()
    fit_temperature(logits, labels)
    assert torch.equal(logits, before)
