"""The bundle: everything a trained tagger needs to tag, in one folder that can be handed on.

`model.safetensors`, `bundle.json`, `tokenizer.json` (with a text tower), `ngrams.safetensors` (with a wide path),
`similarity.safetensors` (with a similarity head) and `README.md`, the model card. No pickle, no code, and nothing is
instantiated from a name inside it. A mismatch is an error, never a silent repair.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.numpy
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from fashionmt.attributes import LabelSpace
from fashionmt.config import (
    ClipConfig,
    FusionConfig,
    ImageTowerConfig,
    ModelConfig,
    PreprocessConfig,
    TextTowerConfig,
    WidePathConfig,
)
from fashionmt.data.catalogue import ColumnMap
from fashionmt.data.ngrams import NgramVocabulary
from fashionmt.data.tabular import TabularEncoder
from fashionmt.data.titles import TitleEncoder
from fashionmt.decoding import ConfidenceMap, ConfidenceMaps, Decoder, Threshold, Thresholds
from fashionmt.errors import UserError
from fashionmt.model.tagger import Tagger, rebuild_tagger
from fashionmt.novelty import Novelty
from fashionmt.similarity import SimilarityHead, read_head, save_head
from fashionmt.taxonomy import Taxonomy

FORMAT = 3
WEIGHTS, DESCRIPTION, CARD = "model.safetensors", "bundle.json", "README.md"
TOKENIZER, NGRAMS, SIMILARITY = "tokenizer.json", "ngrams.safetensors", "similarity.safetensors"
FILES = (WEIGHTS, TOKENIZER, NGRAMS, SIMILARITY)
PICKLES = {".bin", ".ckpt", ".dill", ".joblib", ".pickle", ".pkl", ".pt", ".pt2", ".pth"}
KEYS = {
    "format",
    "label_spaces",
    "model",
    "text_encoder",
    "preprocess",
    "columns",
    "temperatures",
    "metrics",
    "provenance",
    "sha256",
}
OPTIONAL = {
    "confidence_maps",
    "shifts",
    "tabular",
    "taxonomy",
    "joint_temperature",
    "thresholds",
    "novelty",
    "train_counts",
    "similarity",
}
"""Left out where there is none."""
MAX_DESCRIPTION = 50_000_000  # bytes


@dataclass(frozen=True)
class Bundle:
    """A tagger with all that belongs to it."""

    tagger: Tagger
    titles: TitleEncoder
    spaces: dict[str, LabelSpace]
    preprocess: PreprocessConfig
    columns: ColumnMap
    temperatures: dict[str, float]
    """Attribute -> what its logits are divided by; empty: confidences are not calibrated."""
    metrics: dict[str, Any]
    """Test results, as in `metrics.json`."""
    provenance: dict[str, Any]
    """What it was trained on, when, and with which versions."""
    shifts: dict[str, list[float]] = field(default_factory=dict)
    """Attribute -> C numbers subtracted from its logits before anything else."""
    taxonomy: Taxonomy | None = None
    """Which classes go together; None: every head answers for itself."""
    joint_temperature: float = 1.0
    """Of the taxonomy's combinations."""
    confidence_maps: ConfidenceMaps | None = None
    """What confidences go through at last; None: nothing."""
    tabular: TabularEncoder = field(default_factory=lambda: TabularEncoder({}))
    """How the catalogue's other columns are read."""
    thresholds: Thresholds | None = None
    """From which confidence on answers are accepted; None: all are for review."""
    novelty: Novelty | None = None
    """What tells an item like none in training; None: nothing does."""
    train_counts: dict[str, list[int]] = field(default_factory=dict)
    """Attribute -> training items of each of its C classes; empty: not known."""
    similarity: SimilarityHead | None = None
    """What items are compared by; None: the fused embedding itself."""

    @property
    def decoder(self) -> Decoder:
        """What turns the tagger's logits into answers."""
        return Decoder(
            self.temperatures,
            self.shifts,
            self.taxonomy,
            self.joint_temperature,
            self.confidence_maps,
        )


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write the bundle into a new folder. Its `bundle.json` is written last: its presence says that it is whole."""
    folder.mkdir(parents=True)
    state = {name: value.detach().cpu().contiguous() for name, value in bundle.tagger.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    if bundle.titles.tokenizer is not None:
        (folder / TOKENIZER).write_text(bundle.titles.tokenizer.to_str(), encoding="utf-8")
    if (ngrams := bundle.titles.ngrams) is not None:
        safetensors.numpy.save_file({"hashes": ngrams.hashes, "idf": ngrams.idf}, folder / NGRAMS)
    if bundle.similarity is not None:
        save_head(bundle.similarity, folder / SIMILARITY)
    (folder / CARD).write_text(_model_card(bundle), encoding="utf-8")
    description = _describe(bundle)
    description["sha256"] = {DESCRIPTION: _description_digest(description)} | _digests(folder)
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1, ensure_ascii=False), encoding="utf-8")


def read_bundle(folder: Path) -> Bundle:
    """Read a bundle, on the CPU and in evaluation mode. Raises `UserError` where it is not whole, safe and known."""
    stored = _description(folder)
    _refuse_pickles(folder)
    for name, digest in stored["sha256"].items():
        if name not in FILES:
            raise _damaged(folder, f"lists the unknown file {name!r}")
        if not (folder / name).is_file():
            raise _damaged(folder, f"{name} is missing")
        if _sha256(folder / name) != digest:
            raise _damaged(folder, f"{name} is truncated or was changed")
    try:
        return _rebuild(folder, stored)
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RuntimeError,
        safetensors.SafetensorError,
    ) as error:
        raise _damaged(folder, f"{DESCRIPTION} and {WEIGHTS} do not fit ({error!r:.200})") from error


def _describe(bundle: Bundle) -> dict[str, Any]:
    described = {
        "format": FORMAT,
        "label_spaces": [space.to_json() for space in bundle.spaces.values()],
        "model": asdict(bundle.tagger.config),
        "text_encoder": bundle.tagger.encoder_config(),
        "preprocess": asdict(bundle.preprocess),
        "columns": asdict(bundle.columns),
        "temperatures": bundle.temperatures,
        "metrics": bundle.metrics,
        "provenance": bundle.provenance,
    }
    if bundle.shifts:
        described["shifts"] = bundle.shifts
    if bundle.taxonomy is not None:
        described |= {"taxonomy": bundle.taxonomy.to_json(), "joint_temperature": bundle.joint_temperature}
    if bundle.confidence_maps is not None:
        described["confidence_maps"] = asdict(bundle.confidence_maps)
    if bundle.tabular.columns:
        described["tabular"] = bundle.tabular.to_json()
    if bundle.thresholds is not None:
        described["thresholds"] = asdict(bundle.thresholds)
    if bundle.novelty is not None:
        described["novelty"] = asdict(bundle.novelty)
    if bundle.train_counts:
        described["train_counts"] = bundle.train_counts
    if bundle.similarity is not None:
        # Pairs: in another order they would name other columns, and the digest does not see the order of keys.
        described["similarity"] = {"temperatures": [list(pair) for pair in bundle.similarity.temperatures.items()]}
    return described


def _description(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    if not folder.is_dir():
        raise UserError(f"bundle {folder}", "no such folder", "Train one with `python train.py`, or check the path")
    if not path.is_file() or path.stat().st_size > MAX_DESCRIPTION:
        raise UserError(f"bundle {folder}", f"holds no {DESCRIPTION}", "Name the folder that `train.py` wrote")
    try:
        stored: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        version = stored["format"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(folder, f"{DESCRIPTION} is truncated or no bundle's ({error!r:.80})") from error
    if version != FORMAT:
        wrong = f"format {version!r}, and this fashionmt reads format {FORMAT}"
        raise UserError(f"bundle {folder}", wrong, "Upgrade fashionmt, or train the bundle again")
    digests = stored.get("sha256")
    if not isinstance(digests, dict) or WEIGHTS not in digests:
        raise _damaged(folder, f"{DESCRIPTION} does not name {WEIGHTS}")
    # Classes in another order would load, and every tag would be wrong.
    if digests.pop(DESCRIPTION, None) != _description_digest(stored):
        raise _damaged(folder, f"{DESCRIPTION} was changed")
    if unknown := set(stored) - KEYS - OPTIONAL:
        raise _damaged(folder, f"{DESCRIPTION} holds the unknown key {min(unknown)!r}")
    return stored


def bundle_digest(folder: Path) -> str:
    """What tells a bundle from every other: of its description, which holds the digests of its files."""
    return _sha256(folder / DESCRIPTION)


def _refuse_pickles(folder: Path) -> None:
    for path in sorted(folder.glob("**/*")):
        if path.suffix.lower() in PICKLES:
            wrong = f"holds {path.name}, and such a file can run code when it is read"
            raise UserError(f"bundle {folder}", wrong, "Remove it: a bundle needs no such file")


def _rebuild(folder: Path, stored: dict[str, Any]) -> Bundle:
    spaces = {space["attribute"]: LabelSpace.from_json(space) for space in stored["label_spaces"]}
    classes = {name: len(space) for name, space in spaces.items()}
    config = _model_config(stored["model"])
    titles = _titles(folder, config)
    tabular = TabularEncoder.from_json(stored.get("tabular", {}))
    ngrams = titles.vocabulary_sizes()[1]
    tagger = rebuild_tagger(config, classes, stored["text_encoder"], ngrams, tabular.sizes())
    tagger.load_state_dict(_finite(load_file(folder / WEIGHTS)), strict=True)
    columns = stored["columns"] | {"missing_titles": tuple(stored["columns"]["missing_titles"])}
    return Bundle(
        tagger=tagger.eval(),
        titles=titles,
        spaces=spaces,
        preprocess=PreprocessConfig(**stored["preprocess"]),
        columns=ColumnMap(**columns),
        temperatures=_temperatures(stored["temperatures"], classes),
        metrics=stored["metrics"],
        provenance=stored["provenance"],
        shifts=_shifts(stored.get("shifts", {}), classes),
        taxonomy=Taxonomy.from_json(stored["taxonomy"], classes) if "taxonomy" in stored else None,
        joint_temperature=_number("joint_temperature", stored.get("joint_temperature", 1.0), positive=True),
        confidence_maps=_confidence_maps(stored["confidence_maps"], classes) if "confidence_maps" in stored else None,
        tabular=tabular,
        thresholds=_thresholds(stored["thresholds"], classes) if "thresholds" in stored else None,
        novelty=_novelty(stored["novelty"]) if "novelty" in stored else None,
        train_counts=_train_counts(stored.get("train_counts", {}), classes),
        similarity=_similarity(folder, stored["similarity"], tagger, classes) if "similarity" in stored else None,
    )


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


def _similarity(folder: Path, stored: Mapping[str, Any], tagger: Tagger, classes: Mapping[str, int]) -> SimilarityHead:
    if not (folder / SIMILARITY).is_file():
        raise ValueError(f"{SIMILARITY} is missing")
    head = read_head(folder / SIMILARITY, dict(stored["temperatures"]))
    head.check(tagger.fusion.size, classes)
    return head


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


def _model_config(stored: Mapping[str, Any]) -> ModelConfig:
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


def _titles(folder: Path, config: ModelConfig) -> TitleEncoder:
    return TitleEncoder(
        _tokenizer(folder / TOKENIZER) if "text" in config.modalities else None,
        _ngrams(folder / NGRAMS) if config.ngram_min_count is not None else None,
    )


def _ngrams(path: Path) -> NgramVocabulary:
    if not path.is_file():
        raise ValueError(f"{path.name} is missing")
    stored = safetensors.numpy.load_file(path)
    hashes, idf = stored["hashes"], stored["idf"]
    ascending = hashes.ndim == 1 and hashes.dtype == np.int64 and bool((np.diff(hashes) > 0).all())
    if not ascending or idf.shape != hashes.shape or idf.dtype != np.float32 or not np.isfinite(idf).all():
        raise ValueError(f"{path.name} holds no n-gram vocabulary")
    return NgramVocabulary(hashes, idf)


def _tokenizer(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:  # tokenizers raises nothing more precise
        raise ValueError(f"{path.name}: {error}") from error


def _finite(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    for name, value in state.items():
        if not bool(value.isfinite().all()):
            raise ValueError(f"{name} is not finite")
    return state


def _description_digest(description: Mapping[str, Any]) -> str:
    """Of everything but the digests."""
    content = {key: value for key, value in description.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _digests(folder: Path) -> dict[str, str]:
    return {name: _sha256(folder / name) for name in FILES if (folder / name).is_file()}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _damaged(folder: Path, wrong: str) -> UserError:
    return UserError(f"bundle {folder}", wrong, "Copy the bundle again, or train it again")


def _model_card(bundle: Bundle) -> str:
    """What a person should know before using it, in the manner of Mitchell et al. 2019 (arXiv:1810.03993)."""
    lines = [
        "# A fashionmt bundle",
        "",
        f"Reads: {_reads(bundle)}. Answers: {', '.join(bundle.spaces)}.",
        "",
        "| attribute | classes | accuracy on test | macro-F1 | items | accepted, at an accuracy of |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, row in bundle.metrics.get("attributes", {}).items():
        scores = f"{row['accuracy']:.4f} | {row['macro_f1']:.4f} | {row['items']}"
        lines.append(f"| {name} | {len(bundle.spaces[name])} | {scores} | {_accepted(row)} |")
    calibrated = "calibrated on validation" if bundle.temperatures else "not calibrated"
    lines += ["", f"Confidences are {calibrated}. It knows only the classes of its training rows.", ""]
    if bundle.taxonomy is not None:
        lines += [f"Answers to {', '.join(bundle.taxonomy.attributes)} are combinations of its training rows.", ""]
    lines += [f"- {key}: {value}" for key, value in bundle.provenance.items()]
    return "\n".join([*lines, "", "Use: `fashionmt.load_bundle(folder).tag(items)`.", ""])


def _reads(bundle: Bundle) -> str:
    read = [*(name for name in bundle.tagger.modalities if name != "tabular"), *bundle.tabular.columns]
    return " and ".join(read)


def _accepted(row: Mapping[str, Any]) -> str:
    """The share of test answers that the threshold accepts, and how many of these are right."""
    if row.get("accepted_accuracy") is None:
        return "none"
    return f"{row['accepted']:.1%}, at {row['accepted_accuracy']:.4f} (aim {row['target_accuracy']:g})"
