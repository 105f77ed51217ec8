"""A bundle is read: what is not whole, safe and known is refused."""

import contextlib
import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.numpy
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from fashionmt.attributes import LabelSpace
from fashionmt.bundle.content import Bundle
from fashionmt.bundle.files import (
    DESCRIPTION,
    FILES,
    FORMAT,
    NGRAMS,
    SIMILARITY,
    TOKENIZER,
    WEIGHTS,
    description_digest,
    file_digest,
)
from fashionmt.bundle.stored import decisions, model_config
from fashionmt.config import ModelConfig, PreprocessConfig
from fashionmt.data.catalogue import ColumnMap
from fashionmt.data.ngrams import NgramVocabulary
from fashionmt.data.tabular import TabularEncoder
from fashionmt.data.titles import TitleEncoder
from fashionmt.errors import UserError
from fashionmt.similarity import SimilarityHead, read_head

if TYPE_CHECKING:
    from fashionmt.model.tagger import Tagger

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
    "alone",
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


def read_bundle(folder: Path, build: bool = True) -> Bundle:
    """Read a bundle, on the CPU and in evaluation mode. Raises `UserError` where it is not whole, safe and known.

    `build` False: the tagger is built when it is first asked for, and may be refused then. Another runtime never asks,
    and torchvision and transformers take seconds to load.
    """
    stored = _description(folder)
    _refuse_pickles(folder)
    for name, digest in stored["sha256"].items():
        if name not in FILES:
            raise _damaged(folder, f"lists the unknown file {name!r}")
        if not (folder / name).is_file():
            raise _damaged(folder, f"{name} is missing")
        if file_digest(folder / name) != digest:
            raise _damaged(folder, f"{name} is truncated or was changed")
    with _fitting(folder):
        bundle = _read(folder, stored)
    if build:
        bundle.build()
    return bundle


@contextlib.contextmanager
def _fitting(folder: Path) -> Iterator[None]:
    """What its parts raise where they are damaged, as `UserError`."""
    try:
        yield
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RuntimeError,
        safetensors.SafetensorError,
    ) as error:
        raise _damaged(folder, f"{DESCRIPTION} and {WEIGHTS} do not fit ({error!r:.200})") from error


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
    if digests.pop(DESCRIPTION, None) != description_digest(stored):
        raise _damaged(folder, f"{DESCRIPTION} was changed")
    if unknown := set(stored) - KEYS - OPTIONAL:
        raise _damaged(folder, f"{DESCRIPTION} holds the unknown key {min(unknown)!r}")
    return stored


def _refuse_pickles(folder: Path) -> None:
    for path in sorted(folder.glob("**/*")):
        if path.suffix.lower() in PICKLES:
            wrong = f"holds {path.name}, and such a file can run code when it is read"
            raise UserError(f"bundle {folder}", wrong, "Remove it: a bundle needs no such file")


def _read(folder: Path, stored: dict[str, Any]) -> Bundle:
    spaces = {space["attribute"]: LabelSpace.from_json(space) for space in stored["label_spaces"]}
    classes = {name: len(space) for name, space in spaces.items()}
    config = model_config(stored["model"])
    titles = _titles(folder, config)
    tabular = TabularEncoder.from_json(stored.get("tabular", {}))
    columns = stored["columns"] | {"missing_titles": tuple(stored["columns"]["missing_titles"])}
    similarity = _similarity(folder, stored["similarity"]) if "similarity" in stored else None

    @functools.cache
    def build() -> "Tagger":
        # Imported here: see `read_bundle`.
        from fashionmt.model.tagger import rebuild_tagger

        with _fitting(folder):
            ngrams = titles.vocabulary_sizes()[1]
            tagger = rebuild_tagger(config, classes, stored["text_encoder"], ngrams, tabular.sizes())
            tagger.load_state_dict(_finite(load_file(folder / WEIGHTS)), strict=True)
            if similarity is not None:
                similarity.check(tagger.fusion.size, classes)
        return tagger.eval()

    return Bundle(
        config=config,
        build=build,
        titles=titles,
        spaces=spaces,
        preprocess=PreprocessConfig(**stored["preprocess"]),
        columns=ColumnMap(**columns),
        metrics=stored["metrics"],
        provenance=stored["provenance"],
        tabular=tabular,
        similarity=similarity,
        **decisions(stored, classes),
    )


def _similarity(folder: Path, stored: Mapping[str, Any]) -> SimilarityHead:
    if not (folder / SIMILARITY).is_file():
        raise ValueError(f"{SIMILARITY} is missing")
    return read_head(folder / SIMILARITY, dict(stored["temperatures"]))


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


def _damaged(folder: Path, wrong: str) -> UserError:
    return UserError(f"bundle {folder}", wrong, "Copy the bundle again, or train it again")
