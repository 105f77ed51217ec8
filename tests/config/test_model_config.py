"""Which towers, fusions and dropped inputs go together."""

from typing import Any

import pytest
from configs import NAN, refusal

from fashionmt.config import ClipConfig, FusionConfig, ImageTowerConfig, ModelConfig, TextTowerConfig, WidePathConfig


@pytest.mark.parametrize("train", ["last", "none"])
def test_a_network_of_random_weights_is_not_frozen(train: str) -> None:
    assert refusal(ImageTowerConfig, train=train).startswith(f"model.image.train={train}: keeps layers as they start")
    assert ImageTowerConfig(train=train, pretrained=True).train == train


@pytest.mark.parametrize(("name", "value"), [("hidden_size", 0), ("heads", 0), ("heads", -4), ("hidden_size", -16)])
def test_a_text_tower_without_width_or_heads_is_refused(name: str, value: int) -> None:
    assert refusal(TextTowerConfig, **{name: value}).startswith(f"model.text.{name}={value}: out of range")


def test_a_hidden_size_that_the_heads_do_not_divide_is_refused() -> None:
    assert refusal(TextTowerConfig, hidden_size=130).startswith("model.text.hidden_size=130: not divisible by 4")
    assert TextTowerConfig(hidden_size=130, heads=5).heads == 5


def test_an_lstm_of_an_odd_size_is_refused() -> None:
    assert refusal(TextTowerConfig, kind="lstm", hidden_size=15).startswith("model.text.hidden_size=15: odd")
    assert TextTowerConfig(kind="lstm", hidden_size=130).hidden_size == 130
    assert TextTowerConfig(kind="tfidf", hidden_size=15).hidden_size == 15


def test_a_pretrained_encoder_is_a_bert() -> None:
    for kind in ("lstm", "ngram", "tfidf"):
        message = refusal(TextTowerConfig, kind=kind, pretrained="some/bert")
        assert message.startswith("model.text.pretrained=some/bert: ")
        assert f"model.text.kind is {kind}" in message


def test_a_fusions_size_that_the_heads_do_not_divide_is_refused_where_there_are_heads() -> None:
    message = refusal(FusionConfig, kind="cross_attention", size=30)
    assert message.startswith("model.fusion.size=30: not divisible by 4")
    assert FusionConfig(kind="cross_attention", size=30, heads=5).heads == 5
    assert FusionConfig(kind="late", size=30).size == 30


def test_a_model_without_a_tower_is_refused() -> None:
    assert refusal(ModelConfig).startswith("model: neither model.image nor model.text is set")


def test_clip_makes_both_towers_and_no_third() -> None:
    clip = ClipConfig("some/clip")
    assert ModelConfig(clip=clip, wide=WidePathConfig()).modalities == ("image", "text")
    for tower in ({"image": ImageTowerConfig()}, {"text": TextTowerConfig()}):
        assert refusal(ModelConfig, clip=clip, **tower).startswith("model.clip: makes both towers")


@pytest.mark.parametrize(
    ("image", "title", "key"),
    [
        (0.5, 0.5, "model.drop_image + model.drop_title=1.0"),
        (-0.1, 0.2, "model.drop_image=-0.1"),
        (0.2, -0.1, "model.drop_title=-0.1"),
        (NAN, 0.1, "model.drop_image + model.drop_title=nan"),
    ],
)
def test_dropping_more_than_there_is_or_less_than_nothing_is_refused(image: float, title: float, key: str) -> None:
    message = refusal(ModelConfig, image=ImageTowerConfig(), drop_image=image, drop_title=title)
    assert message.startswith(f"{key}: out of range")


def test_dropping_nothing_or_nearly_all_is_taken() -> None:
    for image, title in ((0.0, 0.0), (0.9, 0.0), (0.0, 0.9)):
        model = ModelConfig(image=ImageTowerConfig(), drop_image=image, drop_title=title)
        assert (model.drop_image, model.drop_title) == (image, title)


@pytest.mark.parametrize(
    ("tower", "trained"),
    [
        (ImageTowerConfig(), False),
        (ImageTowerConfig(pretrained=True), True),
        (ImageTowerConfig(weights="weights.pth"), True),
        (TextTowerConfig(), False),
        (TextTowerConfig(pretrained="some/bert"), True),
    ],
)
def test_a_tower_starts_trained_where_it_has_weights(tower: Any, trained: bool) -> None:
    assert tower.starts_trained is trained
