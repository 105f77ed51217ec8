"""The tagger: its towers, the wide path, and how they are joined."""

from dataclasses import dataclass, field

from fashionmt.config.checks import check_choice, check_range
from fashionmt.errors import UserError


@dataclass
class ImageTowerConfig:
    """A torchvision classifier of pictures, its last classification layer removed."""

    name: str = "resnet18"
    """Any classifier in torchvision.models; `model.image_networks` checks it."""
    pretrained: bool = False
    """True: torchvision's ImageNet weights, downloaded or from torch's own cache."""
    weights: str | None = None
    """A local state dict (.safetensors or .pth) instead of a download."""
    train: str = "all"
    """What of the network is trained: all, its last stage, or none of it. Of `none`, each picture's features are
    computed once and kept in the cache; steps read them there where `augment.pictures` varies nothing: its keys 0."""
    colour_statistics: bool = False
    """Whether statistics of the foreground's colours go beside the network's features."""

    def __post_init__(self) -> None:
        check_choice("model.image.train", self.train, ("all", "last", "none"))
        if self.train != "all" and not self.starts_trained:
            raise UserError(
                f"model.image.train={self.train}",
                "keeps layers as they start, which is at random",
                "Set model.image.pretrained=true or model.image.weights=<file>, or model.image.train=all",
            )

    @property
    def starts_trained(self) -> bool:
        """Whether the tower has weights before training, and so takes the lower learning rate."""
        return self.pretrained or self.weights is not None


@dataclass
class TextTowerConfig:
    """What reads the title: `bert` and `lstm` its tokens in their order, `ngram` and `tfidf` its n-grams as a set."""

    kind: str = "bert"
    pretrained: str | None = None
    """Of `bert`: a hub name or a local folder; null builds one of the sizes below and learns its vocabulary."""
    hidden_size: int = 128
    """How many features come out; of a pretrained encoder its own."""
    layers: int = 2
    """Of `bert` and `lstm`."""
    heads: int = 4
    """Attention heads of `bert`."""
    vocabulary_size: int = 8000
    max_tokens: int = 32
    min_count: int = 2
    """Of `ngram` and `tfidf`: an n-gram that fewer training titles hold is not known."""
    dropout: float = 0.1
    """Of `ngram` and `tfidf`: the share of a title's n-grams that are hidden in training."""

    def __post_init__(self) -> None:
        check_choice("model.text.kind", self.kind, ("bert", "lstm", "ngram", "tfidf"))
        check_range("model.text.hidden_size", self.hidden_size, 1, 1e5)
        check_range("model.text.layers", self.layers, 1, 1e3)
        check_range("model.text.heads", self.heads, 1, 1e3)
        check_range("model.text.max_tokens", self.max_tokens, 4, 512)
        check_range("model.text.vocabulary_size", self.vocabulary_size, 100, 1e6)
        check_range("model.text.min_count", self.min_count, 1, 1e9)
        check_range("model.text.dropout", self.dropout, 0, 0.95)
        if self.pretrained is not None and self.kind != "bert":
            wrong = f"names an encoder of the BERT family, and model.text.kind is {self.kind}"
            raise UserError(f"model.text.pretrained={self.pretrained}", wrong, "Set it to null, or the kind to bert")
        if self.kind == "bert" and self.hidden_size % self.heads:
            raise UserError(
                f"model.text.hidden_size={self.hidden_size}",
                f"not divisible by {self.heads} attention heads",
                "Change model.text.heads",
            )
        if self.kind == "lstm" and self.hidden_size % 2:
            wrong = "odd, and each direction of the LSTM gives half of it"
            raise UserError(f"model.text.hidden_size={self.hidden_size}", wrong, "Use an even number")

    @property
    def starts_trained(self) -> bool:
        """Whether the tower has weights before training, and so takes the lower learning rate."""
        return self.pretrained is not None

    @property
    def reads_ngrams(self) -> bool:
        """Whether the tower needs the n-gram vocabulary, with or without a wide path."""
        return self.kind in ("ngram", "tfidf")


@dataclass
class ClipConfig:
    """Both towers at once: encoders of pictures and of titles that were trained to meet in one space."""

    source: str
    """A CLIP model by hub name or local folder, or the `towers` folder of `experiment=pretrain_clip`."""
    train: str = "none"
    """`none`: the encoders stay as they are, and their features are kept in the cache, as those of `model.image` are;
    steps read titles' there where `augment.titles` varies nothing. `all`: they learn, at
    `optim.pretrained_learning_rate`."""

    def __post_init__(self) -> None:
        check_choice("model.clip.train", self.train, ("none", "all"))


@dataclass
class WidePathConfig:
    """A linear path from the title's words and spellings to the logits, beside the towers."""

    min_count: int = 2
    """An n-gram that fewer training titles hold is not known."""
    dropout: float = 0.0
    """The share of a title's n-grams that are hidden in training."""
    blend: bool = False
    """Whether a linear SVM of the same n-grams, fitted by itself, is added after training, in shares chosen on
    validation."""
    columns: bool = False
    """Whether that SVM also reads the other columns of the catalogue (`data.numeric`, `data.categorical`)."""
    silent_titles: bool = False
    """Whether, where a title names no class of an attribute, the towers, this path and what the picture says alone
    count in shares of their own, chosen after training on validation. Of a model of both."""

    def __post_init__(self) -> None:
        check_range("model.wide.min_count", self.min_count, 1, 1e9)
        check_range("model.wide.dropout", self.dropout, 0, 0.95)


@dataclass
class FusionConfig:
    """How the towers' features become one vector."""

    kind: str = "concat"
    """A name in `model.fusion.FUSIONS`, which checks it."""
    size: int = 512
    """Of that vector; of `average` it is that of the towers."""
    heads: int = 4
    """Attention heads of `cross_attention`."""
    dropout: float = 0.2
    image_share: float | None = None
    """Of `average`: how much the picture counts, and the title the rest; null learns it."""

    def __post_init__(self) -> None:
        if self.image_share is not None:
            check_range("model.fusion.image_share", self.image_share, 0.01, 0.99)
        check_range("model.fusion.size", self.size, 1, 1e5)
        check_range("model.fusion.heads", self.heads, 1, 1e3)
        check_range("model.fusion.dropout", self.dropout, 0, 0.95)
        if self.kind == "cross_attention" and self.size % self.heads:
            wrong = f"not divisible by {self.heads} attention heads"
            raise UserError(f"model.fusion.size={self.size}", wrong, "Change model.fusion.heads")


@dataclass
class ModelConfig:
    """The tagger. A null tower does not exist: `image_only` and `text_only` are this model with one tower."""

    image: ImageTowerConfig | None = None
    text: TextTowerConfig | None = None
    clip: ClipConfig | None = None
    """In place of `image` and `text`."""
    wide: WidePathConfig | None = None
    fusion: FusionConfig = field(default_factory=FusionConfig)
    views: str = "dropped"
    """What a training step shows of an item with both inputs: `dropped`, all of it or less, by the two below; or `all`,
    the whole item and each input alone, so that neither tower rests while the other knows the answer."""
    view_weight: float = 0.5
    """Of `all`: how much each input alone counts beside the whole item's 1."""
    struck_weight: float = 0.0
    """How much the item counts, beside the whole item's 1, when it is shown once more in the same step with label words
    struck from its title; 0: it is not."""
    drop_image: float = 0.1
    """Modality dropout: the share of items that have both inputs and train without their picture ..."""
    drop_title: float = 0.1
    """... and the share that train without their title."""
    drop_tabular: float = 0.2
    """The share of items that train without their `data.tabular` columns, whatever else they have."""

    def __post_init__(self) -> None:
        if self.clip is not None and (self.image is not None or self.text is not None):
            raise UserError("model.clip", "makes both towers", "Set model.image=null and model.text=null")
        if not self.modalities:
            raise UserError("model", "neither model.image nor model.text is set", "Choose at least one tower")
        if self.wide is not None and "text" not in self.modalities:
            raise UserError("model.wide", "reads titles, and this model reads none", "Set model.wide=null")
        check_choice("model.views", self.views, ("dropped", "all"))
        check_range("model.view_weight", self.view_weight, 0, 100)
        check_range("model.struck_weight", self.struck_weight, 0, 100)
        if self.struck_weight > 0 and "text" not in self.modalities:
            wrong = "strikes words from titles, and this model reads none"
            raise UserError(f"model.struck_weight={self.struck_weight}", wrong, "Set it to 0")
        check_range("model.drop_image + model.drop_title", self.drop_image + self.drop_title, 0, 0.9)
        check_range("model.drop_image", self.drop_image, 0, 0.9)
        check_range("model.drop_title", self.drop_title, 0, 0.9)
        check_range("model.drop_tabular", self.drop_tabular, 0, 0.9)

    @property
    def modalities(self) -> tuple[str, ...]:
        """The inputs that its towers read: of `image` and `text`."""
        towers = {"image": self.image or self.clip, "text": self.text or self.clip}
        return tuple(name for name, tower in towers.items() if tower is not None)

    @property
    def ngram_min_count(self) -> int | None:
        """How many training titles must hold an n-gram; None where none are read."""
        if self.wide is not None:
            return self.wide.min_count
        return self.text.min_count if self.text is not None and self.text.reads_ngrams else None
