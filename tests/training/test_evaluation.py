"""Evaluation answers every item once, in order, as tagging would; scores equal scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from tiny import tiny_config, tiny_dataset, tiny_tagger

from fashionmt.attributes import LabelSpace
from fashionmt.data import CatalogueDataset
from fashionmt.model import Tagger
from fashionmt.training.evaluation import Answers, collect_answers, score

CPU = torch.device("cpu")
CLASSES = {"row": 11, "colour": 4}


@pytest.fixture(scope="module")
def dataset() -> CatalogueDataset:
    whole = tiny_dataset(11)
    return CatalogueDataset(whole.items, np.array([7, 0, 2, 10, 3, 9, 5]))


@pytest.fixture
def tagger() -> Tagger:
    return tiny_tagger(tiny_config(drop_image=0.4, drop_title=0.4), CLASSES)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 64])
def test_logits_and_labels_are_each_items_own_in_the_datasets_order(
    tagger: Tagger, dataset: CatalogueDataset, batch_size: int
) -> None:
    answers = collect_answers(tagger, dataset, CPU, batch_size)
    assert answers.labels["row"].tolist() == [7, 0, 2, 10, 3, 9, 5]
    for position in range(7):
        with torch.no_grad():
            alone = tagger(dataset[[position]]).logits
        for name in CLASSES:
            torch.testing.assert_close(answers.logits[name][position], alone[name][0], rtol=1e-3, atol=1e-5)


def test_a_tagger_in_training_is_evaluated_without_dropping_or_learning(
    tagger: Tagger, dataset: CatalogueDataset
) -> None:
    expected = collect_answers(tagger, dataset, CPU, 4)
    before = {name: value.clone() for name, value in tagger.state_dict().items()}
    answers = collect_answers(tagger.train(), dataset, CPU, 4)
    assert all(torch.equal(answers.logits[name], expected.logits[name]) for name in CLASSES)
    assert all(torch.equal(value, before[name]) for name, value in tagger.state_dict().items())


def test_scores_equal_scikit_learns() -> None:
    draw = np.random.default_rng(0)
    spaces = {
        "colour": LabelSpace("colour", ("black", "red", "blue"), ("plum",)),
        "season": LabelSpace("season", ("summer", "winter")),
    }
    logits = {name: torch.tensor(draw.normal(size=(50, len(space)))) for name, space in spaces.items()}
    labels = {name: torch.tensor(draw.integers(-1, len(space.every_class), 50)) for name, space in spaces.items()}
    said = {name: value.argmax(1).numpy() for name, value in logits.items()}
    found = score(Answers(logits, labels, torch.zeros(len(labels["colour"]), 1)), spaces)

    expected = {}
    for name, space in spaces.items():
        kept = labels[name].numpy() >= 0
        true, answered = labels[name].numpy()[kept], said[name][kept]
        expected[name] = {
            "accuracy": pytest.approx(accuracy_score(true, answered)),
            "macro_f1": pytest.approx(f1_score(true, answered, average="macro", zero_division=0)),
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
        "items": 50,
    }
