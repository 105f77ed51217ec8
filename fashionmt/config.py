"""The schema of `conf/`: plain dataclasses, their checks, and nothing of Hydra, so that the API runs without it.

Each `__post_init__` refuses a value that would fail later with a worse message. Frozen dataclasses and `Literal`
are refused by OmegaConf's schema, so these are plain dataclasses with `choices` checked here.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from fashionmt.errors import UserError

MAX_SEED = 2**32 - 1  # NumPy's and scikit-learn's limit


def _check_choice(key: str, value: str, choices: Collection[str]) -> None:
    if value not in choices:
        raise UserError(f"{key}={value}", "no such choice", f"Use one of {', '.join(choices)}")


def _check_range(key: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:
        raise UserError(f"{key}={value}", "out of range", f"Use a value from {low:g} to {high:g}")


PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What may be allowed; Pillow's decoders of rarer formats have been where its holes were."""


@dataclass
class ColumnsConfig:
    """The names of a catalogue's columns; a null column does not exist."""

    id: str = "id"
    title: str | None = "title"
    picture: str | None = None
    """A column of file names below the picture folder; null takes `picture_pattern` instead."""
    time: str | None = None
    """A column that orders the items in time, for `split=time`."""


@dataclass
class AttributeConfig:
    """One attribute to learn: the column that holds it and the texts in it that mean "no label"."""

    column: str | None = None
    """null: the column has the attribute's own name."""
    missing: list[str] = field(default_factory=lambda: [""])
    weight: float = 1.0
    """Of its term in the loss. Here, not in the loss, so that `data.attributes.season.weight=0.5` needs no list of
    attributes anywhere else."""


@dataclass
class SplitConfig:
    """How rows are dealt to train, validation and test."""

    kind: str = "family"
    test_fraction: float = 0.3
    validation_fraction: float = 0.2
    """A share of what is not test."""
    block_size: int = 500
    """Neighbouring ids that stay together, for `kind: block`."""
    seed: int = 0

    def __post_init__(self) -> None:
        _check_choice("data.split.kind", self.kind, ("family", "random", "time", "block"))
        _check_range("data.split.test_fraction", self.test_fraction, 0.01, 0.9)
        _check_range("data.split.validation_fraction", self.validation_fraction, 0.01, 0.9)
        _check_range("data.split.block_size", self.block_size, 1, 1e9)
        _check_range("data.split.seed", self.seed, 0, MAX_SEED)


@dataclass
class DataConfig:
    """A catalogue: where it lies, how its columns are called, what to learn, how to split it."""

    name: str = "my_catalogue"
    kind: str = "files"
    """`files`: read `catalogue` and `images`; `sample`: the catalogue that the package draws."""
    catalogue: str | None = None
    images: str | None = None
    picture_pattern: str = "{id}.jpg"
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    missing_titles: list[str] = field(default_factory=lambda: [""])
    attributes: dict[str, AttributeConfig] = field(default_factory=dict)
    learn: list[str] | None = None
    """Which of `attributes` to learn, null for all; a name that is not among them is a column as it stands."""
    min_count: int = 2
    """A class with fewer training rows than this is too rare to learn."""
    rare: str = "mask"
    """What becomes of its rows: `mask` (no label for this attribute) or `other` (the class "Other")."""
    split: SplitConfig = field(default_factory=SplitConfig)

    def __post_init__(self) -> None:
        _check_choice("data.kind", self.kind, ("files", "sample"))
        _check_choice("data.rare", self.rare, ("mask", "other"))
        _check_range("data.min_count", self.min_count, 1, 1e9)
        if "{id}" not in self.picture_pattern:
            wrong = "every item would have the same picture"
            raise UserError(f"data.picture_pattern={self.picture_pattern}", wrong, "Put {id} into it")
        if self.learn is not None:
            self.attributes = {name: self.attributes.get(name, AttributeConfig()) for name in self.learn}
        if not self.attributes:
            raise UserError("data.attributes", "no attribute is declared", "Declare at least one to learn")
        for name, attribute in self.attributes.items():
            _check_range(f"data.attributes.{name}.weight", attribute.weight, 0, 1e6)
            if not name or "." in name or "/" in name:
                raise UserError(
                    f"data.attributes.{name}", "a name may not be empty or hold '.' or '/'", "Set its column"
                )
            if name in ("mean", "total"):
                raise UserError(f"data.attributes.{name}", "the logs use this name", "Rename it, and set its column")

    def column_of(self, attribute: str) -> str:
        """The catalogue's column that holds `attribute`."""
        return self.attributes[attribute].column or attribute


@dataclass
class PreprocessConfig:
    """How a picture file becomes pixels. It travels in the bundle, so training and tagging cannot drift."""

    height: int = 80
    width: int = 60
    formats: list[str] = field(default_factory=lambda: ["JPEG", "PNG", "WEBP"])
    max_megapixels: float = 50.0
    max_megabytes: float = 30.0

    def __post_init__(self) -> None:
        for name in self.formats:
            _check_choice("preprocess.formats", name, PICTURE_FORMATS)
        _check_range("preprocess.max_megapixels", self.max_megapixels, 1e-6, 1e6)
        _check_range("preprocess.max_megabytes", self.max_megabytes, 1e-6, 1e6)
        _check_range("preprocess.height", self.height, 8, 4096)
        _check_range("preprocess.width", self.width, 8, 4096)


@dataclass
class ImageTowerConfig:
    """A torchvision ResNet, its last layer removed."""

    name: str = "resnet18"
    pretrained: bool = False
    """True: torchvision's ImageNet weights, downloaded or from torch's own cache."""
    weights: str | None = None
    """A local state dict (.safetensors or .pth) instead of a download."""

    def __post_init__(self) -> None:
        if not self.name.startswith("resnet"):
            raise UserError(f"model.image.name={self.name}", "not a ResNet", "Use resnet18, resnet34 or resnet50")

    @property
    def starts_trained(self) -> bool:
        """Whether the tower has weights before training, and so takes the lower learning rate."""
        return self.pretrained or self.weights is not None


@dataclass
class TextTowerConfig:
    """A BERT-family encoder: pretrained by hub name or local folder, or a small BERT of random weights."""

    pretrained: str | None = None
    """A hub name or a local folder; null builds a BERT of the sizes below and learns its vocabulary."""
    hidden_size: int = 128
    layers: int = 2
    heads: int = 4
    vocabulary_size: int = 8000
    max_tokens: int = 32
    dropout: float = 0.1

    def __post_init__(self) -> None:
        _check_range("model.text.hidden_size", self.hidden_size, 1, 1e5)
        _check_range("model.text.layers", self.layers, 1, 1e3)
        _check_range("model.text.heads", self.heads, 1, 1e3)
        _check_range("model.text.max_tokens", self.max_tokens, 4, 512)
        _check_range("model.text.vocabulary_size", self.vocabulary_size, 100, 1e6)
        _check_range("model.text.dropout", self.dropout, 0, 0.95)
        if self.hidden_size % self.heads:
            raise UserError(
                f"model.text.hidden_size={self.hidden_size}",
                f"not divisible by {self.heads} attention heads",
                "Change model.text.heads",
            )

    @property
    def starts_trained(self) -> bool:
        """Whether the tower has weights before training, and so takes the lower learning rate."""
        return self.pretrained is not None


@dataclass
class FusionConfig:
    """How the towers' features become one vector."""

    kind: str = "concat"
    """A name in `model.fusion.FUSIONS`, which checks it."""
    size: int = 512
    dropout: float = 0.2

    def __post_init__(self) -> None:
        _check_range("model.fusion.size", self.size, 1, 1e5)
        _check_range("model.fusion.dropout", self.dropout, 0, 0.95)


@dataclass
class ModelConfig:
    """The tagger. A null tower does not exist: `image_only` and `text_only` are this model with one tower."""

    image: ImageTowerConfig | None = None
    text: TextTowerConfig | None = None
    fusion: FusionConfig = field(default_factory=FusionConfig)
    drop_image: float = 0.1
    """Modality dropout: the share of items that have both inputs and train without their picture ..."""
    drop_title: float = 0.1
    """... and the share that train without their title."""

    def __post_init__(self) -> None:
        if self.image is None and self.text is None:
            raise UserError("model", "neither model.image nor model.text is set", "Choose at least one tower")
        _check_range("model.drop_image + model.drop_title", self.drop_image + self.drop_title, 0, 0.9)
        _check_range("model.drop_image", self.drop_image, 0, 0.9)
        _check_range("model.drop_title", self.drop_title, 0, 0.9)


@dataclass
class LossConfig:
    """The weighted sum of the heads' cross-entropies."""

    class_weights: str = "sqrt_inverse"
    cap: float = 10.0
    """No class weighs more than this."""
    beta: float = 0.999
    """Of `effective_number`."""
    label_smoothing: float = 0.0

    def __post_init__(self) -> None:
        choices = ("none", "inverse", "sqrt_inverse", "effective_number")
        _check_choice("loss.class_weights", self.class_weights, choices)
        _check_range("loss.cap", self.cap, 1, 1e9)
        _check_range("loss.beta", self.beta, 0, 0.9999999)
        _check_range("loss.label_smoothing", self.label_smoothing, 0, 0.9)


@dataclass
class OptimConfig:
    """AdamW, linear warm-up, cosine decay to zero."""

    learning_rate: float = 5e-4
    pretrained_learning_rate: float = 1e-4
    """Of the towers that start from trained weights."""
    weight_decay: float = 0.05
    warmup_fraction: float = 0.1
    clip_norm: float = 1.0
    """The gradients' norm is cut to this."""
    batch_size: int = 32
    augment: bool = True
    """Flip, shift and zoom the training pictures."""

    def __post_init__(self) -> None:
        _check_range("optim.batch_size", self.batch_size, 2, 1e6)
        _check_range("optim.warmup_fraction", self.warmup_fraction, 0, 1)
        _check_range("optim.learning_rate", self.learning_rate, 0, 100)
        _check_range("optim.pretrained_learning_rate", self.pretrained_learning_rate, 0, 100)
        _check_range("optim.weight_decay", self.weight_decay, 0, 100)
        _check_range("optim.clip_norm", self.clip_norm, 1e-9, 1e9)


@dataclass
class TrainerConfig:
    """What is handed to the Lightning trainer and its callbacks."""

    max_epochs: int = 10
    accelerator: str = "auto"
    devices: int = 1
    num_nodes: int = 1
    strategy: str = "auto"
    precision: str = "auto"
    """`auto`: bf16-mixed where a short measurement finds it faster than 32-true."""
    accumulate_grad_batches: int = 1
    patience: int | None = None
    """Stop after this many epochs without a better validation score; null trains all epochs."""
    keep_checkpoints: int = 1
    """How many of the best checkpoints stay on disk."""
    checkpoint_seconds: float = 60.0
    """How often a run that may be killed writes the checkpoint that `resume` continues from."""

    def __post_init__(self) -> None:
        _check_choice("trainer.precision", self.precision, ("auto", "32-true", "bf16-mixed"))
        _check_range("trainer.max_epochs", self.max_epochs, 1, 1e6)
        _check_range("trainer.devices", self.devices, 1, 1e4)
        _check_range("trainer.num_nodes", self.num_nodes, 1, 1e6)
        _check_range("trainer.checkpoint_seconds", self.checkpoint_seconds, 0, 1e9)
        if self.patience is not None:
            _check_range("trainer.patience", self.patience, 1, 1e6)
        _check_range("trainer.accumulate_grad_batches", self.accumulate_grad_batches, 1, 1e6)
        _check_range("trainer.keep_checkpoints", self.keep_checkpoints, 1, 1e3)


@dataclass
class TrainConfig:
    """Everything `train.py` reads."""

    data: DataConfig
    model: ModelConfig
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    logger: dict[str, Any] = field(default_factory=dict)
    """Name -> a node with `_target_`, built by `hydra_bridge.build_loggers`."""
    seed: int = 0
    limit_items: int | None = None
    """Train and evaluate on the first families that hold this many rows: a quick look at a large catalogue."""
    resume: str | None = None
    """The folder of a killed run to continue."""

    def __post_init__(self) -> None:
        _check_range("seed", self.seed, 0, MAX_SEED)
        if self.limit_items is not None:
            _check_range("limit_items", self.limit_items, 1, 1e12)


@dataclass
class PredictColumnsConfig:
    """The columns of a catalogue to tag; null means as in the training catalogue."""

    id: str | None = None
    title: str | None = None
    picture: str | None = None


@dataclass
class PredictConfig:
    """Everything `predict.py` reads."""

    bundle: str | None = None
    """A bundle's folder; null takes the newest under runs/train."""
    catalogue: str | None = None
    """A CSV, TSV or Parquet file; null tags the sample's new items."""
    images: str | None = None
    picture_pattern: str | None = None
    columns: PredictColumnsConfig = field(default_factory=PredictColumnsConfig)
    output: str | None = None
    """A .csv or .parquet file; null writes runs/predict/<date>/<time>/tags.csv."""
    overwrite: bool = False
    batch_size: int = 64
    precision: str = "32-true"

    def __post_init__(self) -> None:
        _check_choice("precision", self.precision, ("32-true", "bf16-mixed"))
        _check_range("batch_size", self.batch_size, 1, 1e6)
