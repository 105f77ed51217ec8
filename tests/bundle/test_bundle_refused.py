"""A bundle that is not whole, or holds what is not known or does not fit, is refused in one line."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from bundles import Json, describe, refusal, replace_file
from safetensors.torch import load_file, save_file

from fashionmt.bundle import read_bundle
from fashionmt.errors import UserError

# Not whole

FILES = ("model.safetensors", "tokenizer.json", "ngrams.safetensors", "similarity.safetensors", "bundle.json")


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    assert "no such folder" in refusal(tmp_path / "gone")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_refused_by_name(saved: Path, name: str) -> None:
    (saved / name).unlink()
    assert name in refusal(saved)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_refused_by_name(saved: Path, name: str, kept: float) -> None:
    content = (saved / name).read_bytes()
    (saved / name).write_bytes(content[: int(kept * len(content))])
    assert name in refusal(saved)


@pytest.mark.parametrize("name", FILES[:-1])
def test_one_changed_byte_is_refused(saved: Path, name: str) -> None:
    content = bytearray((saved / name).read_bytes())
    content[-3] ^= 1
    (saved / name).write_bytes(content)
    assert f"{name} is truncated or was changed" in refusal(saved)


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "7", "{}", '{"format": 3}', '{"format": 3, "sha256": 3}', "[" * 10**5]
)
def test_a_description_that_is_no_bundles_is_refused(saved: Path, text: str) -> None:
    (saved / "bundle.json").write_text(text)
    assert "bundle.json" in refusal(saved)


def test_a_run_folder_is_not_mistaken_for_a_bundle(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").touch()
    assert "holds no bundle.json" in refusal(tmp_path)


# Not known


@pytest.mark.parametrize("version", [1, 2, 4, "3", None])
def test_another_format_is_refused_by_both_numbers(saved: Path, version: object) -> None:
    describe(saved, lambda d: d.update(format=version), sign=False)
    assert f"format {version!r}, and this fashionmt reads format 3" in refusal(saved)


@pytest.mark.parametrize("change", [list.reverse, lambda c: c.__setitem__(0, "other"), list.pop])
def test_changed_classes_are_refused(saved: Path, change: Callable[[list[str]], Any]) -> None:
    describe(saved, lambda d: change(d["label_spaces"][0]["classes"]), sign=False)
    assert "bundle.json was changed" in refusal(saved)


def _one_more(description: Json) -> None:
    description["label_spaces"][0]["classes"].append("one more")
    del description["taxonomy"], description["train_counts"]  # each would be refused before the weights


def test_classes_that_the_weights_do_not_have_are_refused_even_if_signed(saved: Path) -> None:
    describe(saved, _one_more)
    assert "head_colour" in refusal(saved)


def test_a_tagger_that_is_built_late_is_the_same_one_each_time_and_refused_as_early(saved: Path) -> None:
    late, early = read_bundle(saved, build=False), read_bundle(saved)
    assert late.tagger is late.tagger
    assert replace(late, metrics={}).tagger is late.tagger
    assert late.modalities == early.tagger.modalities
    assert not late.tagger.training
    for name, value in early.tagger.state_dict().items():
        assert torch.equal(late.tagger.state_dict()[name], value)
    describe(saved, _one_more)
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
    describe(saved, change)
    assert "code" in refusal(saved)


KEYS = ("label_spaces", "model", "text_encoder", "preprocess", "columns", "temperatures", "metrics", "provenance")


@pytest.mark.parametrize("key", KEYS)
def test_a_missing_key_is_refused_by_name(saved: Path, key: str) -> None:
    describe(saved, lambda d: d.pop(key))
    assert key in refusal(saved)


@pytest.mark.parametrize("family", ["gpt2", "no-such", None])
def test_an_unknown_text_encoder_is_refused(saved: Path, family: object) -> None:
    describe(saved, lambda d: d["text_encoder"].update(model_type=family))
    assert "family" in refusal(saved)


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
    describe(saved, change)
    refusal(saved)


NOT_NUMBERS = [float("nan"), float("inf"), "1", None, True]


@pytest.mark.parametrize("value", [*NOT_NUMBERS, 0, -1.5])
def test_a_temperature_that_is_no_positive_number_is_refused_by_name(saved: Path, value: object) -> None:
    describe(saved, lambda d: d["temperatures"].update(season=value))
    assert "the temperature of season" in refusal(saved)
    describe(saved, lambda d: d["temperatures"].update(season=1) or d.update(joint_temperature=value))
    assert "joint_temperature" in refusal(saved)


@pytest.mark.parametrize("value", NOT_NUMBERS)
def test_a_shift_that_is_no_number_is_refused_by_name(saved: Path, value: object) -> None:
    describe(saved, lambda d: d["shifts"]["season"].__setitem__(1, value))
    assert "a shift of season" in refusal(saved)


@pytest.mark.parametrize("value", [[1, 2], [1, 2, 3, 4], [1, 2, -1], [1, 2, 0.5], [1, 2, True], [1, 2, "3"], 3, None])
def test_training_items_that_are_no_number_for_each_class_are_refused(saved: Path, value: object) -> None:
    describe(saved, lambda d: d["train_counts"].update(season=value))
    refusal(saved)
    describe(saved, lambda d: d["train_counts"].update(season=[1, 2, 3], cut=[1]))
    assert "train_counts: 'cut' is no attribute" in refusal(saved)


@pytest.mark.parametrize(("key", "value"), [*(("m", value) for value in NOT_NUMBERS), ("a", -0.1), ("b", -2.0)])
def test_a_map_of_confidences_that_is_no_rising_one_is_refused_by_name(saved: Path, key: str, value: object) -> None:
    describe(saved, lambda d: d["confidence_maps"]["heads"]["season"].update({key: value}))
    assert "the map of season" in refusal(saved)
    describe(saved, lambda d: d["confidence_maps"]["heads"].pop("season"))
    assert "confidence_maps: none for season" in refusal(saved)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", True, -0.1, 1.1])
@pytest.mark.parametrize("key", ["confidence", "target_accuracy"])
def test_a_threshold_that_is_no_share_is_refused_by_name(saved: Path, key: str, value: object) -> None:
    describe(saved, lambda d: d["thresholds"]["heads"]["season"].update({key: value}))
    assert "the threshold of season" in refusal(saved)
    describe(saved, lambda d: d["thresholds"]["heads"]["season"].update({key: 0.5}))
    describe(saved, lambda d: d["thresholds"]["item"].update({key: value}))
    assert "the threshold of the item" in refusal(saved)


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
        (lambda d: d["alone"].update(picture=d["alone"]["image"]), "alone: 'picture' is none of image, text"),
        (lambda d: d["alone"]["text"].update(taxonomy=d["taxonomy"]), "alone: text holds the unknown key 'taxonomy'"),
        (lambda d: d["alone"]["text"].pop("temperatures"), "temperatures"),
        (lambda d: d["alone"]["image"]["temperatures"].update(season=0), "the temperature of season"),
        (lambda d: d["alone"]["image"]["thresholds"]["heads"].pop("season"), "thresholds: none for season"),
        (lambda d: d["alone"]["image"]["confidence_maps"]["item"].update(a=-1), "the map of the item"),
        (lambda d: d.update(alone=[]), "items"),
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
    describe(saved, change)
    assert told in refusal(saved)


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
    replace_file(saved, "similarity.safetensors", (saved / "similarity.safetensors").read_bytes())
    assert told in refusal(saved)


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
    describe(saved, lambda d: d["similarity"].update(temperatures=temperatures))
    assert told in refusal(saved)


def test_a_similarity_head_that_is_neither_listed_nor_there_is_refused(saved: Path) -> None:
    (saved / "similarity.safetensors").unlink()
    describe(saved, lambda d: d["sha256"].pop("similarity.safetensors"))
    assert "similarity.safetensors is missing" in refusal(saved)
