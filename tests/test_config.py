"""The config refuses each value that would fail later, by its key and in one line, and takes the bounds themselves."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from fashionmt import config as schema
from fashionmt.config import (
    AttributeConfig,
    BenchmarkConfig,
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
    TabularColumnConfig,
    TextTowerConfig,
    ThresholdConfig,
    TrainConfig,
    TrainerConfig,
    WidePathConfig,
)
from fashionmt.errors import UserError

NAN = float("nan")
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
    (lambda **given: _data(**given), "data", "kind", ("files", "sample")),
    (lambda **given: _data(**given), "data", "rare", ("mask", "other")),
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


def _data(**given: Any) -> DataConfig:
    return DataConfig(**{"attributes": {"colour": AttributeConfig()}, **given})


def _train(**given: Any) -> TrainConfig:
    return TrainConfig(**{"data": _data(), "model": ModelConfig(image=ImageTowerConfig()), **given})


def _refusal(make: Callable[..., Any], **given: Any) -> str:
    with pytest.raises(UserError) as refused:
        make(**given)
    message = str(refused.value)
    assert "\n" not in message
    return message


def _key(section: str, name: str) -> str:
    return f"{section}.{name}" if section else name


@pytest.mark.parametrize(("kind", "section", "name", "low", "high"), RANGES)
def test_a_number_out_of_range_is_refused_and_the_bounds_are_taken(
    kind: type, section: str, name: str, low: float, high: float
) -> None:
    below = low - 1 if isinstance(low, int) else low / 2
    above = high + 1 if isinstance(high, int) else high * 2
    for value in (below, above, NAN, float("inf"), float("-inf")):
        message = _refusal(kind, **{name: value})
        assert message.startswith(f"{_key(section, name)}={value}: out of range. Use a value from {low:g} to {high:g}")
    for value in (low, high):
        assert getattr(kind(**{name: value}), name) == value


@pytest.mark.parametrize(("make", "section", "name", "choices"), CHOICES)
def test_an_unknown_choice_is_refused_with_the_known_ones(
    make: Callable[..., Any], section: str, name: str, choices: tuple[str, ...]
) -> None:
    for value in ("no-such", "", choices[0].upper() + "!"):
        message = _refusal(make, **{name: value})
        assert message == f"{_key(section, name)}={value}: no such choice. Use one of {', '.join(choices)}."
    for choice in choices:
        assert getattr(make(**{name: choice}), name) == choice


@pytest.mark.parametrize("count", [0, -1])
def test_the_least_count_of_a_class_is_at_least_one(count: int) -> None:
    assert _refusal(_data, min_count=count).startswith(f"data.min_count={count}: ")
    assert _data(min_count=1).min_count == 1


def test_a_catalogue_without_attributes_is_refused() -> None:
    assert _refusal(DataConfig).startswith("data.attributes: no attribute is declared")


def test_a_catalogue_that_the_sample_would_not_read_is_refused() -> None:
    message = _refusal(_data, kind="sample", catalogue="items.csv")
    assert message.startswith("data.catalogue=items.csv: data=sample draws its own")
    assert message.endswith("Add data=catalogue.")


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "mean", "total"])
def test_an_attributes_name_that_would_break_a_path_or_a_log_is_refused(name: str) -> None:
    attributes = {"colour": AttributeConfig(), name: AttributeConfig()}
    assert _refusal(_data, attributes=attributes).startswith(f"data.attributes.{name}: ")


def test_an_attributes_column_is_its_own_name_unless_told() -> None:
    data = _data(attributes={"colour": AttributeConfig(), "all": AttributeConfig(column="total")})
    assert [data.column_of(name) for name in ("colour", "all")] == ["colour", "total"]


@pytest.mark.parametrize("train", ["last", "none"])
def test_a_network_of_random_weights_is_not_frozen(train: str) -> None:
    assert _refusal(ImageTowerConfig, train=train).startswith(f"model.image.train={train}: keeps layers as they start")
    assert ImageTowerConfig(train=train, pretrained=True).train == train


@pytest.mark.parametrize(("name", "value"), [("hidden_size", 0), ("heads", 0), ("heads", -4), ("hidden_size", -16)])
def test_a_text_tower_without_width_or_heads_is_refused(name: str, value: int) -> None:
    assert _refusal(TextTowerConfig, **{name: value}).startswith(f"model.text.{name}={value}: out of range")


def test_a_hidden_size_that_the_heads_do_not_divide_is_refused() -> None:
    assert _refusal(TextTowerConfig, hidden_size=130).startswith("model.text.hidden_size=130: not divisible by 4")
    assert TextTowerConfig(hidden_size=130, heads=5).heads == 5


def test_an_lstm_of_an_odd_size_is_refused() -> None:
    assert _refusal(TextTowerConfig, kind="lstm", hidden_size=15).startswith("model.text.hidden_size=15: odd")
    assert TextTowerConfig(kind="lstm", hidden_size=130).hidden_size == 130
    assert TextTowerConfig(kind="tfidf", hidden_size=15).hidden_size == 15


def test_a_pretrained_encoder_is_a_bert() -> None:
    for kind in ("lstm", "ngram", "tfidf"):
        message = _refusal(TextTowerConfig, kind=kind, pretrained="some/bert")
        assert message.startswith("model.text.pretrained=some/bert: ")
        assert f"model.text.kind is {kind}" in message


def test_a_fusions_size_that_the_heads_do_not_divide_is_refused_where_there_are_heads() -> None:
    message = _refusal(FusionConfig, kind="cross_attention", size=30)
    assert message.startswith("model.fusion.size=30: not divisible by 4")
    assert FusionConfig(kind="cross_attention", size=30, heads=5).heads == 5
    assert FusionConfig(kind="late", size=30).size == 30


def test_a_model_without_a_tower_is_refused() -> None:
    assert _refusal(ModelConfig).startswith("model: neither model.image nor model.text is set")


def test_clip_makes_both_towers_and_no_third() -> None:
    clip = ClipConfig("some/clip")
    assert ModelConfig(clip=clip, wide=WidePathConfig()).modalities == ("image", "text")
    for tower in ({"image": ImageTowerConfig()}, {"text": TextTowerConfig()}):
        assert _refusal(ModelConfig, clip=clip, **tower).startswith("model.clip: makes both towers")


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
    assert _refusal(_train, contrast=ContrastConfig(), model=model).startswith("contrast: pretrains a picture tower")


def test_contrast_keeps_no_colour_branch_and_is_no_row_of_the_benchmark() -> None:
    both = ModelConfig(image=ImageTowerConfig(), text=TextTowerConfig())
    colours = ModelConfig(image=ImageTowerConfig(colour_statistics=True), text=TextTowerConfig())
    message = _refusal(_train, contrast=ContrastConfig(), model=colours)
    assert message.startswith("model.image.colour_statistics=true: ")
    row = BenchmarkConfig(row="some_row")
    message = _refusal(_train, contrast=ContrastConfig(), model=both, benchmark=row)
    assert message.startswith("benchmark.row=some_row: ")
    assert _train(contrast=ContrastConfig(), model=both).contrast == ContrastConfig(256)


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
    message = _refusal(ModelConfig, image=ImageTowerConfig(), drop_image=image, drop_title=title)
    assert message.startswith(f"{key}: out of range")


def test_dropping_nothing_or_nearly_all_is_taken() -> None:
    for image, title in ((0.0, 0.0), (0.9, 0.0), (0.0, 0.9)):
        model = ModelConfig(image=ImageTowerConfig(), drop_image=image, drop_title=title)
        assert (model.drop_image, model.drop_title) == (image, title)


@pytest.mark.parametrize("weight", [-1.0, NAN, 1e7])
def test_an_attributes_weight_out_of_range_is_refused_by_its_name(weight: float) -> None:
    message = _refusal(DataConfig, attributes={"season": AttributeConfig(weight=weight)})
    assert f"data.attributes.season.weight={weight}: out of range" in message
    assert DataConfig(attributes={"season": AttributeConfig(weight=0.0)})


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({"kind": "focal", "label_smoothing": 0.1}, "loss.label_smoothing=0.1"),
        ({"kind": "logit_adjusted", "class_weights": "inverse"}, "loss.class_weights=inverse"),
        ({"kind": "logit_adjusted"}, "loss.class_weights=sqrt_inverse"),
    ],
)
def test_a_loss_whose_parts_do_not_go_together_is_refused(given: dict[str, Any], key: str) -> None:
    message = _refusal(LossConfig, **given)
    assert message.startswith(f"{key}: ")
    assert message.endswith("or another loss.kind.")


def test_a_focal_loss_takes_class_weights_and_logit_adjustment_takes_smoothing() -> None:
    assert LossConfig(kind="focal", class_weights="inverse").kind == "focal"
    assert LossConfig(kind="logit_adjusted", class_weights="none", label_smoothing=0.1).kind == "logit_adjusted"


@pytest.mark.parametrize("target", [0.49, 1.0, NAN])
def test_an_attributes_accuracy_out_of_range_is_refused_by_its_name(target: float) -> None:
    message = _refusal(DataConfig, attributes={"season": AttributeConfig(target_accuracy=target)})
    assert f"data.attributes.season.target_accuracy={target}: out of range" in message


TREE = {name: AttributeConfig() for name in ("type", "group", "kind", "colour")}


@pytest.mark.parametrize(
    ("taxonomy", "learn", "left"),
    [
        (["type", "group", "kind"], None, ["type", "group", "kind"]),
        (["type", "group", "kind"], ["colour", "kind", "type"], ["type", "kind"]),
        (["type", "group", "kind"], ["colour", "kind"], None),
        (["type", "own"], ["own", "type"], ["type", "own"]),  # a column that no attribute declares
        (["type"], None, None),
        (["type", "type"], None, None),
        ([], None, None),
        (None, None, None),
    ],
)
def test_a_taxonomy_shrinks_to_what_is_learned(
    taxonomy: list[str] | None, learn: list[str] | None, left: list[str] | None
) -> None:
    data = DataConfig(attributes=dict(TREE), taxonomy=taxonomy, learn=learn)
    assert data.taxonomy == left
    again = DataConfig(attributes=data.attributes, taxonomy=data.taxonomy, learn=data.learn)  # as a kept config is
    assert again == data


def test_a_taxonomy_of_an_unknown_attribute_is_refused() -> None:
    message = _refusal(DataConfig, attributes=dict(TREE), taxonomy=["type", "gruop"])
    assert message == "data.taxonomy=gruop: no such attribute. Use some of type, group, kind, colour, or null."


@pytest.mark.parametrize(
    ("alike", "learn", "left"),
    [
        (["type", "colour"], None, ["type", "colour"]),
        (["type", "colour"], ["colour", "kind"], ["colour"]),
        (["type", "colour"], ["kind"], None),
        (["own"], ["own", "type"], ["own"]),
        ([], None, None),
        (None, None, None),
    ],
)
def test_what_makes_items_alike_shrinks_to_what_is_learned(
    alike: list[str] | None, learn: list[str] | None, left: list[str] | None
) -> None:
    data = DataConfig(attributes=dict(TREE), alike=alike, learn=learn)
    assert data.alike == left
    assert DataConfig(attributes=data.attributes, alike=data.alike, learn=data.learn) == data


def test_an_unknown_attribute_makes_nothing_alike() -> None:
    message = _refusal(DataConfig, attributes=dict(TREE), alike=["type", "gruop"])
    assert message == "data.alike=gruop: no such attribute. Use some of type, group, kind, colour, or null."


def test_a_picture_pattern_without_the_id_is_refused() -> None:
    assert "Put {id} into it" in _refusal(DataConfig, attributes={"a": AttributeConfig()}, picture_pattern="x.jpg")


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_no_generator_takes_is_refused(seed: int) -> None:
    assert _refusal(_train, seed=seed).startswith(f"seed={seed}: out of range")
    assert _train(seed=2**32 - 1).seed == 2**32 - 1


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_of_no_items_is_refused(limit: int) -> None:
    assert _refusal(_train, limit_items=limit).startswith(f"limit_items={limit}: out of range")
    assert _train(limit_items=1).limit_items == 1


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


def test_no_default_is_shared() -> None:
    """Two configs of a kind share no list, dict or section: changing one must not change the other."""
    for kind in (value for value in vars(schema).values() if is_dataclass(value) and isinstance(value, type)):
        if kind in (TrainConfig, DataConfig, ModelConfig, ClipConfig):
            continue  # they have fields without a default; made by hand below
        _assert_nothing_shared(kind(), kind())
    _assert_nothing_shared(_train(), _train())


def _assert_nothing_shared(first: Any, second: Any) -> None:
    for field in fields(first):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if isinstance(one, list | dict) or is_dataclass(one):
            assert one is not other


def test_columns_to_read_are_declared_in_short_or_at_length() -> None:
    attributes = {"season": AttributeConfig()}
    long = {"year": TabularColumnConfig("numeric", column="anno"), "fit": TabularColumnConfig()}
    config = DataConfig(attributes=attributes, tabular=long, numeric=["year", "price"], categorical=["brand"])
    assert config.tabular_columns() == {"year": "anno", "fit": "fit", "price": "price", "brand": "brand"}
    assert {name: column.kind for name, column in config.tabular.items()} == {
        "year": "numeric",
        "fit": "categorical",
        "price": "numeric",
        "brand": "categorical",
    }
    with pytest.raises(UserError, match="is what the model has to answer"):
        DataConfig(attributes=attributes, categorical=["season"])
