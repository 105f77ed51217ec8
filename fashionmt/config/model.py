"""The tagger: its towers, the wide path, and how they are joined."""

from dataclasses import dataclass, field

from fashionmt.config.checks import check_range
from fashionmt.errors import UserError


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
        check_range("model.text.hidden_size", self.hidden_size, 1, 1e5)
        check_range("model.text.layers", self.layers, 1, 1e3)
        check_range("model.text.heads", self.heads, 1, 1e3)
        check_range("model.text.max_tokens", self.max_tokens, 4, 512)
        check_range("model.text.vocabulary_size", self.vocabulary_size, 100, 1e6)
        check_range("model.text.dropout", self.dropout, 0, 0.95)
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
class WidePathConfig:
    """A linear path from the title's words and spellings to the logits, beside the towers."""

    min_count: int = 2
    """An n-gram that fewer training titles hold is not known."""
    dropout: float = 0.0
    """The share of a title's n-grams that are hidden in training."""

    def __post_init__(self) -> None:
        check_range("model.wide.min_count", self.min_count, 1, 1e9)
        check_range("model.wide.dropout", self.dropout, 0, 0.95)


@dataclass
class FusionConfig:
    """How the towers' features become one vector."""

    kind: str = "concat"
    """A name in `model.fusion.FUSIONS`, which checks it."""
    size: int = 512
    dropout: float = 0.2

    def __post_init__(self) -> None:
        check_range("model.fusion.size", self.size, 1, 1e5)
        check_range("model.fusion.dropout", self.dropout, 0, 0.95)


@dataclass
class ModelConfig:
    """The tagger. A null tower does not exist: `image_only` and `text_only` are this model with one tower."""

    image: ImageTowerConfig | None = None
    text: TextTowerConfig | None = None
    wide: WidePathConfig | None = None
    fusion: FusionConfig = field(default_factory=FusionConfig)
    drop_image: float = 0.1
    """Modality dropout: the share of items that have both inputs and train without their picture ..."""
    drop_title: float = 0.1
    """... and the share that train without their title."""

    def __post_init__(self) -> None:
        if self.image is None and self.text is None:
            raise UserError("model", "neither model.image nor model.text is set", "Choose at least one tower")
        if self.wide is not None and self.text is None:
            raise UserError("model.wide", "reads titles, and this model reads none", "Set model.wide=null")
        check_range("model.drop_image + model.drop_title", self.drop_image + self.drop_title, 0, 0.9)
        check_range("model.drop_image", self.drop_image, 0, 0.9)
        check_range("model.drop_title", self.drop_title, 0, 0.9)
