"""Every parameter is in one group: trained towers learn slower, vectors do not decay; the rate warms up and cools."""

import math

import pytest
import torch
from tiny import CLASSES, VOCABULARY, tiny_config, tiny_tagger

from fashionmt.config import ImageTowerConfig, ModelConfig, OptimConfig, TextTowerConfig
from fashionmt.model import Tagger, rebuild_tagger
from fashionmt.model.text_tower import build_encoder
from fashionmt.training.optim import build_optimizer, build_scheduler

CONFIG = OptimConfig(learning_rate=0.1, pretrained_learning_rate=0.01, wide_learning_rate=0.5, weight_decay=0.3)
SMALL = TextTowerConfig(hidden_size=16, layers=1, heads=2)
MODELS = {
    "all new": (ImageTowerConfig(), SMALL, set()),
    "hub pictures": (ImageTowerConfig(pretrained=True), SMALL, {"image"}),
    "local pictures": (ImageTowerConfig(weights="weights.pth"), SMALL, {"image"}),
    "hub titles": (ImageTowerConfig(), TextTowerConfig(pretrained="some/bert"), {"text"}),
    "both pretrained": (ImageTowerConfig(pretrained=True), TextTowerConfig(pretrained="some/bert"), {"image", "text"}),
    "titles alone": (None, TextTowerConfig(pretrained="some/bert"), {"text"}),
}


def _tagger(image: ImageTowerConfig | None, text: TextTowerConfig) -> Tagger:
    """Without weights: the groups depend on what the config says that they are."""
    encoder = build_encoder(SMALL, VOCABULARY).config.to_dict()
    with torch.device("meta"):
        return rebuild_tagger(ModelConfig(image=image, text=text), CLASSES, encoder)


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_has_the_rate_and_decay_of_its_kind(model: str) -> None:
    image, text, trained = MODELS[model]
    tagger = _tagger(image, text)
    groups = build_optimizer(tagger, CONFIG).param_groups
    settings = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    found = {name: settings[id(parameter)] for name, parameter in tagger.named_parameters()}
    expected = {
        name: (0.01 if name.split(".")[0] in trained else 0.1, 0.0 if parameter.ndim < 2 else 0.3)
        for name, parameter in tagger.named_parameters()
    }
    assert found == expected
    assert found["missing.vectors.text"] == (0.1, 0.0)


def test_the_wide_path_has_a_rate_of_its_own() -> None:
    tagger = tiny_tagger(tiny_config(image=False, wide=True))
    groups = build_optimizer(tagger, CONFIG).param_groups
    table = tagger.wide.weight.weight
    assert [(g["lr"], g["weight_decay"]) for g in groups if any(p is table for p in g["params"])] == [(0.5, 0.3)]
    assert {id(p) for g in groups if g["lr"] == 0.5 for p in g["params"]} == {id(table)}


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_is_there_once(model: str) -> None:
    tagger = _tagger(*MODELS[model][:2])
    held = [id(p) for group in build_optimizer(tagger, CONFIG).param_groups for p in group["params"]]
    assert len(held) == len(set(held))
    assert set(held) == {id(parameter) for parameter in tagger.parameters()}


def test_a_frozen_parameter_is_left_out() -> None:
    tagger = _tagger(None, SMALL)
    tagger.text.requires_grad_(False)
    held = {id(p) for group in build_optimizer(tagger, CONFIG).param_groups for p in group["params"]}
    assert held == {id(p) for name, p in tagger.named_parameters() if not name.startswith("text.")}


def test_a_step_is_adamws_by_hand() -> None:
    """The first AdamW step moves by the rate times the gradient's sign, after decaying."""
    tagger = tiny_tagger(tiny_config(image=False))
    weight, bias = tagger.heads.linear["head_colour"].weight, tagger.heads.linear["head_colour"].bias
    before = weight.detach().clone(), bias.detach().clone()
    optimizer = build_optimizer(tagger, CONFIG)
    (2 * weight.sum() - 3 * bias.sum()).backward()
    optimizer.step()
    torch.testing.assert_close(weight, before[0] * (1 - 0.1 * 0.3) - 0.1)
    torch.testing.assert_close(bias, before[1] + 0.1)


def _rates(steps: int, warmup_fraction: float) -> list[float]:
    """The rate of every step, of a group whose full rate is 1 and one whose is 0.5."""
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.AdamW([{"params": parameters[:1], "lr": 1.0}, {"params": parameters[1:], "lr": 0.5}])
    scheduler = build_scheduler(optimizer, steps, warmup_fraction)
    rates = []
    for _ in range(steps + 1):
        first, second = (group["lr"] for group in optimizer.param_groups)
        assert second == pytest.approx(first / 2)
        rates.append(first)
        optimizer.step()
        scheduler.step()
    return rates


def test_the_rate_rises_in_a_line_then_falls_in_half_a_cosine_to_zero() -> None:
    rates = _rates(100, 0.2)
    assert rates[:20] == pytest.approx([(step + 1) / 20 for step in range(20)])
    assert rates[20:] == pytest.approx([(1 + math.cos(math.pi * step / 80)) / 2 for step in range(81)])
    assert (rates[19], rates[20], rates[60], rates[100]) == pytest.approx((1, 1, 0.5, 0))


@pytest.mark.parametrize(("steps", "warmup_fraction"), [(1, 0.1), (2, 0.1), (10, 0.0), (10, 1.0), (3, 0.5)])
def test_no_step_of_a_short_run_is_wasted_or_above_the_full_rate(steps: int, warmup_fraction: float) -> None:
    rates = _rates(steps, warmup_fraction)[:steps]
    assert max(rates) == pytest.approx(1)
    assert min(rates) > 0
