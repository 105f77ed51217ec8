"""The least configs that are whole, and the one line that refuses another."""

from collections.abc import Callable
from typing import Any

import pytest

from fashionmt.config import AttributeConfig, DataConfig, ImageTowerConfig, ModelConfig, TrainConfig
from fashionmt.errors import UserError

NAN = float("nan")


def data_of(**given: Any) -> DataConfig:
    return DataConfig(**{"attributes": {"colour": AttributeConfig()}, **given})


def train_of(**given: Any) -> TrainConfig:
    return TrainConfig(**{"data": data_of(), "model": ModelConfig(image=ImageTowerConfig()), **given})


def refusal(make: Callable[..., Any], **given: Any) -> str:
    with pytest.raises(UserError) as refused:
        make(**given)
    message = str(refused.value)
    assert "\n" not in message
    return message
