"""Every figure is drawn whatever the data, and shows what it should; where there is nothing to show it is None."""

import re

import numpy as np
import pandas as pd
import pytest

from fashionmt.attributes import LabelSpace
from fashionmt.run_report import Head, figures
from fashionmt.run_report.confusion import Confusion
from fashionmt.run_report.projection import Map
from tests.run_report.conftest import SPACES, epochs_of, random_head


def texts(svg: str | None) -> list[str]:
    assert svg is not None
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


def test_a_distribution_names_its_classes_most_items_first() -> None:
    space = SPACES["colour"]
    shown = texts(figures.distribution(np.array([5, 300, 0, 2, 1]), space))
    assert [text for text in shown if text in space.every_class] == ["blue", "black", "white", "plum", "red"]
    assert {"1", "10", "100"} <= set(shown)


@pytest.mark.parametrize("counts", [[0, 0], [1, 1], [10**7, 0]])
def test_a_distribution_of_two_classes(counts: list[int]) -> None:
    space = LabelSpace("type", ("shoe", "shirt"))
    assert {"shoe", "shirt"} <= set(texts(figures.distribution(np.array(counts), space)))


@pytest.mark.parametrize(("size", "named"), [(120, True), (figures.NAMED_CLASSES + 1, False)])
def test_many_classes_take_several_rows_or_lose_their_names(size: int, named: bool) -> None:
    space = LabelSpace("type", tuple(f"class {i}" for i in range(size)))
    shown = texts(figures.distribution(np.arange(size), space))
    assert (shown.count("training items"), "class 3" in shown) == ((3, True) if named else (1, False))


def test_curves_have_a_panel_for_each_head_and_one_for_all() -> None:
    epochs = epochs_of(list(SPACES))
    shown = texts(figures.loss_curves(epochs, list(SPACES)))
    assert {"all heads", *SPACES, "learning rate", "lr/0, lr/1", "lr/2", "train", "val"} <= set(shown)
    shown = texts(figures.score_curves(epochs, list(SPACES)))
    assert {"all heads", *SPACES, "accuracy", "macro-F1"} <= set(shown)


def test_a_single_epoch_of_a_single_head() -> None:
    epochs = epochs_of(["type"], 1)
    assert "all heads" not in texts(figures.loss_curves(epochs, ["type"]))
    assert "type" in texts(figures.score_curves(epochs, ["type"]))


def test_what_was_not_logged_has_no_curve() -> None:
    assert figures.loss_curves(pd.DataFrame(), ["type"]) is None
    assert figures.score_curves(pd.DataFrame({"train/loss": [1.0]}), ["type"]) is None


def test_a_confusion_map_marks_what_was_not_learned_and_sums_the_rest_up() -> None:
    space = LabelSpace("type", tuple("abcdefghijklmnopqrstu"), ("rare",))
    draw = np.random.default_rng(0)
    labels, answers = draw.integers(0, 22, 2000), draw.integers(0, 21, 2000)
    labels[:150] = 21
    confusion = Confusion.of(Head(np.eye(21)[answers], answers, labels), space)
    svg = figures.confusion_map(confusion, space)
    shown = texts(svg)
    assert {"rare (not learned)", "rare", figures.OTHER} <= set(shown)
    counts = sum(int(text) for text in shown if text.isdigit())
    assert counts == confusion.counts[confusion.most_confused()].sum()


def test_without_mistakes_there_is_no_confusion_map() -> None:
    labels = np.array([0, 1, 2, -1])
    head = Head(np.eye(4)[[0, 1, 2, 3]], np.arange(4), labels)
    assert figures.confusion_map(Confusion.of(head, SPACES["colour"]), SPACES["colour"]) is None


def test_confidence_plots_print_the_calibration_error_of_labelled_items() -> None:
    head = Head(np.array([[0.8, 0.2], [0.9, 0.1], [0.5, 0.5]]), np.array([0, 0, 0]), np.array([0, 1, -1]))
    assert "reliability, ECE 0.5500" in texts(figures.confidence_plots(head, "type"))


@pytest.mark.parametrize("right", [True, False])
def test_confidence_plots_of_one_item_or_one_outcome(right: bool) -> None:
    head = Head(np.array([[1.0, 0.0]]), np.array([0]), np.array([0 if right else 1]))
    assert f"reliability, ECE {0 if right else 1}.0000" in texts(figures.confidence_plots(head, "type"))


def test_confidence_plots_need_a_label() -> None:
    head = random_head(SPACES["colour"], 9)
    assert figures.confidence_plots(Head(head.probabilities, head.answers, np.full(9, -1)), "type") is None


def test_maps_name_the_most_frequent_classes() -> None:
    draw = np.random.default_rng(0)
    space = LabelSpace("type", tuple(f"class {i}" for i in range(30)))
    labels = np.concatenate([np.repeat(np.arange(10), 20), np.arange(30), [-1]])
    mapped = Map("PCA", draw.normal(size=(len(labels), 2)), ("first", "second"))
    shown = texts(figures.embedding_maps([mapped], [(space, labels), (SPACES["season"], np.full(len(labels), -1))]))
    assert [text for text in shown if text.startswith("class ")] == [f"class {i}" for i in range(10)]
    assert shown.count(figures.OTHER) == 2
    assert {"PCA by type", "PCA by season", "first", "second"} <= set(shown)
    assert figures.embedding_maps([], [(space, labels)]) is None
