"""The parts of `bundle.json`, checked: what is damaged raises `ValueError`, `KeyError` or `TypeError`."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fashionmt.confidence import ConfidenceMap, ConfidenceMaps, Threshold, Thresholds
from fashionmt.config import ClipConfig, FusionConfig, ImageTowerConfig, ModelConfig, TextTowerConfig, WidePathConfig
from fashionmt.decoding import Decoder
from fashionmt.novelty import Novelty
from fashionmt.shown import PRIMARY
from fashionmt.taxonomy import Taxonomy

FITTED = {"temperatures", "joint_temperature", "confidence_maps", "thresholds"}
"""What of a decoder each view has of its own."""


def decisions(stored: Mapping[str, Any], classes: Mapping[str, int]) -> dict[str, Any]:
    """Field of `Bundle` -> all that turns logits into answers. `classes`: attribute -> number of its classes."""
    shared = Decoder(
        shifts=_shifts(stored.get("shifts", {}), classes),
        taxonomy=Taxonomy.from_json(stored["taxonomy"], classes) if "taxonomy" in stored else None,
    )
    return {
        "decoder": _fitted(shared, stored, classes),
        "alone": {view: _alone(shared, view, fitted, classes) for view, fitted in stored.get("alone", {}).items()},
        "novelty": _novelty(stored["novelty"]) if "novelty" in stored else None,
        "train_counts": _train_counts(stored.get("train_counts", {}), classes),
    }


def _fitted(shared: Decoder, stored: Mapping[str, Any], classes: Mapping[str, int]) -> Decoder:
    """`shared` with what of a decoder was fitted to items that show the same inputs."""
    return replace(
        shared,
        temperatures=_temperatures(stored["temperatures"], classes),
        joint_temperature=_number("joint_temperature", stored.get("joint_temperature", 1.0), positive=True),
        confidence_maps=_confidence_maps(stored["confidence_maps"], classes) if "confidence_maps" in stored else None,
        thresholds=_thresholds(stored["thresholds"], classes) if "thresholds" in stored else None,
    )


def _alone(shared: Decoder, view: str, stored: Mapping[str, Any], classes: Mapping[str, int]) -> Decoder:
    if view not in PRIMARY:
        raise ValueError(f"alone: {view!r} is none of {', '.join(PRIMARY)}")
    if unknown := stored.keys() - FITTED:
        raise ValueError(f"alone: {view} holds the unknown key {min(unknown)!r}")
    return _fitted(shared, stored, classes)


def model_config(stored: Mapping[str, Any]) -> ModelConfig:
    """The config that the tagger was built from."""
    parts: dict[str, Any] = dict(stored)
    kinds = {
        "image": ImageTowerConfig,
        "text": TextTowerConfig,
        "clip": ClipConfig,
        "wide": WidePathConfig,
        "fusion": FusionConfig,
    }
    for name, kind in kinds.items():
        parts[name] = kind(**parts[name]) if parts[name] is not None else None
    return ModelConfig(**parts)


def _temperatures(stored: Mapping[str, Any], classes: Mapping[str, int]) -> dict[str, float]:
    _known("temperatures", stored, classes)
    return {name: _number(f"the temperature of {name}", value, positive=True) for name, value in stored.items()}


def _shifts(stored: Mapping[str, Sequence[Any]], classes: Mapping[str, int]) -> dict[str, list[float]]:
    _known("shifts", stored, classes)
    for name, values in stored.items():
        if len(values) != classes[name]:
            raise ValueError(f"shifts: {len(values)} numbers for the {classes[name]} classes of {name}")
    return {name: [_number(f"a shift of {name}", value) for value in values] for name, values in stored.items()}


def _confidence_maps(stored: Mapping[str, Any], classes: Mapping[str, int]) -> ConfidenceMaps:
    heads = {name: _confidence_map(name, value) for name, value in stored["heads"].items()}
    _one_each("confidence_maps", heads, classes)
    return ConfidenceMaps(heads, _confidence_map("the item", stored["item"]))


def _confidence_map(name: str, stored: Mapping[str, Any]) -> ConfidenceMap:
    found = ConfidenceMap(**{key: _number(f"the map of {name}", value) for key, value in stored.items()})
    if found.a < 0 or found.b < 0:
        raise ValueError(f"the map of {name}: {found} does not rise")
    return found


def _thresholds(stored: Mapping[str, Any], classes: Mapping[str, int]) -> Thresholds:
    heads = {name: _threshold(name, value) for name, value in stored["heads"].items()}
    _one_each("thresholds", heads, classes)
    return Thresholds(heads, _threshold("the item", stored["item"]))


def _novelty(stored: Mapping[str, Any]) -> Novelty:
    return Novelty({view: _number(f"the limit of {view}", value) for view, value in stored["limits"].items()})


def _threshold(name: str, stored: Mapping[str, Any]) -> Threshold:
    threshold = Threshold(**stored)
    shares = [threshold.target_accuracy, *([] if threshold.confidence is None else [threshold.confidence])]
    if not all(0 <= _number(f"the threshold of {name}", value) <= 1 for value in shares):
        raise ValueError(f"the threshold of {name}: {shares} are no shares")
    return threshold


def _train_counts(stored: Mapping[str, Sequence[Any]], classes: Mapping[str, int]) -> dict[str, list[int]]:
    _known("train_counts", stored, classes)
    for name, counts in stored.items():
        if len(counts) != classes[name] or any(type(count) is not int or count < 0 for count in counts):
            raise ValueError(f"train_counts: {name} needs a number of items for each of its {classes[name]} classes")
    return {name: list(counts) for name, counts in stored.items()}


def _one_each(key: str, stored: Mapping[str, Any], classes: Mapping[str, int]) -> None:
    _known(key, stored, classes)
    if missing := classes.keys() - stored.keys():
        raise ValueError(f"{key}: none for {min(missing)}")


def _known(key: str, stored: Mapping[str, Any], classes: Mapping[str, int]) -> None:
    if unknown := stored.keys() - classes.keys():
        raise ValueError(f"{key}: {min(unknown)!r} is no attribute of the tagger")


def _number(what: str, value: Any, positive: bool = False) -> float:
    """JSON as Python reads it has NaN and Infinity."""
    if type(value) not in (int, float) or not math.isfinite(value) or (positive and value <= 0):
        raise ValueError(f"{what}: {value!r} is no {'positive ' if positive else ''}number")
    return float(value)
