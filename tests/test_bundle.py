"""A bundle comes back bit for bit, or is refused in one line; reading one runs no code and needs no trainer."""

import hashlib
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch
from safetensors.torch import load_file, save_file
from tiny import (
    CLASSES,
    WORDS,
    one_thread,
    random_batch,
    save_tiny_bert,
    save_tiny_clip,
    save_tiny_towers,
    tiny_config,
    tiny_spaces,
    tiny_tagger,
    tiny_titles,
)

from fashionmt.attributes import LabelSpace
from fashionmt.bundle import Bundle, read_bundle, save_bundle
from fashionmt.config import ClipConfig, PreprocessConfig, TextTowerConfig
from fashionmt.data import ColumnMap, TitleEncoder
from fashionmt.data.tabular import CategoricalColumn, NumericColumn, TabularEncoder
from fashionmt.decoding import ConfidenceMap, ConfidenceMaps, Decoder, Threshold, Thresholds
from fashionmt.errors import UserError
from fashionmt.model import clip_tokenizer, pretrained_tokenizer
from fashionmt.novelty import Novelty
from fashionmt.similarity import SimilarityHead, item_vectors
from fashionmt.taxonomy import Taxonomy

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)

KINDS = ("both", "image", "text", "gated", "late", "pretrained", "wide", "tfidf", "tabular", "clip", "towers")
Json = dict[str, Any]
TABULAR = TabularEncoder(
    {
        "year": NumericColumn(("",), (2010.0, 2011.0, 2012.5, 2019.0)),
        "brand": CategoricalColumn(("", "NA"), ("Nike", "Püma")),
        "fabric": CategoricalColumn((), ("cotton", "denim", "silk", "wool")),
    }
)


def _bundle(kind: str, tmp_path: Path) -> Bundle:
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
        temperatures={"colour": 1.5, "season": 0.1 + 0.2},
        metrics={"attributes": {n: {"accuracy": 0.5, "macro_f1": 1 / 3, "items": 7} for n in CLASSES}, "items": 7},
        provenance={"data": "Röcke & Hosen", "seed": 3},
    )


DECIDED: Json = {
    "shifts": {"season": [0.1, -0.2, 1 / 3]},
    "taxonomy": Taxonomy(("colour", "season"), ((0, 0), (1, 1), (1, 2), (2, 0), (3, 1)), (7, 1, 2, 0, 3)),
    "joint_temperature": 0.1 + 0.7,
    "confidence_maps": ConfidenceMaps(
        {"colour": ConfidenceMap(1.5, 0.5, 1 / 3), "season": ConfidenceMap(0.0, 2.0, -1.0)},
        ConfidenceMap(1.0, 1.0, 0.25),
    ),
    "thresholds": Thresholds({"colour": Threshold(0.99, 2 / 3), "season": Threshold(0.9, None)}, Threshold(0.8, 0.1)),
    "novelty": Novelty({"text": -2 / 3}),
    "train_counts": {"colour": [5, 0, 2, 9], "season": [1, 2, 3]},
}
"""All that a bundle may have and need not."""


def _head(seed: int = 0) -> SimilarityHead:
    """Of the tiny tagger's 16 features and the answers of both heads, the second one's first."""
    draw = torch.Generator().manual_seed(seed)
    weight, bias = torch.randn(5, 16 + 3 + 4, generator=draw), torch.randn(5, generator=draw)
    return SimilarityHead(weight, bias, {"season": 0.5, "colour": 1 / 3})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A bundle of a text tagger with a wide path: the fastest that has every file; and every optional key."""
    save_bundle(replace(_bundle("wide", tmp_path), similarity=_head(), **DECIDED), tmp_path / "bundle")
    return tmp_path / "bundle"


def _sign(description: Json) -> None:
    """What a bundle says of its own description; here for bundles that are wrong in spite of whole files."""
    content = json.dumps({k: v for k, v in description.items() if k != "sha256"}, sort_keys=True)
    description["sha256"]["bundle.json"] = hashlib.sha256(content.encode()).hexdigest()


def _describe(folder: Path, change: Callable[[Json], Any], sign: bool = True) -> None:
    description = json.loads((folder / "bundle.json").read_text(encoding="utf-8"))
    change(description)
    if sign:
        _sign(description)
    (folder / "bundle.json").write_text(json.dumps(description), encoding="utf-8")


def _replace_file(folder: Path, name: str, content: bytes) -> None:
    """Another file, and the digest that fits it."""
    (folder / name).write_bytes(content)
    _describe(folder, lambda d: d["sha256"].update({name: hashlib.sha256(content).hexdigest()}))


def _replace_weights(folder: Path, change: Callable[[dict[str, torch.Tensor]], Any]) -> None:
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")
    _replace_file(folder, "model.safetensors", (folder / "model.safetensors").read_bytes())


def _refusal(folder: Path) -> str:
    with pytest.raises(UserError) as refused:
        read_bundle(folder)
    message = str(refused.value)
    assert "\n" not in message
    return message


# There and back


@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_back_bit_for_bit(kind: str, tmp_path: Path) -> None:
    bundle = _bundle(kind, tmp_path)
    save_bundle(bundle, tmp_path / "bundle")
    again = read_bundle(tmp_path / "bundle")

    state, state_again = bundle.tagger.state_dict(), again.tagger.state_dict()
    assert list(state_again) == list(state)
    assert all(torch.equal(state_again[n], v) and state_again[n].dtype == v.dtype for n, v in state.items())
    assert not again.tagger.training
    batch = random_batch()
    batch.token_ids %= len(WORDS)
    batch.has_image[1] = batch.has_title[2] = False
    with torch.no_grad():
        output, output_again = bundle.tagger(batch), again.tagger(batch)
    assert torch.equal(output_again.embedding, output.embedding)
    assert all(torch.equal(output_again.logits[name], output.logits[name]) for name in CLASSES)

    titles, titles_again = bundle.titles, again.titles
    assert (titles_again.tokenizer is None) == (titles.tokenizer is None) == (kind == "image")
    if titles.tokenizer is not None and titles_again.tokenizer is not None:
        assert titles_again.tokenizer.to_str() == titles.tokenizer.to_str()
    assert (titles_again.ngrams is None) == (titles.ngrams is None) == (kind not in ("wide", "tfidf"))
    if titles.ngrams is not None and titles_again.ngrams is not None:
        assert np.array_equal(titles_again.ngrams.hashes, titles.ngrams.hashes)
        assert np.array_equal(titles_again.ngrams.idf, titles.ngrams.idf)
    for field in ("spaces", "preprocess", "columns", "temperatures", "metrics", "provenance"):
        assert getattr(again, field) == getattr(bundle, field)
    assert again.tagger.config == bundle.tagger.config


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["shifts"],
        ["taxonomy", "joint_temperature"],
        ["thresholds"],
        ["confidence_maps"],
        ["novelty"],
        ["train_counts"],
        list(DECIDED),
    ],
)
def test_what_need_not_be_there_comes_back_or_is_left_out(given: list[str], tmp_path: Path) -> None:
    bundle = replace(_bundle("text", tmp_path), **{key: DECIDED[key] for key in given})
    save_bundle(bundle, tmp_path / "bundle")
    again = read_bundle(tmp_path / "bundle")
    for key in DECIDED:
        assert getattr(again, key) == getattr(bundle, key)
    assert DECIDED.keys() & json.loads((tmp_path / "bundle/bundle.json").read_text()) == set(given)
    logits = {name: torch.randn(50, size) for name, size in CLASSES.items()}
    said, expected = again.decoder(logits), bundle.decoder(logits)
    assert all(torch.equal(said.answers[name], expected.answers[name]) for name in CLASSES)
    assert torch.equal(said.item_confidence, expected.item_confidence)


@pytest.mark.parametrize("kind", KINDS)
def test_a_similarity_head_comes_back_bit_for_bit(kind: str, tmp_path: Path) -> None:
    bundle = _bundle(kind, tmp_path)
    head = SimilarityHead(torch.randn(5, bundle.tagger.fusion.size + 7), torch.randn(5), {"season": 0.1, "colour": 2.0})
    save_bundle(replace(bundle, similarity=head), tmp_path / "bundle")
    again = read_bundle(tmp_path / "bundle").similarity
    assert again is not None
    assert torch.equal(again.weight, head.weight)
    assert torch.equal(again.bias, head.bias)
    assert list(again.temperatures.items()) == list(head.temperatures.items())
    batch = random_batch()
    batch.token_ids %= len(WORDS)
    with torch.no_grad():
        output = bundle.tagger(batch)
        assert torch.equal(item_vectors(again, output), item_vectors(head, output))


def test_a_bundle_without_a_similarity_head_has_none(tmp_path: Path) -> None:
    save_bundle(_bundle("text", tmp_path), tmp_path / "bundle")
    assert not (tmp_path / "bundle/similarity.safetensors").exists()
    assert read_bundle(tmp_path / "bundle").similarity is None


def test_the_decoder_is_made_of_all_its_parts(saved: Path) -> None:
    assert read_bundle(saved).decoder == Decoder(
        {"colour": 1.5, "season": 0.1 + 0.2},
        DECIDED["shifts"],
        DECIDED["taxonomy"],
        DECIDED["joint_temperature"],
        DECIDED["confidence_maps"],
    )


@pytest.mark.parametrize("kind", ["both", "image", "pretrained", "clip", "towers"])
def test_what_was_read_is_written_as_the_same_bytes(kind: str, tmp_path: Path) -> None:
    bundle = replace(_bundle(kind, tmp_path), **DECIDED)
    head = SimilarityHead(torch.randn(5, bundle.tagger.fusion.size), torch.randn(5))
    save_bundle(replace(bundle, similarity=head), tmp_path / "first")
    save_bundle(read_bundle(tmp_path / "first"), tmp_path / "second")
    first = {path.name: path.read_bytes() for path in (tmp_path / "first").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "second").iterdir()} == first
    titles = {"tokenizer.json"} if kind != "image" else set()
    titles |= {"ngrams.safetensors"} if kind in ("wide", "tfidf") else set()
    assert first.keys() == {"model.safetensors", "bundle.json", "similarity.safetensors", "README.md"} | titles


@pytest.mark.parametrize("kind", ["clip", "towers"])
def test_a_clip_bundle_no_longer_needs_the_folder_it_began_with(kind: str, tmp_path: Path) -> None:
    save_bundle(_bundle(kind, tmp_path), tmp_path / "bundle")
    (tmp_path / kind).rename(tmp_path / "elsewhere")
    assert read_bundle(tmp_path / "bundle").tagger.modalities == ("image", "text")


@pytest.mark.parametrize("kind", ["text", "clip", "towers"])
def test_a_kernel_that_a_bundle_names_is_not_fetched(kind: str, tmp_path: Path) -> None:
    """transformers takes a repository of the hub for `attn_implementation`, and would run its code."""
    save_bundle(_bundle(kind, tmp_path), tmp_path / "bundle")

    def name_one(described: Json) -> None:
        shapes = described["text_encoder"]
        for stored in (shapes["image"], shapes["text"]) if kind != "text" else ({"encoder": shapes},):
            if isinstance(stored.get("encoder"), dict):
                stored["encoder"] |= dict.fromkeys(("attn_implementation", "_attn_implementation"), "nobody/kernel")

    _describe(tmp_path / "bundle", name_one)
    tagger = read_bundle(tmp_path / "bundle").tagger
    configs = [module.config for module in tagger.modules() if hasattr(module, "config") and module is not tagger]
    assert configs
    assert not [config for config in configs if "nobody" in str(config._attn_implementation)]


def test_a_pretrained_bundle_no_longer_needs_the_folder_it_began_with(tmp_path: Path) -> None:
    bundle = _bundle("pretrained", tmp_path)
    save_bundle(bundle, tmp_path / "bundle")
    (tmp_path / "bert").rename(tmp_path / "elsewhere")
    assert read_bundle(tmp_path / "bundle").tagger.modalities == ("text",)


def test_the_card_tells_accuracies_and_provenance(saved: Path) -> None:
    card = (saved / "README.md").read_text(encoding="utf-8")
    assert "| colour | 4 | 0.5000 | 0.3333 | 7 |" in card
    assert "Röcke & Hosen" in card
    assert "calibrated on validation" in card
    assert "Answers to colour, season are combinations" in card


def test_the_card_tells_what_is_accepted(tmp_path: Path) -> None:
    bundle = _bundle("text", tmp_path)
    colour = bundle.metrics["attributes"]["colour"]
    colour |= {"target_accuracy": 0.99, "threshold": 0.5, "accepted": 0.625, "accepted_accuracy": 0.9876}
    save_bundle(bundle, tmp_path / "bundle")
    card = (tmp_path / "bundle/README.md").read_text(encoding="utf-8")
    assert "| colour | 4 | 0.5000 | 0.3333 | 7 | 62.5%, at 0.9876 (aim 0.99) |" in card
    assert "| season | 3 | 0.5000 | 0.3333 | 7 | none |" in card


def test_classes_that_could_not_be_learned_are_not_kept(tmp_path: Path) -> None:
    bundle = _bundle("text", tmp_path)
    spaces = {name: LabelSpace(name, space.classes, ("rare",)) for name, space in bundle.spaces.items()}
    save_bundle(replace(bundle, spaces=spaces), tmp_path / "bundle")
    assert read_bundle(tmp_path / "bundle").spaces == bundle.spaces


def test_a_bundle_is_never_written_over(saved: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    with pytest.raises(FileExistsError):
        save_bundle(_bundle("image", tmp_path), saved)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before


# Not whole

FILES = ("model.safetensors", "tokenizer.json", "ngrams.safetensors", "similarity.safetensors", "bundle.json")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert "no such folder" in _refusal(tmp_path / "gone")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(saved: Path, name: str) -> None:
    (saved / name).unlink()
    assert name in _refusal(saved)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_refused_by_name(saved: Path, name: str, kept: float) -> None:
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[: int(kept * len(content))])
    assert name in _refusal(saved)


@pytest.mark.parametrize("name", FILES[:-1])
def test_one_changed_byte_is_refused(saved: Path, name: str) -> None:
    content = bytearray((saved / name).read_bytes())
    content[-3] ^= 1
    (saved / name).write_bytes(content)
    assert f"{name} is truncated or was changed" in _refusal(saved)


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "7", "{}", '{"format": 3}', '{"format": 3, "sha256": 3}', "[" * 10**5]
)
def test_a_description_that_is_no_bundles_is_refused(saved: Path, text: str) -> None:
    (saved / "bundle.json").write_text(text)
    assert "bundle.json" in _refusal(saved)


def test_a_run_folder_is_not_mistaken_for_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").touch()
    assert "holds no bundle.json" in _refusal(tmp_path)


# Not known


@pytest.mark.parametrize("version", [1, 2, 4, "3", None])
def test_another_format_is_refused_by_both_numbers(saved: Path, version: object) -> None:
    _describe(saved, lambda d: d.update(format=version), sign=False)
    assert f"format {version!r}, and this fashionmt reads format 3" in _refusal(saved)


@pytest.mark.parametrize("change", [list.reverse, lambda c: c.__setitem__(0, "other"), list.pop])
def test_changed_classes_are_refused(saved: Path, change: Callable[[list[str]], Any]) -> None:
    _describe(saved, lambda d: change(d["label_spaces"][0]["classes"]), sign=False)
    assert "bundle.json was changed" in _refusal(saved)


def _one_more(description: Json) -> None:
    description["label_spaces"][0]["classes"].append("one more")
    del description["taxonomy"], description["train_counts"]  # each would be refused before the weights


def test_classes_that_the_weights_do_not_have_are_refused_even_if_signed(saved: Path) -> None:
    _describe(saved, _one_more)
    assert "head_colour" in _refusal(saved)


def test_a_tagger_that_is_built_late_is_the_same_one_each_time_and_refused_as_early(saved: Path) -> None:
    late, early = read_bundle(saved, build=False), read_bundle(saved)
    assert late.tagger is late.tagger
    assert replace(late, metrics={}).tagger is late.tagger
    assert late.modalities == early.tagger.modalities
    assert not late.tagger.training
    for name, value in early.tagger.state_dict().items():
        assert torch.equal(late.tagger.state_dict()[name], value)
    _describe(saved, _one_more)
    damaged = read_bundle(saved, build=False)
    with pytest.raises(UserError, match="head_colour"):
        damaged.tagger.eval()


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(code="print()"),
        lambda d: d["model"].update(code="print()"),
        lambda d: d["model"]["text"].update(code="print()"),
        lambda d: d["model"]["fusion"].update(code="print()"),
        lambda d: d["preprocess"].update(code="print()"),
        lambda d: d["columns"].update(code="print()"),
    ],
)
def test_an_unknown_key_is_refused_by_name(saved: Path, change: Callable[[Json], Any]) -> None:
    _describe(saved, change)
    assert "code" in _refusal(saved)


KEYS = ("label_spaces", "model", "text_encoder", "preprocess", "columns", "temperatures", "metrics", "provenance")


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_is_refused_by_name(saved: Path, key: str) -> None:
    _describe(saved, lambda d: d.pop(key))
    assert key in _refusal(saved)


@pytest.mark.parametrize("family", ["gpt2", "no-such", None])
def test_an_unknown_text_encoder_is_refused(saved: Path, family: object) -> None:
    _describe(saved, lambda d: d["text_encoder"].update(model_type=family))
    assert "family" in _refusal(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["model"]["fusion"].update(kind="no-such"),
        lambda d: d["model"]["text"].update(heads=0),
        lambda d: d["model"].update(image={"name": "resnet18", "pretrained": True, "weights": None}),
        lambda d: d["model"].update(image={"name": "alexnet", "pretrained": False, "weights": None}),
        lambda d: d["text_encoder"].update(hidden_size=32),
        lambda d: d.update(text_encoder=None),
        lambda d: d["model"].update(text=None),
        lambda d: d["preprocess"].update(height=0),
        lambda d: d["label_spaces"].pop(),
        lambda d: d["label_spaces"][0].update(attribute="cut"),
        lambda d: d["columns"].pop("missing_titles"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(saved: Path, change: Callable[[Json], Any]) -> None:
    _describe(saved, change)
    _refusal(saved)


NOT_NUMBERS = [float("nan"), float("inf"), "1", None, True]


@pytest.mark.parametrize("value", [*NOT_NUMBERS, 0, -1.5])
def test_a_temperature_that_is_no_positive_number_is_refused_by_name(saved: Path, value: object) -> None:
    _describe(saved, lambda d: d["temperatures"].update(season=value))
    assert "the temperature of season" in _refusal(saved)
    _describe(saved, lambda d: d["temperatures"].update(season=1) or d.update(joint_temperature=value))
    assert "joint_temperature" in _refusal(saved)


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_a_shift_that_is_no_number_is_refused_by_name(saved: Path, value: object) -> None:
    _describe(saved, lambda d: d["shifts"]["season"].__setitem__(1, value))
    assert "a shift of season" in _refusal(saved)


@pytest.mark.parametrize("value", [[1, 2], [1, 2, 3, 4], [1, 2, -1], [1, 2, 0.5], [1, 2, True], [1, 2, "3"], 3, None])
def test_training_items_that_are_no_number_for_each_class_are_refused(saved: Path, value: object) -> None:
    _describe(saved, lambda d: d["train_counts"].update(season=value))
    _refusal(saved)
    _describe(saved, lambda d: d["train_counts"].update(season=[1, 2, 3], cut=[1]))
    assert "train_counts: 'cut' is no attribute" in _refusal(saved)


@pytest.mark.parametrize(("key", "value"), [*(("m", value) for value in NOT_NUMBERS), ("a", -0.1), ("b", -2.0)])
def test_a_map_of_confidences_that_is_no_rising_one_is_refused_by_name(saved: Path, key: str, value: object) -> None:
    _describe(saved, lambda d: d["confidence_maps"]["heads"]["season"].update({key: value}))
    assert "the map of season" in _refusal(saved)
    _describe(saved, lambda d: d["confidence_maps"]["heads"].pop("season"))
    assert "confidence_maps: none for season" in _refusal(saved)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", True, -0.1, 1.1])
@pytest.mark.parametrize("key", ["confidence", "target_accuracy"])
def test_a_threshold_that_is_no_share_is_refused_by_name(saved: Path, key: str, value: object) -> None:
    _describe(saved, lambda d: d["thresholds"]["heads"]["season"].update({key: value}))
    assert "the threshold of season" in _refusal(saved)
    _describe(saved, lambda d: d["thresholds"]["heads"]["season"].update({key: 0.5}))
    _describe(saved, lambda d: d["thresholds"]["item"].update({key: value}))
    assert "the threshold of the item" in _refusal(saved)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d["temperatures"].update(cut=1.0), "temperatures: 'cut' is no attribute"),
        (lambda d: d["shifts"].update(cut=[]), "shifts: 'cut' is no attribute"),
        (lambda d: d["shifts"]["season"].pop(), "shifts: 2 numbers for the 3 classes of season"),
        (lambda d: d["thresholds"]["heads"].update(cut=d["thresholds"]["item"]), "thresholds: 'cut' is no attribute"),
        (lambda d: d["thresholds"]["heads"].pop("season"), "thresholds: none for season"),
        (lambda d: d["thresholds"].pop("item"), "item"),
        (lambda d: d["thresholds"]["item"].update(target_accuracy=None), "the threshold of the item"),
        (lambda d: d["thresholds"]["item"].update(code="print()"), "code"),
        (lambda d: d["novelty"]["limits"].update(text="low"), "the limit of text"),
        (lambda d: d["novelty"].pop("limits"), "limits"),
        (lambda d: d["taxonomy"]["attributes"].reverse(), "taxonomy: it does not hold every class of season"),
        (lambda d: d["taxonomy"]["combinations"].append([4, 2]), "taxonomy: it does not hold every class of colour"),
        (lambda d: d["taxonomy"]["combinations"].append([3]), "taxonomy: a combination is not 2 class indices"),
        (lambda d: d["taxonomy"].pop("counts"), "counts"),
        (lambda d: d["taxonomy"].update(combinations=7), "not iterable"),
    ],
)
def test_what_decides_the_answers_must_fit_the_tagger(saved: Path, change: Callable[[Json], Any], told: str) -> None:
    _describe(saved, change)
    assert told in _refusal(saved)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda stored: stored.pop("bias"), "weight"),
        (lambda stored: stored.update(code=torch.zeros(1)), "code"),
        (lambda stored: stored.update(bias=torch.zeros(4)), "no linear map"),
        (lambda stored: stored.update(weight=torch.zeros(23)), "no linear map"),
        (lambda stored: stored.update(weight=torch.zeros(0, 23), bias=torch.zeros(0)), "no linear map"),
        (lambda stored: stored.update(weight=torch.zeros(5, 22)), "reads 22 numbers, and the tagger says 23"),
        (lambda stored: stored.update(weight=torch.zeros(5, 23).double()), "weight is not of finite float32"),
        (lambda stored: stored["bias"].__setitem__(3, float("nan")), "bias is not of finite float32"),
        (lambda stored: stored["weight"].__setitem__((1, 2), float("inf")), "weight is not of finite float32"),
    ],
)
def test_a_similarity_head_that_is_none_is_refused(
    saved: Path, change: Callable[[dict[str, torch.Tensor]], Any], told: str
) -> None:
    stored = load_file(saved / "similarity.safetensors")
    change(stored)
    save_file(stored, saved / "similarity.safetensors")
    _replace_file(saved, "similarity.safetensors", (saved / "similarity.safetensors").read_bytes())
    assert told in _refusal(saved)


@pytest.mark.parametrize(
    ("temperatures", "told"),
    [
        ([["cut", 1.0]], "'cut' is no attribute"),
        ([["season", 1.0]], "reads 23 numbers, and the tagger says 19"),
        *(([["season", value], ["colour", 1.0]], "the temperature of season") for value in [*NOT_NUMBERS, 0, -1.0]),
        (7, "not iterable"),
    ],
)
def test_a_similarity_head_must_fit_the_tagger(saved: Path, temperatures: object, told: str) -> None:
    _describe(saved, lambda d: d["similarity"].update(temperatures=temperatures))
    assert told in _refusal(saved)


def test_a_similarity_head_that_is_neither_listed_nor_there_is_refused(saved: Path) -> None:
    (saved / "similarity.safetensors").unlink()
    _describe(saved, lambda d: d["sha256"].pop("similarity.safetensors"))
    assert "similarity.safetensors is missing" in _refusal(saved)


# Not safe


@pytest.mark.parametrize("name", ["extra.pkl", "extra.pt", "EXTRA.PTH", "pytorch_model.bin", "old/extra.ckpt"])
def test_a_planted_pickle_is_refused_by_name(saved: Path, name: str) -> None:
    (saved / name).parent.mkdir(exist_ok=True)
    (saved / name).write_bytes(pickle.dumps({}))
    assert Path(name).name in _refusal(saved)


@pytest.mark.parametrize("sign", [True, False])
def test_a_pickle_called_safetensors_is_refused_and_not_run(saved: Path, tmp_path: Path, sign: bool) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[Any], None], tuple[Path]]:
            return Path.touch, (tmp_path / "sprung",)

    trap = pickle.dumps({"weight": Trap()})
    if sign:
        _replace_file(saved, "model.safetensors", trap)
    else:
        (saved / "model.safetensors").write_bytes(trap)
    assert "model.safetensors" in _refusal(saved)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused_by_name(saved: Path, value: float) -> None:
    _replace_weights(saved, lambda state: state["heads.linear.head_colour.weight"].__setitem__((1, 2), value))
    assert "heads.linear.head_colour.weight is not finite" in _refusal(saved)


def test_weights_without_a_tensor_or_with_one_too_many_are_refused_by_name(saved: Path) -> None:
    bias: list[torch.Tensor] = []
    _replace_weights(saved, lambda state: bias.append(state.pop("heads.linear.head_colour.bias")))
    assert "heads.linear.head_colour.bias" in _refusal(saved)
    _replace_weights(saved, lambda state: state.update({"heads.linear.head_colour.bias": bias[0]}))
    read_bundle(saved)
    _replace_weights(saved, lambda state: state.update({"extra": torch.zeros(1)}))
    assert "extra" in _refusal(saved)


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"model": {"type": "NoSuch"}}'])
def test_a_tokenizer_that_is_none_is_refused(saved: Path, content: bytes) -> None:
    _replace_file(saved, "tokenizer.json", content)
    assert "tokenizer.json" in _refusal(saved)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(hashes=d["hashes"][::-1].copy()),  # the weights' rows would belong to other words
        lambda d: d.update(hashes=d["hashes"].astype(np.int32)),
        lambda d: d.update(idf=d["idf"][:-1].copy()),
        lambda d: d.update(idf=d["idf"] * np.float32("nan")),
        lambda d: d.pop("idf"),
    ],
)
def test_ngrams_that_are_none_are_refused(saved: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    stored = safetensors.numpy.load_file(saved / "ngrams.safetensors")
    change(stored)
    _replace_file(saved, "ngrams.safetensors", safetensors.numpy.save(stored))
    assert re.search("ngrams|idf", _refusal(saved))


def test_ngrams_that_are_neither_listed_nor_there_are_refused(saved: Path) -> None:
    (saved / "ngrams.safetensors").unlink()
    _describe(saved, lambda d: d["sha256"].pop("ngrams.safetensors"))
    assert "ngrams.safetensors" in _refusal(saved)


def test_a_tokenizer_that_is_neither_listed_nor_there_is_refused(saved: Path) -> None:
    (saved / "tokenizer.json").unlink()
    _describe(saved, lambda d: d["sha256"].pop("tokenizer.json"))
    assert "tokenizer.json" in _refusal(saved)


@pytest.mark.parametrize("name", ["../../secret", "/etc/passwd", "README.md"])
def test_no_file_is_read_but_its_own(saved: Path, name: str) -> None:
    _describe(saved, lambda d: d["sha256"].update({name: "0" * 64}))
    assert f"lists the unknown file {name!r}" in _refusal(saved)


WATCHED = """
import sys
from pathlib import Path
unpickled = []
reading = False
def watch(event, arguments):
    if reading and event in ("pickle.find_class", "exec", "compile", "os.system", "subprocess.Popen", "socket.connect"):
        unpickled.append((event, str(arguments)[:200]))
sys.addaudithook(watch)
from fashionmt.bundle import read_bundle
read_bundle(Path(sys.argv[1]))  # once before, so that modules imported on the way are there
reading = True
bundle = read_bundle(Path(sys.argv[1]))
reading = False
assert bundle.tagger.modalities == ("image", "text")
print([name for name in ("hydra", "omegaconf", "pytorch_lightning", "lightning", "wandb") if name in sys.modules])
print(unpickled)
"""


@pytest.fixture
def watched(tmp_path: Path) -> list[str]:
    """What a fresh interpreter that reads a bundle prints."""
    save_bundle(_bundle("both", tmp_path), tmp_path / "bundle")
    command = [sys.executable, "-c", WATCHED, str(tmp_path / "bundle")]
    top = Path(__file__).resolve().parents[1]
    done = subprocess.run(command, cwd=top, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_reading_needs_no_trainer_and_no_hydra_and_runs_no_code_of_the_bundle(watched: list[str]) -> None:
    assert watched == ["[]", "[]"]
