"""Torchvision's classifiers of pictures by name, without their last classification layer."""

import difflib
import re
import urllib.error
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torchvision.models
from safetensors.torch import load_file
from torch import Tensor, nn

from fashionmt.config import ImageTowerConfig
from fashionmt.errors import UserError

AUXILIARY = {"googlenet": ("aux1", "aux2"), "inception": ("AuxLogits",)}
"""Family -> its classifiers beside the last one, which train the whole network on ImageNet's classes alone."""
LAST_STAGE = {
    "convnext": "features.-1",
    "densenet": "features.denseblock4",
    "efficientnet": "features.-2",
    "googlenet": "inception5a",
    "inception": "Mixed_7a",
    "maxvit": "blocks.-1",
    "mnasnet": "layers.-4",
    "mobilenet": "features.-2",
    "regnet": "trunk_output.-1",
    "resnet": "layer4",
    "resnext": "layer4",
    "shufflenet": "stage4",
    "squeezenet": "features.-1",
    "swin": "features.-1",
    "vit": "encoder.layers.-1",
    "wide": "layer4",
}
"""Family -> the module its last stage begins with; -1 is the last child. Of VGG and AlexNet see `_last_stage`."""
DENSENET_OLD = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12])\.")
"""DenseNet's keys in torchvision's own files: norm.1 is now norm1."""


@dataclass(frozen=True)
class NetworkInput:
    """What a network takes: normalised by `mean` and `std` (of colours from 0 to 1), sides of at least `side`."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    side: int
    exact: bool
    """Whether it takes pictures of side x side alone."""


def check_network(name: str) -> None:
    """Raise `UserError` where torchvision has no classifier of pictures of that name."""
    known = torchvision.models.list_models(module=torchvision.models)
    if name in known:
        return
    other = name in torchvision.models.list_models()
    wrong = "no classifier of pictures" if other else "torchvision has no such classifier"
    near = difflib.get_close_matches(name.lower(), known, n=5, cutoff=0.4) or ["resnet18", "efficientnet_b0", "vgg16"]
    raise UserError(
        f"model.image.name={name}", wrong, f"Use one of torchvision's {len(known)}, such as {', '.join(near)}"
    )


def check_weights(config: ImageTowerConfig) -> None:
    """Raise `UserError` where the file of its weights is not there."""
    if config.weights is not None and not Path(config.weights).is_file():
        repair = "Name a .safetensors or .pth state dict, or make one with `python train.py experiment=pretrain_clip`"
        raise UserError(f"model.image.weights={config.weights}", "no such file", repair)


def network_input(name: str) -> NetworkInput:
    """The normalisation of torchvision's own weights, and the smallest picture that fits."""
    weights = torchvision.models.get_model_weights(name).DEFAULT
    preset, family = weights.transforms(), _family(name)
    # Of Swin torchvision names the side it was trained at, but its windows are padded.
    side = 1 if family == "swin" else max(weights.meta["min_size"])
    return NetworkInput(tuple(preset.mean), tuple(preset.std), side, exact=family in ("vit", "maxvit"))


def build_network(config: ImageTowerConfig, load_weights: bool) -> tuple[nn.Module, int]:
    """(the network, its features): normalised float (B, 3, H, W) -> float (B, features).

    `load_weights` False builds the shape only. Raises `UserError` for an unknown name and for weights that cannot be
    had or do not fit.
    """
    check_network(config.name)
    if load_weights:
        check_weights(config)
    download = load_weights and config.pretrained and config.weights is None
    network = _without_extras(_from_torchvision(config.name, download), _family(config.name))
    classifier, size = _cut(network)
    if load_weights and config.weights is not None:
        _load(network, config.name, Path(config.weights), (classifier, *AUXILIARY.get(_family(config.name), ())))
    return network, size


def frozen_modules(network: nn.Module, config: ImageTowerConfig) -> list[nn.Module]:
    """The modules whose own parameters and statistics `config.train` keeps as they are."""
    if config.train == "all":
        return []
    if config.train == "none":
        return list(network.modules())
    return list(_before(network, _last_stage(network, config.name)))


def _family(name: str) -> str:
    """`vgg` of `vgg16_bn`, `wide` of `wide_resnet50_2`."""
    return re.split(r"[\d_]", name, maxsplit=1)[0]


def _from_torchvision(name: str, download: bool) -> Any:
    options: dict[str, Any] = {}
    if _family(name) in AUXILIARY:
        options["init_weights"] = not download  # left out, it is a warning
    elif _family(name) == "vit":
        options["image_size"] = network_input(name).side  # which one of them does not default to
    if not download:
        return torchvision.models.get_model(name, weights=None, **options)
    try:
        return torchvision.models.get_model(name, weights="DEFAULT", **options)
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        raise UserError(
            f"model.image.pretrained=true ({name})",
            f"torchvision's weights could not be downloaded ({error})",
            "Go online, or set model.image.weights=<local file>, or model.image.pretrained=false",
        ) from error


def _without_extras(network: Any, family: str) -> Any:
    """The network with one output, that reads ImageNet's normalisation, and that any state dict loads into."""
    if family in AUXILIARY:
        network.aux_logits = False
        for name in AUXILIARY[family]:
            setattr(network, name, None)
        network.transform_input = True  # as with torchvision's weights: they came from another normalisation
    if family == "mnasnet":
        # Its own class refuses a state dict without a mark that neither safetensors nor a bundle keeps.
        parts = {"layers": network.layers, "pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
        return nn.Sequential(OrderedDict(parts, classifier=network.classifier))
    return network


def _cut(network: Any) -> tuple[str, int]:
    """Take the classification layer out; gives its name and the width of what is left."""
    if isinstance(network, torchvision.models.VGG | torchvision.models.AlexNet):
        # All three dense layers: most of the weights, and they read 7 x 7 positions, where a small picture leaves 2.
        network.avgpool, network.classifier = nn.AdaptiveAvgPool2d(1), nn.Identity()
        return "classifier", [layer for layer in network.features if isinstance(layer, nn.Conv2d)][-1].out_channels
    layers = [(name, layer) for name, layer in network.named_modules() if isinstance(layer, nn.Linear | nn.Conv2d)]
    name, last = layers[-1]
    network.set_submodule(name, nn.Identity())
    return name, last.in_features if isinstance(last, nn.Linear) else last.in_channels


def _load(network: nn.Module, name: str, path: Path, thrown_away: tuple[str, ...]) -> None:
    """Load a local state dict but for the classifiers, which belong to its own classes."""
    try:
        state = load_file(path) if path.suffix == ".safetensors" else torch.load(path, "cpu", weights_only=True)
        missing, unexpected = network.load_state_dict(_kept(state, name, thrown_away), strict=False)
    except Exception as error:  # every reader of weights has its own kinds of error
        raise UserError(f"model.image.weights={path}", f"not a {name} state dict ({error})", "Check it") from error
    if wrong := unexpected + missing:
        raise UserError(f"model.image.weights={path}", f"does not fit {name} at {wrong[0]}", "Check model.image.name")


def _kept(state: dict[str, Tensor], name: str, thrown_away: tuple[str, ...]) -> dict[str, Tensor]:
    prefixes = tuple(f"{prefix}." for prefix in thrown_away)
    kept = {key: value for key, value in state.items() if not key.startswith(prefixes)}
    return {DENSENET_OLD.sub(r"\1\2.", key): value for key, value in kept.items()} if "densenet" in name else kept


def _last_stage(network: Any, name: str) -> nn.Module:
    if isinstance(network, torchvision.models.VGG | torchvision.models.AlexNet):
        pools = [layer for layer in network.features if isinstance(layer, nn.MaxPool2d)]
        return pools[-2]  # the last one ends the stage
    if _family(name) not in LAST_STAGE:
        raise UserError("model.image.train=last", f"which stage of {name} is the last is not known", "Use all or none")
    stage: nn.Module = network
    for part in LAST_STAGE[_family(name)].split("."):
        stage = list(stage.children())[int(part)] if part.startswith("-") else stage.get_submodule(part)
    return stage


def _before(network: nn.Module, stage: nn.Module) -> Iterator[nn.Module]:
    """The modules that come before `stage`; torchvision declares them in the order that they run in."""
    for module in network.modules():
        if module is stage:
            return
        yield module
