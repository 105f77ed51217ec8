"""A bundle is written."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import safetensors.numpy
from safetensors.torch import save_file

from fashionmt.bundle.card import model_card
from fashionmt.bundle.content import Bundle
from fashionmt.bundle.files import (
    CARD,
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
from fashionmt.decoding import Decoder
from fashionmt.similarity import save_head


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
    (folder / CARD).write_text(model_card(bundle), encoding="utf-8")
    description = _describe(bundle)
    description["sha256"] = {DESCRIPTION: description_digest(description)} | _digests(folder)
    (folder / DESCRIPTION).write_text(json.dumps(description, indent=1, ensure_ascii=False), encoding="utf-8")


def _describe(bundle: Bundle) -> dict[str, Any]:
    described = {
        "format": FORMAT,
        "label_spaces": [space.to_json() for space in bundle.spaces.values()],
        "model": asdict(bundle.config),
        "text_encoder": bundle.tagger.encoder_config(),
        "preprocess": asdict(bundle.preprocess),
        "columns": asdict(bundle.columns),
        "metrics": bundle.metrics,
        "provenance": bundle.provenance,
    } | _fitted(bundle.decoder)
    if bundle.decoder.shifts:
        described["shifts"] = bundle.decoder.shifts
    if bundle.decoder.taxonomy is not None:
        described["taxonomy"] = bundle.decoder.taxonomy.to_json()
    if bundle.alone:
        described["alone"] = {view: _fitted(decoder) for view, decoder in bundle.alone.items()}
    if bundle.tabular.columns:
        described["tabular"] = bundle.tabular.to_json()
    if bundle.novelty is not None:
        described["novelty"] = asdict(bundle.novelty)
    if bundle.train_counts:
        described["train_counts"] = bundle.train_counts
    if bundle.similarity is not None:
        # Pairs: in another order they would name other columns, and the digest does not see the order of keys.
        described["similarity"] = {"temperatures": [list(pair) for pair in bundle.similarity.temperatures.items()]}
    return described


def _fitted(decoder: Decoder) -> dict[str, Any]:
    """What of a decoder was fitted to items that show the same inputs; the rest serves them all."""
    fitted: dict[str, Any] = {"temperatures": decoder.temperatures}
    if decoder.taxonomy is not None:
        fitted["joint_temperature"] = decoder.joint_temperature
    if decoder.confidence_maps is not None:
        fitted["confidence_maps"] = asdict(decoder.confidence_maps)
    if decoder.thresholds is not None:
        fitted["thresholds"] = asdict(decoder.thresholds)
    return fitted


def _digests(folder: Path) -> dict[str, str]:
    return {name: file_digest(folder / name) for name in FILES if (folder / name).is_file()}
