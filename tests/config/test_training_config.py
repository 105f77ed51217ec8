"""Which losses and tasks go together, and what a run takes beside them."""

from typing import Any

import pytest
from configs import refusal, train_of

from fashionmt.config import (
    BenchmarkConfig,
    ClipConfig,
    ContrastConfig,
    ImageTowerConfig,
    LossConfig,
    ModelConfig,
    TextTowerConfig,
    WidePathConfig,
)


@pytest.mark.parametrize(
    "model",
    [
        ModelConfig(image=ImageTowerConfig()),
        ModelConfig(text=TextTowerConfig()),
        ModelConfig(image=ImageTowerConfig(), text=TextTowerConfig(kind="lstm")),
        ModelConfig(image=ImageTowerConfig(), text=TextTowerConfig(), wide=WidePathConfig()),
        ModelConfig(clip=ClipConfig("some/clip")),
    ],
    ids=["no title", "no picture", "lstm", "wide", "clip"],
)
def test_contrast_is_of_a_picture_tower_and_a_bert(model: ModelConfig) -> None:
    assert refusal(train_of, contrast=ContrastConfig(), model=model).startswith("contrast: pretrains a picture tower")


def test_contrast_keeps_no_colour_branch_and_is_no_row_of_the_benchmark() -> None:
    both = ModelConfig(image=ImageTowerConfig(), text=TextTowerConfig())
    colours = ModelConfig(image=ImageTowerConfig(colour_statistics=True), text=TextTowerConfig())
    message = refusal(train_of, contrast=ContrastConfig(), model=colours)
    assert message.startswith("model.image.colour_statistics=true: ")
    row = BenchmarkConfig(row="some_row")
    message = refusal(train_of, contrast=ContrastConfig(), model=both, benchmark=row)
    assert message.startswith("benchmark.row=some_row: ")
    assert train_of(contrast=ContrastConfig(), model=both).contrast == ContrastConfig(256)


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"kind": "focal", "label_smoothing": 0.1}, "loss.label_smoothing=0.1"),
        ({"kind": "logit_adjusted", "class_weights": "inverse"}, "loss.class_weights=inverse"),
        ({"kind": "logit_adjusted"}, "loss.class_weights=sqrt_inverse"),
    ],
)
def test_a_loss_whose_parts_do_not_go_together_is_refused(given: dict[str, Any], key: str) -> None:
    message = refusal(LossConfig, **given)
    assert message.startswith(f"{key}: ")
    assert message.endswith("or another loss.kind.")


def test_a_focal_loss_takes_class_weights_and_logit_adjustment_takes_smoothing() -> None:
    assert LossConfig(kind="focal", class_weights="inverse").kind == "focal"
    assert LossConfig(kind="logit_adjusted", class_weights="none", label_smoothing=0.1).kind == "logit_adjusted"


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_no_generator_takes_is_refused(seed: int) -> None:
    assert refusal(train_of, seed=seed).startswith(f"seed={seed}: out of range")
    assert train_of(seed=2**32 - 1).seed == 2**32 - 1


def test_a_null_logger_is_left_out_and_what_is_no_logger_refused() -> None:
    node = {"_target_": "pytorch_lightning.loggers.CSVLogger"}
    assert train_of(logger={"csv": None, "other": node}).logger == {"other": node}
    assert refusal(train_of, logger={"foo": 3}).startswith("logger.foo=3: no logger. Take one of logger=csv, ")


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_of_no_items_is_refused(limit: int) -> None:
    assert refusal(train_of, limit_items=limit).startswith(f"limit_items={limit}: out of range")
    assert train_of(limit_items=1).limit_items == 1
