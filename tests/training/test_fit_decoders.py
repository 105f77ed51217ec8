"""Decoding and acceptance are fitted by each view to the items that show it: what is enough for both is not for one."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import tiny_config, tiny_dataset, tiny_prepared, tiny_spaces

from fashionmt.config import AttributeConfig, DataConfig, SplitConfig, ThresholdConfig, TrainConfig
from fashionmt.data.prepare import PreparedData
from fashionmt.data.splits import Split
from fashionmt.decoding import Decoders
from fashionmt.training.answers import Answers
from fashionmt.training.concluding import _score_alone, fit_decoders

COUNT = 4000
RIGHT = {"image+text": 0.995, "image": 0.9, "text": 0.97}
"""By view, how many answers are; every answer is as sure as every other."""
TARGET = 0.95


@pytest.fixture(scope="module")
def data() -> PreparedData:
    items = tiny_dataset(COUNT + 10).items
    split = Split(np.arange(10), np.arange(10, COUNT + 10), np.arange(0))
    return tiny_prepared(items, split, tiny_spaces(), [f"title {i}" for i in range(COUNT + 10)])


@pytest.fixture(scope="module")
def config(data: PreparedData) -> TrainConfig:
    attributes = {name: AttributeConfig() for name in data.spaces}
    own = DataConfig(attributes=attributes, taxonomy=None, split=SplitConfig(kind="random"))
    return TrainConfig(own, tiny_config(), thresholds=ThresholdConfig(target_accuracy=TARGET))


def said(view: str, data: PreparedData, seed: int, lacking: int = 0) -> Answers:
    """By a view; the last `lacking` items have a title alone, which is always wrong."""
    draw = torch.Generator().manual_seed(seed)
    labels = {name: torch.randint(0, len(space), (COUNT,), generator=draw) for name, space in data.spaces.items()}
    logits = {}
    for name, space in data.spaces.items():
        right = torch.rand(COUNT, generator=draw) < RIGHT[view]
        if lacking:
            right[-lacking:] = False
        answers = (labels[name] + (~right).long()) % len(space)
        logits[name] = 6 * torch.nn.functional.one_hot(answers, len(space)).float()
    views = [view] * (COUNT - lacking) + ["text"] * lacking
    return Answers(logits, labels, torch.zeros(COUNT, 1), views)


@pytest.fixture(scope="module")
def decoders(config: TrainConfig, data: PreparedData) -> Decoders:
    return fit_decoders(config, data, {view: said(view, data, 0) for view in RIGHT})


def test_confidence_by_one_input_is_what_that_input_is_worth(decoders: Decoders, data: PreparedData) -> None:
    assert set(decoders.alone) == {"image", "text"}
    for view, right in RIGHT.items():
        unseen = said(view, data, 1)
        decoded = decoders(unseen.logits, unseen.views)
        for name in data.spaces:
            assert float(decoded.confidence[name].mean()) == pytest.approx(right, abs=0.015)


def test_what_both_inputs_may_decide_one_may_not(decoders: Decoders, data: PreparedData) -> None:
    for view, right in RIGHT.items():
        unseen = said(view, data, 1)
        decoded = decoders(unseen.logits, unseen.views)
        for name in data.spaces:
            assert bool(decoded.accepted[name].all()) is (right > TARGET)
            assert bool(decoded.accepted[name].any()) is (right > TARGET)
    # By the decoder of whole items all would be accepted, and one in ten of them is wrong.
    unseen = said("image", data, 1)
    assert bool(decoders.whole(unseen.logits).accepted["colour"].all())


def test_items_that_lack_an_input_count_for_what_they_show(config: TrainConfig, data: PreparedData) -> None:
    held_out = {view: said(view, data, 0, lacking=2000 if view != "text" else 0) for view in RIGHT}
    decoders = fit_decoders(config, data, held_out)
    decoded = decoders(said("image+text", data, 1).logits, ["image+text"] * COUNT)
    assert float(decoded.confidence["colour"].mean()) == pytest.approx(RIGHT["image+text"], abs=0.015)


def test_a_model_of_one_input_has_one_decoder(config: TrainConfig, data: PreparedData) -> None:
    decoders = fit_decoders(config, data, {"text": said("text", data, 0)})
    assert decoders.alone == {}
    assert decoders.whole.thresholds is not None


def test_without_an_item_that_shows_it_nothing_is_accepted(config: TrainConfig, data: PreparedData) -> None:
    held_out = {view: replace(said(view, data, 0), views=["text"] * COUNT) for view in RIGHT}
    decoded = fit_decoders(config, data, held_out)(held_out["image"].logits, ["image"] * COUNT)
    assert not any(bool(value.any()) for value in decoded.accepted.values())


def test_a_view_that_no_test_item_has_is_left_out(decoders: Decoders, data: PreparedData) -> None:
    """A training is not lost for it."""
    test = {view: replace(said(view, data, 1), views=["text"] * COUNT) for view in RIGHT}
    assert list(_score_alone(test, data, decoders)) == ["text"]
