"""Metrics equal scikit-learn's over all batches together, missing and unlearned labels included."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, f1_score
from tiny import AWKWARD
from torch import Tensor, nn

from fashionmt.attributes import MISSING, LabelSpace
from fashionmt.training.metrics import TaggerMetrics
from fashionmt.training.module import EpochMeans

SPACES = {
    "colour": LabelSpace("colour", ("black", "red", "blue", "green"), ("plum", "teal")),
    "season": LabelSpace("season", ("summer", "winter")),
    "gender": LabelSpace("gender", ("men", "women", "unisex"), ("boys",)),
}
Columns = dict[str, Tensor]


def _random(spaces: Mapping[str, LabelSpace], seed: int, count: int = 30) -> tuple[Columns, Columns]:
    """Answers among the learned classes, and labels among all classes and missing ones; about half agree."""
    draw = np.random.default_rng(seed)
    answers = {name: draw.integers(0, len(space), count) for name, space in spaces.items()}
    labels = {name: draw.integers(MISSING, len(space.every_class), count) for name, space in spaces.items()}
    for name in spaces:
        labels[name] = np.where(draw.random(count) < 0.4, answers[name], labels[name])
    return {n: torch.tensor(v) for n, v in answers.items()}, {n: torch.tensor(v) for n, v in labels.items()}


def _expected(spaces: Mapping[str, LabelSpace], answers: Columns, labels: Columns) -> dict[str, float]:
    found: dict[str, Any] = {}
    for name in spaces:
        kept = labels[name] != MISSING
        true, said = labels[name][kept].numpy(), answers[name][kept].numpy()
        found[f"accuracy/{name}"] = accuracy_score(true, said)
        found[f"macro_f1/{name}"] = f1_score(true, said, average="macro", zero_division=0)
    for kind in ("accuracy", "macro_f1"):
        found[f"{kind}/mean"] = sum(found[f"{kind}/{name}"] for name in spaces) / len(spaces)
    right = []
    for row in range(len(next(iter(labels.values())))):
        known = [name for name in spaces if labels[name][row] != MISSING]
        if known:
            right.append(all(answers[name][row] == labels[name][row] for name in known))
    return found | {"exact_match": sum(right) / len(right)}


def _update(metrics: TaggerMetrics, answers: Columns, labels: Columns, batch_sizes: list[int]) -> None:
    start = 0
    for size in batch_sizes:
        part = slice(start, start + size)
        metrics.update({n: v[part] for n, v in answers.items()}, {n: v[part] for n, v in labels.items()})
        start += size


@pytest.mark.parametrize("batch_sizes", [[30], [7, 1, 22], [1] * 30])
@pytest.mark.parametrize("seed", range(5))
def test_every_value_equals_scikit_learns_over_all_batches(seed: int, batch_sizes: list[int]) -> None:
    answers, labels = _random(SPACES, seed)
    metrics = TaggerMetrics(SPACES)
    _update(metrics, answers, labels, batch_sizes)
    assert metrics.compute() == pytest.approx(_expected(SPACES, answers, labels), abs=1e-6)


def test_classes_that_never_occur_do_not_enter_macro_f1() -> None:
    space = {"size": LabelSpace("size", tuple("abcdefgh"))}
    metrics = TaggerMetrics(space)
    metrics.update({"size": torch.tensor([0, 0, 1])}, {"size": torch.tensor([0, 0, 1])})
    assert metrics.compute()["macro_f1/size"] == 1


def test_an_unlearned_class_is_always_a_mistake_and_enters_macro_f1_with_zero() -> None:
    space = {"size": LabelSpace("size", ("s", "l"), ("xs",))}
    metrics = TaggerMetrics(space)
    metrics.update({"size": torch.tensor([0, 1, 1, 0])}, {"size": torch.tensor([0, 1, 1, 2])})
    found = metrics.compute()
    assert found["accuracy/size"] == pytest.approx(3 / 4)
    assert found["exact_match"] == pytest.approx(3 / 4)
    assert found["macro_f1/size"] == pytest.approx((2 / 3 + 1 + 0) / 3)


def test_an_item_is_right_by_the_labels_it_has_and_without_any_it_does_not_count() -> None:
    metrics = TaggerMetrics({name: SPACES[name] for name in ("colour", "season")})
    metrics.update(
        {"colour": torch.tensor([0, 1, 2, 3]), "season": torch.tensor([0, 0, 0, 0])},
        {"colour": torch.tensor([0, MISSING, 2, MISSING]), "season": torch.tensor([MISSING, 1, 0, MISSING])},
    )
    assert metrics.compute()["exact_match"] == pytest.approx(2 / 3)


def test_two_classes_are_scored_as_any_other_number_is() -> None:
    space = {"season": SPACES["season"]}
    answers, labels = _random(space, 3)
    metrics = TaggerMetrics(space)
    _update(metrics, answers, labels, [30])
    assert metrics.compute() == pytest.approx(_expected(space, answers, labels), abs=1e-6)


def test_an_attribute_without_a_label_has_no_figures_and_is_in_no_mean() -> None:
    spaces = {name: SPACES[name] for name in ("colour", "season")}
    metrics = TaggerMetrics(spaces)
    answers = {"colour": torch.tensor([0, 1, 2, 3]), "season": torch.tensor([0, 0, 1, 1])}
    missing = torch.full((4,), MISSING)
    metrics.update(answers, {"colour": torch.tensor([0, 1, 2, 0]), "season": missing})
    alone = TaggerMetrics({"colour": SPACES["colour"]})
    alone.update(answers, {"colour": torch.tensor([0, 1, 2, 0])})
    assert metrics.compute() == alone.compute()
    assert metrics.compute()["accuracy/mean"] == 3 / 4
    metrics.reset()
    metrics.update(answers, {"colour": missing, "season": torch.tensor([0, 0, 1, 0])})
    assert metrics.compute()["accuracy/mean"] == metrics.compute()["accuracy/season"] == 3 / 4
    assert "macro_f1/colour" not in metrics.compute()


def test_reset_forgets_everything() -> None:
    metrics = TaggerMetrics(SPACES)
    _update(metrics, *_random(SPACES, 0), [30])
    metrics.reset()
    answers, labels = _random(SPACES, 1)
    _update(metrics, answers, labels, [30])
    assert metrics.compute() == pytest.approx(_expected(SPACES, answers, labels), abs=1e-6)


def test_attributes_may_bear_names_that_modules_use() -> None:
    spaces = {name: LabelSpace(name, ("a", "b", "c")) for name in AWKWARD}
    answers, labels = _random(spaces, 2)
    metrics = TaggerMetrics(spaces)
    _update(metrics, answers, labels, [30])
    assert metrics.compute() == pytest.approx(_expected(spaces, answers, labels), abs=1e-6)


# Means of the losses


def test_means_are_weighted_by_the_items_of_each_batch() -> None:
    means = EpochMeans(("total", *AWKWARD))
    for value, items in ((1.0, 10), (4.0, 20)):
        means.update({name: torch.tensor(value * (i + 1)) for i, name in enumerate(means.names)}, items)
    found = {name: value.item() for name, value in means.compute_and_reset().items()}
    assert found == pytest.approx({name: 3.0 * (i + 1) for i, name in enumerate(means.names)})


def test_each_mean_has_its_own_items_and_of_none_there_is_none() -> None:
    means = EpochMeans(("a", "b", "c"))
    for value, items in ((1.0, (3, 0, 0)), (5.0, (1, 2, 0))):
        counts = {name: torch.tensor(count) for name, count in zip("abc", items, strict=True)}
        means.update({name: torch.tensor(value) for name in "abc"}, counts)
    assert {name: value.item() for name, value in means.compute_and_reset().items()} == {"a": 2, "b": 5}


@pytest.mark.filterwarnings("ignore:Encountered `nan` values")
def test_a_mean_of_no_number_alone_is_not_hidden() -> None:
    means = EpochMeans(("total",))
    means.update({"total": torch.tensor(float("nan"))}, 3)
    assert means.compute_and_reset()["total"].isnan()


def test_means_begin_again_after_they_were_read() -> None:
    means = EpochMeans(("total",))
    means.update({"total": torch.tensor(5.0)}, 3)
    means.compute_and_reset()
    means.update({"total": torch.tensor(2.0)}, 1)
    assert means.compute_and_reset()["total"].item() == 2


def test_means_go_on_from_a_checkpoint() -> None:
    first, second = EpochMeans(("total", "type")), EpochMeans(("total", "type"))
    first.update({"total": torch.tensor(1.0), "type": torch.tensor(2.0)}, 3)
    nn.Module.load_state_dict(second, first.state_dict())
    second.update({"total": torch.tensor(5.0), "type": torch.tensor(6.0)}, 1)
    found = {name: value.item() for name, value in second.compute_and_reset().items()}
    assert found == pytest.approx({"total": 2.0, "type": 3.0})
