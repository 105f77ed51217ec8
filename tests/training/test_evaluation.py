"""Scores equal scikit-learn's and a loop's over the items."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score

from fashionmt.attributes import LabelSpace
from fashionmt.confidence import Threshold, Thresholds
from fashionmt.decoding import Decoder, Decoders
from fashionmt.taxonomy import Taxonomy
from fashionmt.training.answers import Answers
from fashionmt.training.calibration import BINS, calibration_error
from fashionmt.training.evaluation import score


def test_scores_equal_scikit_learns() -> None:
    draw = np.random.default_rng(0)
    spaces = {
        "colour": LabelSpace("colour", ("black", "red", "blue"), ("plum",)),
        "season": LabelSpace("season", ("summer", "winter")),
    }
    logits = {name: torch.tensor(draw.normal(size=(50, len(space)))) for name, space in spaces.items()}
    labels = {name: torch.tensor(draw.integers(-1, len(space.every_class), 50)) for name, space in spaces.items()}
    said = {name: value.argmax(1).numpy() for name, value in logits.items()}
    found = score(Answers(logits, labels, torch.zeros(50, 1), ["image"] * 50), spaces, Decoders(Decoder()))

    expected = {}
    for name, space in spaces.items():
        kept = labels[name].numpy() >= 0
        true, answered = labels[name].numpy()[kept], said[name][kept]
        expected[name] = {
            "accuracy": pytest.approx(accuracy_score(true, answered)),
            "macro_f1": pytest.approx(f1_score(true, answered, average="macro", zero_division=0)),
            "ece": pytest.approx(
                calibration_error(logits[name].softmax(1).max(1).values[kept], torch.tensor(true == answered))
            ),
            "classes": len(space.classes),
            "items": int(kept.sum()),
        }
    right = [
        all(labels[name][i] in (-1, said[name][i]) for name in spaces)
        for i in range(50)
        if any(labels[name][i] >= 0 for name in spaces)
    ]
    assert found == {
        "attributes": expected,
        "exact_match": pytest.approx(sum(right) / len(right)),
        "ece_bins": BINS,
        "items": 50,
    }


SPACES = {
    "type": LabelSpace("type", ("dress", "shirt", "shoe"), ("kite",)),
    "group": LabelSpace("group", ("clothes", "footwear")),
    "season": LabelSpace("season", ("summer", "winter")),
}
TAXONOMY = Taxonomy(("type", "group"), ((0, 0), (1, 0), (2, 1)), (1, 1, 1))


def _answers(items: int = 60) -> Answers:
    draw = torch.Generator().manual_seed(0)
    logits = {name: 2 * torch.randn(items, len(space), generator=draw) for name, space in SPACES.items()}
    labels = {n: torch.randint(-1, len(s.every_class), (items,), generator=draw) for n, s in SPACES.items()}
    return Answers(logits, labels, torch.zeros(items, 1), ["image+text", "image"] * (items // 2))


def test_what_is_scored_is_the_decoded_answer() -> None:
    answers, decoder = _answers(), Decoder({"season": 1.3}, {"type": [0.0, 1.0, -1.0]}, TAXONOMY, 1.2)
    found = score(answers, SPACES, Decoders(decoder))
    decoded = decoder(answers.logits)
    for name in SPACES:
        kept = answers.labels[name] >= 0
        right = (decoded.answers[name] == answers.labels[name])[kept]
        assert found["attributes"][name]["accuracy"] == pytest.approx(right.double().mean().item())
        ece = calibration_error(decoded.confidence[name][kept], right)
        assert found["attributes"][name]["ece"] == pytest.approx(ece)
    assert found["attributes"] != score(answers, SPACES, Decoders(Decoder()))["attributes"]


def test_a_threshold_is_scored_by_what_it_accepts() -> None:
    answers = _answers()
    decoded = Decoder()(answers.logits)
    cuts = {"type": Threshold(0.9, 0.7), "group": Threshold(0.8, None), "season": Threshold(0.7, 0.0)}
    found = score(answers, SPACES, Decoders(Decoder(thresholds=Thresholds(cuts, Threshold(0.6, 0.2)))))

    accepted, right = [], []
    for confidence, answer, label in zip(
        decoded.confidence["type"].tolist(),
        decoded.answers["type"].tolist(),
        answers.labels["type"].tolist(),
        strict=True,
    ):
        if label >= 0:
            accepted.append(confidence >= 0.7)
            right.append(answer == label)
    among = [r for r, a in zip(right, accepted, strict=True) if a]
    row = found["attributes"]["type"]
    assert (row["target_accuracy"], row["threshold"]) == (0.9, 0.7)
    assert row["accepted"] == pytest.approx(sum(accepted) / len(accepted))
    assert row["accepted_accuracy"] == pytest.approx(sum(among) / len(among))
    row = found["attributes"]["group"]
    assert (row["threshold"], row["accepted"], row["accepted_accuracy"]) == (None, 0.0, None)
    row = found["attributes"]["season"]
    assert (row["accepted"], row["accepted_accuracy"]) == (1.0, pytest.approx(row["accuracy"]))

    right, accepted = [], []
    for item in range(60):
        labels = {name: int(answers.labels[name][item]) for name in SPACES}
        if any(label >= 0 for label in labels.values()):
            right.append(all(label in (-1, int(decoded.answers[name][item])) for name, label in labels.items()))
            accepted.append(float(decoded.item_confidence[item]) >= 0.2)
    among = [r for r, a in zip(right, accepted, strict=True) if a]
    assert found["item"] == {
        "target_accuracy": 0.6,
        "threshold": 0.2,
        "accepted": pytest.approx(sum(accepted) / len(accepted)),
        "accepted_accuracy": pytest.approx(sum(among) / len(among)),
    }
    assert found["exact_match"] == pytest.approx(sum(right) / len(right))


def test_each_item_is_scored_by_what_it_showed() -> None:
    answers = _answers()
    heads = {name: Threshold(0.9, 0.0) for name in SPACES}
    laxer = Decoder({"season": 9.0}, thresholds=Thresholds(heads, Threshold(0.9, 0.0)))
    found = score(
        answers, SPACES, Decoders(Decoder(thresholds=Thresholds(heads, Threshold(0.9, None))), {"image": laxer})
    )
    shown = answers.showing("image")
    labelled = torch.stack(list(answers.labels.values())).ge(0).any(0)
    assert found["item"]["accepted"] == pytest.approx(float(shown[labelled].double().mean()))
    assert found["item"]["threshold"] is None
    alone = score(answers.where(shown), SPACES, Decoders(laxer))
    assert alone["items"] == 30
    assert alone["item"]["accepted"] == 1
    assert alone["attributes"]["season"]["ece"] != found["attributes"]["season"]["ece"]


def test_what_has_no_label_has_no_figure() -> None:
    """A 0 would say that all is wrong."""
    answers = _answers()
    none = {name: torch.full_like(value, -1) for name, value in answers.labels.items()}
    one = score(replace(answers, labels=answers.labels | {"season": none["season"]}), SPACES, Decoders(Decoder()))
    row = one["attributes"]["season"]
    assert (row["accuracy"], row["macro_f1"], row["ece"], row["items"]) == (None, None, None, 0)
    assert one["exact_match"] is not None
    every = score(replace(answers, labels=none), SPACES, Decoders(Decoder()))
    assert every["exact_match"] is None
    json.dumps(every, allow_nan=False)
