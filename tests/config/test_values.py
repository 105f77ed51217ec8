"""Each number has its bounds and each choice its names; what is refused is told by its key and in one line."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import pytest
from configs import NAN, data_of, refusal, train_of

from fashionmt import config as schema
from fashionmt.config import (
    ClipConfig,
    ContrastConfig,
    DataConfig,
    FusionConfig,
    ImageTowerConfig,
    LossConfig,
    ModelConfig,
    OptimConfig,
    PredictConfig,
    PreprocessConfig,
    SplitConfig,
    TextTowerConfig,
    ThresholdConfig,
    TrainConfig,
    TrainerConfig,
)

RANGES: list[tuple[type, str, str, float, float]] = [
    (SplitConfig, "data.split", "test_fraction", 0.01, 0.9),
    (SplitConfig, "data.split", "validation_fraction", 0.01, 0.9),
    (SplitConfig, "data.split", "block_size", 1, 1_000_000_000),
    (SplitConfig, "data.split", "seed", 0, 2**32 - 1),
    (PreprocessConfig, "preprocess", "height", 8, 4096),
    (PreprocessConfig, "preprocess", "width", 8, 4096),
    (TextTowerConfig, "model.text", "layers", 1, 1000),
    (TextTowerConfig, "model.text", "max_tokens", 4, 512),
    (TextTowerConfig, "model.text", "vocabulary_size", 100, 1_000_000),
    (TextTowerConfig, "model.text", "min_count", 1, 1_000_000_000),
    (TextTowerConfig, "model.text", "dropout", 0, 0.95),
    (FusionConfig, "model.fusion", "size", 1, 100_000),
    (FusionConfig, "model.fusion", "heads", 1, 1000),
    (FusionConfig, "model.fusion", "dropout", 0, 0.95),
    (FusionConfig, "model.fusion", "image_share", 0.01, 0.99),
    (ContrastConfig, "contrast", "size", 1, 100_000),
    (LossConfig, "loss", "cap", 1, 1e9),
    (LossConfig, "loss", "beta", 0, 0.9999999),
    (LossConfig, "loss", "label_smoothing", 0, 0.9),
    (LossConfig, "loss", "focal_gamma", 0, 20),
    (LossConfig, "loss", "tau", 0, 10),
    (OptimConfig, "optim", "batch_size", 2, 1_000_000),
    (OptimConfig, "optim", "warmup_fraction", 0, 1),
    (OptimConfig, "optim", "learning_rate", 0, 100),
    (OptimConfig, "optim", "pretrained_learning_rate", 0, 100),
    (OptimConfig, "optim", "weight_decay", 0, 100),
    (OptimConfig, "optim", "clip_norm", 1e-9, 1e9),
    (OptimConfig, "optim", "ema", 0, 0.999999),
    (TrainerConfig, "trainer", "max_epochs", 1, 1_000_000),
    (TrainerConfig, "trainer", "devices", 1, 10_000),
    (TrainerConfig, "trainer", "accumulate_grad_batches", 1, 1_000_000),
    (TrainerConfig, "trainer", "keep_checkpoints", 1, 1000),
    (ThresholdConfig, "thresholds", "target_accuracy", 0.5, 0.9999),
    (ThresholdConfig, "thresholds", "item_target_accuracy", 0.5, 0.9999),
    (ThresholdConfig, "thresholds", "delta", 0.0001, 0.5),
    (PredictConfig, "", "batch_size", 1, 1_000_000),
]


CHOICES: list[tuple[Callable[..., Any], str, str, tuple[str, ...]]] = [
    (lambda **given: ImageTowerConfig(weights="w.pth", **given), "model.image", "train", ("all", "last", "none")),
    (SplitConfig, "data.split", "kind", ("family", "random", "time", "block")),
    (lambda **given: data_of(**given), "data", "kind", ("files", "sample")),
    (lambda **given: data_of(**given), "data", "rare", ("mask", "other")),
    (TextTowerConfig, "model.text", "kind", ("bert", "lstm", "ngram", "tfidf")),
    (lambda **given: ClipConfig("some/clip", **given), "model.clip", "train", ("none", "all")),
    (LossConfig, "loss", "class_weights", ("none", "inverse", "sqrt_inverse", "effective_number")),
    (
        lambda **given: LossConfig(class_weights="none", **given),
        "loss",
        "kind",
        ("cross_entropy", "focal", "logit_adjusted"),
    ),
    (LossConfig, "loss", "balancing", ("fixed", "uncertainty", "famo", "random")),
    (TrainerConfig, "trainer", "precision", ("auto", "32-true", "bf16-mixed")),
    (PredictConfig, "", "precision", ("32-true", "bf16-mixed")),
]


def _key(section: str, name: str) -> str:
    return f"{section}.{name}" if section else name


@pytest.mark.parametrize(("kind", "section", "name", "low", "high"), RANGES)
def test_a_number_out_of_range_is_refused_and_the_bounds_are_taken(
    kind: type, section: str, name: str, low: float, high: float
) -> None:
    below = low - 1 if isinstance(low, int) else low / 2
    above = high + 1 if isinstance(high, int) else high * 2
    for value in (below, above, NAN, float("inf"), float("-inf")):
        message = refusal(kind, **{name: value})
        assert message.startswith(f"{_key(section, name)}={value}: out of range. Use a value from {low:g} to {high:g}")
    for value in (low, high):
        assert getattr(kind(**{name: value}), name) == value


@pytest.mark.parametrize(("make", "section", "name", "choices"), CHOICES)
def test_an_unknown_choice_is_refused_with_the_known_ones(
    make: Callable[..., Any], section: str, name: str, choices: tuple[str, ...]
) -> None:
    for value in ("no-such", "", choices[0].upper() + "!"):
        message = refusal(make, **{name: value})
        assert message == f"{_key(section, name)}={value}: no such choice. Use one of {', '.join(choices)}."
    for choice in choices:
        assert getattr(make(**{name: choice}), name) == choice


@pytest.mark.parametrize("catalogue", [[], "", ["items.csv", ""]])
def test_no_catalogue_by_name_is_refused(catalogue: object) -> None:
    assert refusal(PredictConfig, catalogue=catalogue) == "catalogue: names no file. Set catalogue=<file>."


def test_no_default_is_shared() -> None:
    """Two configs of a kind share no list, dict or section: changing one must not change the other."""
    for kind in (value for value in vars(schema).values() if is_dataclass(value) and isinstance(value, type)):
        if kind in (TrainConfig, DataConfig, ModelConfig, ClipConfig):
            continue  # they have fields without a default; made by hand below
        _assert_nothing_shared(kind(), kind())
    _assert_nothing_shared(train_of(), train_of())


def _assert_nothing_shared(first: Any, second: Any) -> None:
    for field in fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if isinstance(one, list | dict) or is_dataclass(one):
            assert one is not other
