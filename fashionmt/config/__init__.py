"""The schema of `conf/`: plain dataclasses, their checks, and nothing of Hydra, so that the API runs without it.

Each `__post_init__` refuses a value that would fail later with a worse message. Frozen dataclasses and `Literal`
are refused by OmegaConf's schema, so these are plain dataclasses with `choices` checked here.
"""

from fashionmt.config.data import (
    PICTURE_FORMATS,
    AttributeConfig,
    ColumnsConfig,
    DataConfig,
    PreprocessConfig,
    SplitConfig,
)
from fashionmt.config.model import FusionConfig, ImageTowerConfig, ModelConfig, TextTowerConfig, WidePathConfig
from fashionmt.config.prediction import PredictColumnsConfig, PredictConfig
from fashionmt.config.training import LossConfig, OptimConfig, TrainConfig, TrainerConfig

__all__ = [
    "PICTURE_FORMATS",
    "AttributeConfig",
    "ColumnsConfig",
    "DataConfig",
    "FusionConfig",
    "ImageTowerConfig",
    "LossConfig",
    "ModelConfig",
    "OptimConfig",
    "PredictColumnsConfig",
    "PredictConfig",
    "PreprocessConfig",
    "SplitConfig",
    "TextTowerConfig",
    "TrainConfig",
    "TrainerConfig",
    "WidePathConfig",
]
