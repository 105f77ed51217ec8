"""The temperature is the known one where there is one, never changes an answer, and is finite whatever comes; its
effect is measured as a plain loop would."""

import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from fashionmt.confidence import ConfidenceMap
from fashionmt.decoding import Decoder, joint_scores
from fashionmt.taxonomy import Taxonomy
from fashionmt.training.calibration import (
    calibration_error,
    fit_decoder,
    fit_map,
    fit_temperature,
)

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


# Of the whole decoder

TAXONOMY = Taxonomy(("type", "group"), tuple((i, i // 2) for i in range(6)), (1,) * 6)


def _redundant(true_temperature: float, count: int = 20_000) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Labels of a type drawn from its logits, a group that only repeats what the type says, and a colour apart."""
    draw = torch.Generator().manual_seed(0)
    logits = {"type": 2 * torch.randn(count, 6, generator=draw), "colour": torch.randn(count, 3, generator=draw)}
    labels = {n: torch.multinomial(v.softmax(1), 1, generator=draw).squeeze(1) for n, v in logits.items()}
    logits["group"] = logits["type"].softmax(1).view(count, 3, 2).sum(2).log()
    labels["group"] = labels["type"] // 2
    return {name: value * true_temperature for name, value in logits.items()}, labels


def test_the_decoder_has_every_heads_own_temperature_after_its_shift() -> None:
    logits, labels = _redundant(2.0)
    shift = [1.0, -2.0, 0.5]
    moved = logits | {"colour": logits["colour"] + torch.tensor(shift)}
    plain, shifted = fit_decoder(logits, labels), fit_decoder(moved, labels, Decoder(shifts={"colour": shift}))
    assert dict(plain.temperatures) == {name: fit_temperature(logits[name], labels[name]) for name in logits}
    assert shifted.temperatures["colour"] == pytest.approx(plain.temperatures["colour"], rel=1e-5)
    assert (plain.taxonomy, plain.joint_temperature) == (None, 1.0)
    assert plain.confidence_maps is not None
    assert plain.confidence_maps.heads.keys() == logits.keys()


def test_evidence_that_heads_repeat_is_taken_back_by_the_joint_temperature() -> None:
    logits, labels = _redundant(1.0)
    decoder = fit_decoder(logits, labels, Decoder(taxonomy=TAXONOMY))
    scores = joint_scores(decoder.heads(logits), TAXONOMY)
    assert decoder.joint_temperature == fit_temperature(scores, labels["type"])
    assert decoder.joint_temperature > 1.1
    for name in ("type", "group"):
        errors = []
        for tried in (decoder, Decoder(decoder.temperatures, taxonomy=TAXONOMY)):
            decoded = tried(logits)
            errors.append(calibration_error(decoded.confidence[name], decoded.answers[name] == labels[name]))
        assert None not in errors
        assert errors[0] < 0.5 * errors[1]


def test_items_whose_labels_are_no_combination_do_not_count_for_it() -> None:
    logits, labels = _redundant(1.0, 300)
    labels["group"][::3], labels["group"][1::3] = -1, (labels["group"][1::3] + 1) % 3
    kept = {name: value[2::3] for name, value in logits.items()}, {n: v[2::3] for n, v in labels.items()}
    decoder = fit_decoder(logits, labels, Decoder(taxonomy=TAXONOMY))
    scores = joint_scores(decoder.heads(kept[0]), TAXONOMY)
    assert decoder.joint_temperature == pytest.approx(fit_temperature(scores, kept[1]["type"]))


# Maps of confidences


def _bent(count: int = 20_000, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Answers that are right as often as a map with known numbers says of their confidence."""
    draw = torch.Generator().manual_seed(seed)
    confidence = 0.25 + 0.75 * torch.rand(count, generator=draw, dtype=torch.float64)
    return confidence, torch.rand(count, generator=draw) < ConfidenceMap(0.5, 0.8, 0.3)(confidence)


def test_the_map_is_that_of_an_unpenalised_logistic_regression() -> None:
    confidence, right = _bent()
    features = torch.stack([confidence.log(), -(-confidence).log1p()], dim=1).numpy()
    reference = LogisticRegression(C=torch.inf, tol=1e-8, max_iter=1000).fit(features, right.numpy())
    found = fit_map(confidence, right)
    assert (found.a, found.b, found.m) == pytest.approx([*reference.coef_[0], reference.intercept_[0]], abs=0.05)
    assert (found.a, found.b, found.m) == pytest.approx((0.5, 0.8, 0.3), abs=0.25)


def test_mapped_confidences_of_other_answers_are_honest() -> None:
    found, (confidence, right) = fit_map(*_bent(seed=0)), _bent(seed=1)
    before, after = calibration_error(confidence, right), calibration_error(found(confidence), right)
    assert before is not None
    assert after is not None
    assert after < 0.015 < 0.05 < before


def test_a_map_never_falls() -> None:
    """The surer, the more often wrong."""
    confidence, _ = _bent(2000)
    found = fit_map(confidence, torch.rand(2000, generator=torch.Generator().manual_seed(0)) > confidence)
    assert found.a >= 0
    assert found.b >= 0


@pytest.mark.parametrize("count", [0, 1, 30])
def test_few_answers_or_answers_all_right_hardly_bend_it(count: int) -> None:
    confidence = torch.full((count,), 0.9, dtype=torch.float64)
    found = fit_map(confidence, torch.ones(count, dtype=torch.bool))
    tried = torch.tensor([0.3, 0.6, 0.9, 1.0], dtype=torch.float64)
    assert bool((found(tried) - tried).abs().max() < (0.1 if count else 1e-9))


# Measured


def _answers() -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(1)
    confidence = torch.rand(500, generator=draw, dtype=torch.float64)
    return confidence, torch.rand(500, generator=draw) < confidence**2


@pytest.mark.parametrize("bins", [1, 7, 15])
def test_the_calibration_error_is_the_hand_loops(bins: int) -> None:
    confidence, right = _answers()
    expected = 0.0
    for i in range(bins):
        inside = [j for j, c in enumerate(confidence.tolist()) if i / bins < c <= (i + 1) / bins]
        if inside:
            mean = sum(confidence[j].item() for j in inside) / len(inside)
            expected += len(inside) / 500 * abs(mean - sum(right[j].item() for j in inside) / len(inside))
    assert calibration_error(confidence, right, bins) == pytest.approx(expected)


def test_calibrated_answers_have_hardly_any_error_and_boastful_ones_all_of_it() -> None:
    logits, labels = _sampled(1.0)
    confidence, answers = logits.softmax(1).max(1)
    assert calibration_error(confidence, answers == labels) == pytest.approx(0, abs=0.015)
    sure = torch.ones(50, dtype=torch.float64)
    assert calibration_error(sure, torch.arange(50) < 20) == pytest.approx(0.6)
    assert calibration_error(sure[:0], sure[:0].bool()) is None
