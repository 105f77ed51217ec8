"""The schema of `conf/`: plain dataclasses, their checks, and nothing of Hydra, so that the API runs without it.

Each `__post_init__` refuses a value that would fail later with a worse message. Frozen dataclasses and `Literal`
are refused by OmegaConf's schema, so these are plain dataclasses with `choices` checked here.
"""

from fashionmt.config.augment import AugmentConfig, PictureVariationConfig, TitleVariationConfig
from fashionmt.config.benchmark import BASELINES, BenchmarkConfig
from fashionmt.config.calibrate import CalibrateConfig
from fashionmt.config.data import (
    PICTURE_FORMATS,
    AttributeConfig,
    ColumnsConfig,
    DataConfig,
    PreprocessConfig,
    SplitConfig,
)
from fashionmt.config.export import ExportConfig
from fashionmt.config.model import (
    ClipConfig,
    FusionConfig,
    ImageTowerConfig,
    ModelConfig,
    TextTowerConfig,
    WidePathConfig,
)
from fashionmt.config.prediction import PredictColumnsConfig, PredictConfig
from fashionmt.config.recommend import InteractionColumnsConfig, RankerConfig, RecommendConfig, SyntheticConfig
from fashionmt.config.similar import SimilarConfig
from fashionmt.config.similarity import SimilarityConfig
from fashionmt.config.sweep import SweepConfig
from fashionmt.config.tabular import TabularColumnConfig
from fashionmt.config.training import (
    ContrastConfig,
    LossConfig,
    OptimConfig,
    ThresholdConfig,
    TrainConfig,
    TrainerConfig,
)

__all__ = [
    "BASELINES",
    "PICTURE_FORMATS",
    "AttributeConfig",
    "AugmentConfig",
    "BenchmarkConfig",
    "CalibrateConfig",
    "ClipConfig",
    "ColumnsConfig",
    "ContrastConfig",
    "DataConfig",
    "ExportConfig",
    "FusionConfig",
    "ImageTowerConfig",
    "InteractionColumnsConfig",
    "LossConfig",
    "ModelConfig",
    "OptimConfig",
    "PictureVariationConfig",
    "PredictColumnsConfig",
    "PredictConfig",
    "PreprocessConfig",
    "RankerConfig",
    "RecommendConfig",
    "SimilarConfig",
    "SimilarityConfig",
    "SplitConfig",
    "SweepConfig",
    "SyntheticConfig",
    "TabularColumnConfig",
    "TextTowerConfig",
    "ThresholdConfig",
    "TitleVariationConfig",
    "TrainConfig",
    "TrainerConfig",
    "WidePathConfig",
]
