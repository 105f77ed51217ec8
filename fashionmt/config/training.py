"""A training run: loss, optimiser, trainer, and everything together."""

from dataclasses import dataclass, field
from typing import Any

from fashionmt.config.augment import AugmentConfig
from fashionmt.config.benchmark import BenchmarkConfig
from fashionmt.config.checks import MAX_SEED, check_choice, check_range
from fashionmt.config.data import DataConfig, PreprocessConfig
from fashionmt.config.model import ModelConfig
from fashionmt.config.recommend import RankerConfig
from fashionmt.config.similarity import SimilarityConfig
from fashionmt.config.sweep import SweepConfig
from fashionmt.errors import UserError


@dataclass
class LossConfig:
    """The weighted sum of the heads' losses."""

    kind: str = "cross_entropy"
    focal_gamma: float = 2.0
    """Of `focal`: 0 is cross-entropy, more looks less at what is right already."""
    tau: float = 1.0
    """Of `logit_adjusted`: 0 is cross-entropy, 1 treats all classes as equally frequent."""
    class_weights: str = "sqrt_inverse"
    cap: float = 10.0
    """No class weighs more than this."""
    beta: float = 0.999
    """Of `effective_number`."""
    label_smoothing: float = 0.0
    post_hoc: bool = False
    """After training, favour rare classes as far as validation accuracy allows: logit adjustment, head by head."""
    balancing: str = "fixed"
    """How the heads' losses are weighed besides `data.attributes.<name>.weight`; `random` is a control."""

    def __post_init__(self) -> None:
        check_choice("loss.kind", self.kind, ("cross_entropy", "focal", "logit_adjusted"))
        check_choice("loss.balancing", self.balancing, ("fixed", "uncertainty", "famo", "random"))
        check_range("loss.focal_gamma", self.focal_gamma, 0, 20)
        check_range("loss.tau", self.tau, 0, 10)
        choices = ("none", "inverse", "sqrt_inverse", "effective_number")
        check_choice("loss.class_weights", self.class_weights, choices)
        check_range("loss.cap", self.cap, 1, 1e9)
        check_range("loss.beta", self.beta, 0, 0.9999999)
        check_range("loss.label_smoothing", self.label_smoothing, 0, 0.9)
        self._check_combination()

    def _check_combination(self) -> None:
        if self.kind == "focal" and self.label_smoothing > 0:
            wrong = "the focal loss weighs by the probability of one true class, and smoothing leaves none"
            raise UserError(f"loss.label_smoothing={self.label_smoothing}", wrong, "Use 0, or another loss.kind")
        if self.kind == "logit_adjusted" and self.class_weights != "none":
            wrong = "logit_adjusted makes up for rare classes itself, and the two would add up"
            raise UserError(f"loss.class_weights={self.class_weights}", wrong, "Use none, or another loss.kind")


@dataclass
class OptimConfig:
    """AdamW, linear warm-up, cosine decay to zero."""

    learning_rate: float = 5e-4
    pretrained_learning_rate: float = 1e-4
    """Of the towers that start from trained weights."""
    wide_learning_rate: float = 5e-3
    """Of the wide path, whose weights start at 0 and each see few items."""
    weight_decay: float = 0.05
    warmup_fraction: float = 0.1
    clip_norm: float = 1.0
    """The gradients' norm is cut to this."""
    batch_size: int = 32
    ema: float | None = None
    """Validate and keep a moving average of the weights of this decay (0.999: of about 1000 steps); null: the weights
    themselves."""

    def __post_init__(self) -> None:
        check_range("optim.batch_size", self.batch_size, 2, 1e6)
        check_range("optim.warmup_fraction", self.warmup_fraction, 0, 1)
        check_range("optim.learning_rate", self.learning_rate, 0, 100)
        check_range("optim.pretrained_learning_rate", self.pretrained_learning_rate, 0, 100)
        check_range("optim.wide_learning_rate", self.wide_learning_rate, 0, 100)
        check_range("optim.weight_decay", self.weight_decay, 0, 100)
        check_range("optim.clip_norm", self.clip_norm, 1e-9, 1e9)
        if self.ema is not None:
            check_range("optim.ema", self.ema, 0, 0.999999)


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
    compile: bool = False
    """Whether torch.compile writes kernels for the towers, which takes minutes at the start on two cores."""
    accumulate_grad_batches: int = 1
    patience: int | None = None
    """Stop after this many epochs without a better validation score; null trains all epochs."""
    keep_checkpoints: int = 1
    """How many of the best checkpoints stay on disk."""
    checkpoint_seconds: float = 60.0
    """How often a run that may be killed writes the checkpoint that `resume` continues from."""

    def __post_init__(self) -> None:
        check_choice("trainer.precision", self.precision, ("auto", "32-true", "bf16-mixed"))
        check_range("trainer.max_epochs", self.max_epochs, 1, 1e6)
        check_range("trainer.devices", self.devices, 1, 1e4)
        check_range("trainer.num_nodes", self.num_nodes, 1, 1e6)
        check_range("trainer.checkpoint_seconds", self.checkpoint_seconds, 0, 1e9)
        if self.patience is not None:
            check_range("trainer.patience", self.patience, 1, 1e6)
        check_range("trainer.accumulate_grad_batches", self.accumulate_grad_batches, 1, 1e6)
        check_range("trainer.keep_checkpoints", self.keep_checkpoints, 1, 1e3)


@dataclass
class ThresholdConfig:
    """From which confidence on answers are accepted; the thresholds are chosen on validation."""

    target_accuracy: float = 0.99
    """Of the answers that a head accepts; `data.attributes.<name>.target_accuracy` for one of its own."""
    item_target_accuracy: float | None = None
    """Of the items that are accepted as a whole: the share with every label right; null: the least of the heads."""
    delta: float = 0.05
    """How probable it may be that a threshold misses its target."""
    unknown_share: float | None = 0.01
    """Of items like those of training, the share that may be called unknown by mistake; null: none is."""

    def __post_init__(self) -> None:
        check_range("thresholds.target_accuracy", self.target_accuracy, 0.5, 0.9999)
        check_range("thresholds.delta", self.delta, 0.0001, 0.5)
        if self.item_target_accuracy is not None:
            check_range("thresholds.item_target_accuracy", self.item_target_accuracy, 0.5, 0.9999)
        if self.unknown_share is not None:
            check_range("thresholds.unknown_share", self.unknown_share, 0.0001, 0.5)


@dataclass
class ContrastConfig:
    """Of two towers that learn which title belongs to which picture."""

    size: int = 256
    """Of the space in which they meet."""

    def __post_init__(self) -> None:
        check_range("contrast.size", self.size, 1, 1e5)


@dataclass
class TrainConfig:
    """Everything `train.py` reads."""

    data: DataConfig
    model: ModelConfig
    preprocess: PreprocessConfig = field(default_factory=PreprocessConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    trainer: TrainerConfig = field(default_factory=TrainerConfig)
    thresholds: ThresholdConfig = field(default_factory=ThresholdConfig)
    similarity: SimilarityConfig | None = field(default_factory=SimilarityConfig)
    """How the bundle's similarity head is learned; null: it has none, and items are compared by the embedding."""
    logger: dict[str, Any] = field(default_factory=dict)
    """Name -> a node with `_target_`, built by `hydra_bridge.build_loggers`; a null one is left out."""
    report: bool = True
    """Draw `report.html` at the end, which takes some seconds."""
    seed: int = 0
    limit_items: int | None = None
    """Train and evaluate on the first families that hold this many rows: a quick look at a large catalogue."""
    resume: str | None = None
    """The folder of a killed run to continue."""
    contrast: ContrastConfig | None = None
    """Not a tagger is trained, but its two towers, on the catalogue's own pairs; null: a tagger."""
    recommend: RankerConfig | None = None
    """Not a tagger is trained, but a ranker of its items for people's histories; null: a tagger."""
    benchmark: BenchmarkConfig = field(default_factory=BenchmarkConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    """Of a multirun (`-m`)."""
    fail_fast: bool = False
    """Stop a multirun at the first job that fails; otherwise the others go on."""
    sweep_status: str | None = None
    """Train nothing: show the jobs of this sweep's folder."""

    def __post_init__(self) -> None:
        check_range("seed", self.seed, 0, MAX_SEED)
        self.logger = {name: node for name, node in self.logger.items() if node is not None}
        for name, node in self.logger.items():
            if not isinstance(node, dict):
                repair = "Take one of logger=csv, wandb, tensorboard, mlflow, or give it a _target_"
                raise UserError(f"logger.{name}={node}", "no logger", repair)
        if self.limit_items is not None:
            check_range("limit_items", self.limit_items, 1, 1e12)
        if self.contrast is not None:
            self._check_contrast()
        if self.recommend is not None:
            self._check_recommend()

    def _check_recommend(self) -> None:
        for name, there in {
            "contrast": self.contrast is not None,
            "benchmark.row": self.benchmark.row is not None,
        }.items():
            if there:
                raise UserError(name, "is of another training than recommend", "Leave one out")

    def _check_contrast(self) -> None:
        """What is kept of such a run are a torchvision network and an encoder that transformers reads."""
        model = self.model
        if model.image is None or model.text is None or model.text.kind != "bert" or model.wide is not None:
            repair = "Use model=image_text with model/text=bert_small or bert_pretrained"
            raise UserError("contrast", "pretrains a picture tower and a BERT, and nothing else", repair)
        if model.image.colour_statistics:
            wrong = "learned beside the network, and only the network would be kept"
            raise UserError("model.image.colour_statistics=true", wrong, "Set it in the run that uses the towers")
        if self.benchmark.row is not None:
            raise UserError(f"benchmark.row={self.benchmark.row}", "a row tags, and contrast does not", "Leave one out")
