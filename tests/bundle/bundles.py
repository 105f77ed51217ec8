"""Bundles of every kind, and ways to spoil one: what the tests of a bundle share."""

import hashlib
import json
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import (
    CLASSES,
    random_batch,
    save_tiny_bert,
    save_tiny_clip,
    save_tiny_towers,
    tiny_config,
    tiny_spaces,
    tiny_tagger,
    tiny_titles,
)

from fashionmt.bundle import Bundle, read_bundle
from fashionmt.confidence import ConfidenceMap, ConfidenceMaps, Threshold, Thresholds
from fashionmt.config import ClipConfig, PreprocessConfig, TextTowerConfig
from fashionmt.data import ColumnMap, TitleEncoder
from fashionmt.data.tabular import CategoricalColumn, NumericColumn, TabularEncoder
from fashionmt.decoding import Decoder
from fashionmt.errors import UserError
from fashionmt.model import clip_tokenizer, pretrained_tokenizer
from fashionmt.novelty import Novelty
from fashionmt.similarity import SimilarityHead
from fashionmt.taxonomy import Taxonomy

KINDS = ("both", "image", "text", "gated", "late", "pretrained", "wide", "tfidf", "tabular", "clip", "towers")
Json = dict[str, Any]
TABULAR = TabularEncoder(
    {
        "year": NumericColumn(("",), (2010.0, 2011.0, 2012.5, 2019.0)),
        "brand": CategoricalColumn(("", "NA"), ("Nike", "Püma")),
        "fabric": CategoricalColumn((), ("cotton", "denim", "silk", "wool")),
    }
)


def a_bundle(kind: str, tmp_path: Path) -> Bundle:
    config = tiny_config(
        image=kind not in ("text", "pretrained", "wide", "tfidf"),
        text=kind != "image",
        wide=kind == "wide",
        kind=kind if kind in ("gated", "late") else "concat",
    )
    if kind == "tfidf":
        config.text = TextTowerConfig(kind="tfidf", hidden_size=16)
    titles = tiny_titles(wide=kind in ("wide", "tfidf")) if config.text is not None else TitleEncoder(None, None)
    if kind == "pretrained":
        save_tiny_bert(tmp_path / "bert")
        config.text = TextTowerConfig(pretrained=str(tmp_path / "bert"), max_tokens=12)
        titles = TitleEncoder(pretrained_tokenizer(str(tmp_path / "bert"), 12), None)
    if kind in ("clip", "towers"):
        save_tiny_clip(tmp_path / kind) if kind == "clip" else save_tiny_towers(tmp_path / kind)
        config = replace(config, image=None, text=None, clip=ClipConfig(str(tmp_path / kind)))
        config.fusion.kind = "average"
        titles = TitleEncoder(clip_tokenizer(config.clip), None)
    tabular = TABULAR if kind == "tabular" else TabularEncoder({})
    tagger = tiny_tagger(config, columns=tabular.sizes())
    if tagger.image is not None:
        with torch.no_grad():
            tagger.train()(random_batch())  # running means and variances of their own
    return Bundle(
        config=tagger.config,
        build=lambda: tagger.eval(),
        titles=titles,
        spaces=tiny_spaces(),
        preprocess=PreprocessConfig(height=32, width=32, formats=["PNG"], max_megapixels=3.5),
        columns=ColumnMap(
            "nr", "Bezeichnung", None, "{id}_1.png", ("", "n/a"), dict.fromkeys(tabular.columns, "Spalte")
        ),
        tabular=tabular,
        decoder=Decoder({"colour": 1.5, "season": 0.1 + 0.2}),
        metrics={"attributes": {n: {"accuracy": 0.5, "macro_f1": 1 / 3, "items": 7} for n in CLASSES}, "items": 7},
        provenance={"data": "Röcke & Hosen", "seed": 3},
    )


FITTED: Json = {
    "shifts": {"season": [0.1, -0.2, 1 / 3]},
    "taxonomy": Taxonomy(("colour", "season"), ((0, 0), (1, 1), (1, 2), (2, 0), (3, 1)), (7, 1, 2, 0, 3)),
    "joint_temperature": 0.1 + 0.7,
    "confidence_maps": ConfidenceMaps(
        {"colour": ConfidenceMap(1.5, 0.5, 1 / 3), "season": ConfidenceMap(0.0, 2.0, -1.0)},
        ConfidenceMap(1.0, 1.0, 0.25),
    ),
    "thresholds": Thresholds({"colour": Threshold(0.99, 2 / 3), "season": Threshold(0.9, None)}, Threshold(0.8, 0.1)),
}
"""All that a decoder may have and need not."""
OPTIONAL: Json = {
    "novelty": Novelty({"text": -2 / 3}),
    "train_counts": {"colour": [5, 0, 2, 9], "season": [1, 2, 3]},
}
"""What else a bundle may have and need not."""


def decided(bundle: Bundle, given: Collection[str]) -> Bundle:
    """With some of `FITTED`, some of `OPTIONAL`, and `alone` with as much of its own as an item's as a whole has."""
    fitted = {key: FITTED[key] for key in given if key in FITTED}
    rest = {key: OPTIONAL[key] for key in given if key in OPTIONAL}
    whole = replace(bundle.decoder, **fitted)
    if "alone" in given:
        rest["alone"] = {"text": replace(whole, temperatures={"colour": 0.7}), "image": replace(whole, temperatures={})}
    return replace(bundle, decoder=whole, **rest)


def a_head(seed: int = 0) -> SimilarityHead:
    """Of the tiny tagger's 16 features and the answers of both heads, the second one's first."""
    draw = torch.Generator().manual_seed(seed)
    weight, bias = torch.randn(5, 16 + 3 + 4, generator=draw), torch.randn(5, generator=draw)
    return SimilarityHead(weight, bias, {"season": 0.5, "colour": 1 / 3})


def sign_it(description: Json) -> None:
    """What a bundle says of its own description; here for bundles that are wrong in spite of whole files."""
    content = json.dumps({k: v for k, v in description.items() if k != "sha256"}, sort_keys=True)
    description["sha256"]["bundle.json"] = hashlib.sha256(content.encode()).hexdigest()


def describe(folder: Path, change: Callable[[Json], Any], sign: bool = True) -> None:
    description = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    change(description)
    if sign:
        sign_it(description)
    (folder / "bundle.json").write_text(json.dumps(description), encoding="utf-8")


def replace_file(folder: Path, name: str, content: bytes) -> None:
    """Another file, and the digest that fits it."""
    (folder / name).write_bytes(content)
    describe(folder, lambda d: d["sha256"].update({name: hashlib.sha256(content).hexdigest()}))


def replace_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")
    replace_file(folder, "model.safetensors", (folder / "model.safetensors").read_bytes())


def refusal(folder: Path) -> str:
    with pytest.raises(UserError) as refused:
        read_bundle(folder)
    message = str(refused.value)
    assert "\n" not in message
    return message
