"""A bundle comes back bit for bit, and tells people what it is."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bundles import FITTED, KINDS, OPTIONAL, Json, a_bundle, decided, describe
from tiny import CLASSES, WORDS, random_batch

from fashionmt.attributes import LabelSpace
from fashionmt.bundle import Bundle, read_bundle, save_bundle
from fashionmt.similarity import SimilarityHead, item_vectors

# There and back


@pytest.mark.parametrize("kind", KINDS)
def test_it_comes_back_bit_for_bit(kind: str, tmp_path: Path) -> None:
    bundle = a_bundle(kind, tmp_path)
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
    for field in ("spaces", "preprocess", "columns", "decoder", "alone", "metrics", "provenance"):
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
        ["alone"],
        [*FITTED, *OPTIONAL, "alone"],
    ],
)
def test_what_need_not_be_there_comes_back_or_is_left_out(given: list[str], tmp_path: Path) -> None:
    bundle = decided(a_bundle("text", tmp_path), given)
    save_bundle(bundle, tmp_path / "bundle")
    again = read_bundle(tmp_path / "bundle")
    for key in ("decoder", "alone", *OPTIONAL):
        assert getattr(again, key) == getattr(bundle, key)
    kept = json.loads((tmp_path / "bundle/bundle.json").read_text())
    assert {*FITTED, *OPTIONAL, "alone"} & kept.keys() == set(given)
    logits = {name: torch.randn(50, size) for name, size in CLASSES.items()}
    views = ["image", "text", "image+text", "", "text"] * 10
    said, expected = again.decoders(logits, views), bundle.decoders(logits, views)
    assert all(torch.equal(said.answers[name], expected.answers[name]) for name in CLASSES)
    assert torch.equal(said.item_confidence, expected.item_confidence)


@pytest.mark.parametrize("kind", KINDS)
def test_a_similarity_head_comes_back_bit_for_bit(kind: str, tmp_path: Path) -> None:
    bundle = a_bundle(kind, tmp_path)
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
    save_bundle(a_bundle("text", tmp_path), tmp_path / "bundle")
    assert not (tmp_path / "bundle/similarity.safetensors").exists()
    assert read_bundle(tmp_path / "bundle").similarity is None


@pytest.mark.parametrize("kind", ["both", "image", "pretrained", "clip", "towers"])
def test_what_was_read_is_written_as_the_same_bytes(kind: str, tmp_path: Path) -> None:
    bundle = decided(a_bundle(kind, tmp_path), [*FITTED, *OPTIONAL, "alone"])
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
    save_bundle(a_bundle(kind, tmp_path), tmp_path / "bundle")
    (tmp_path / kind).rename(tmp_path / "elsewhere")
    assert read_bundle(tmp_path / "bundle").tagger.modalities == ("image", "text")


@pytest.mark.parametrize("kind", ["text", "clip", "towers"])
def test_a_kernel_that_a_bundle_names_is_not_fetched(kind: str, tmp_path: Path) -> None:
    """transformers takes a repository of the hub for `attn_implementation`, and would run its code."""
    save_bundle(a_bundle(kind, tmp_path), tmp_path / "bundle")

    def name_one(described: Json) -> None:
        shapes = described["text_encoder"]
        for stored in (shapes["image"], shapes["text"]) if kind != "text" else ({"encoder": shapes},):
            if isinstance(stored.get("encoder"), dict):
                stored["encoder"] |= dict.fromkeys(("attn_implementation", "_attn_implementation"), "nobody/kernel")

    describe(tmp_path / "bundle", name_one)
    tagger = read_bundle(tmp_path / "bundle").tagger
    configs = [module.config for module in tagger.modules() if hasattr(module, "config") and module is not tagger]
    assert configs
    assert not [config for config in configs if "nobody" in str(config._attn_implementation)]


def test_a_pretrained_bundle_no_longer_needs_the_folder_it_began_with(tmp_path: Path) -> None:
    bundle = a_bundle("pretrained", tmp_path)
    save_bundle(bundle, tmp_path / "bundle")
    (tmp_path / "bert").rename(tmp_path / "elsewhere")
    assert read_bundle(tmp_path / "bundle").tagger.modalities == ("text",)


def test_the_card_tells_accuracies_and_provenance(saved: Path) -> None:
    card = (saved / "README.md").read_text(encoding="utf-8")
    assert "| colour | 4 | 0.5000 | 0.3333 | 7 |" in card
    assert "Röcke & Hosen" in card
    assert "calibrated on validation" in card
    assert "Answers to colour, season are combinations" in card


def card_of(bundle: Bundle, tmp_path: Path) -> str:
    save_bundle(bundle, tmp_path / "bundle")
    return (tmp_path / "bundle/README.md").read_text(encoding="utf-8")


def test_the_card_tells_what_is_accepted(tmp_path: Path) -> None:
    bundle = a_bundle("text", tmp_path)
    colour = bundle.metrics["attributes"]["colour"]
    colour |= {"target_accuracy": 0.99, "threshold": 0.5, "accepted": 0.625, "accepted_accuracy": 0.9876}
    card = card_of(bundle, tmp_path)
    assert "| colour | 4 | 0.5000 | 0.3333 | 7 | 62.5%, at 0.9876 (aim 0.99) |" in card
    assert "| season | 3 | 0.5000 | 0.3333 | 7 | none |" in card


def test_the_card_tells_what_one_input_alone_is_worth(tmp_path: Path) -> None:
    bundle = a_bundle("both", tmp_path)
    row = {"accuracy": 0.25, "items": 6, "target_accuracy": 0.99, "accepted": 0.5, "accepted_accuracy": 0.9876}
    bundle.metrics["alone"] = {"image": {"attributes": {"colour": row}}}
    card = card_of(bundle, tmp_path)
    assert "Of an item that has the picture alone" in card
    assert "| colour | 0.2500 | 6 | 50.0%, at 0.9876 (aim 0.99) |" in card


def test_classes_that_could_not_be_learned_are_not_kept(tmp_path: Path) -> None:
    bundle = a_bundle("text", tmp_path)
    spaces = {name: LabelSpace(name, space.classes, ("rare",)) for name, space in bundle.spaces.items()}
    save_bundle(replace(bundle, spaces=spaces), tmp_path / "bundle")
    assert read_bundle(tmp_path / "bundle").spaces == bundle.spaces


def test_a_bundle_is_never_written_over(saved: Path, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in saved.iterdir()}
    with pytest.raises(FileExistsError):
        save_bundle(a_bundle("image", tmp_path), saved)
    assert {path.name: path.read_bytes() for path in saved.iterdir()} == before
