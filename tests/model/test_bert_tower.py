"""The BERT tower is the mean of an encoder's last layer over real tokens; pretrained folders load whole or not."""

import json
import shutil
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny import random_batch, save_tiny_bert
from torch import Tensor

from fashionmt.batch import Batch
from fashionmt.config import TextTowerConfig
from fashionmt.errors import UserError
from fashionmt.model.bert_tower import FAMILY, BertTower, build_encoder, encoder_from_config, pretrained_tokenizer

SMALL = TextTowerConfig(hidden_size=16, layers=2, heads=2, max_tokens=12)


@pytest.fixture(scope="module")
def tower() -> BertTower:
    torch.manual_seed(0)
    return BertTower(build_encoder(SMALL, 30)).eval()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is switched off, and whoever asks the network all the same fails the test."""

    def no_network(*_: object, **__: object) -> None:
        pytest.fail("the network was asked")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)


@pytest.fixture
def copied(bert_folder: Path, tmp_path: Path) -> Path:
    """A pretrained folder to spoil."""
    return Path(shutil.copytree(bert_folder, tmp_path / "bert"))


def _encoder_refusal(name: Path | str) -> str:
    with pytest.raises(UserError) as refused:
        build_encoder(TextTowerConfig(pretrained=str(name)), 0)
    message = str(refused.value)
    assert message.startswith(f"model.text.pretrained={name}: ")
    assert "\n" not in message
    return message


def _titles(ids: Tensor, *lengths: int) -> Batch:
    """A batch whose titles are the first tokens of each row."""
    mask = torch.arange(ids.shape[1]) < torch.tensor(lengths)[:, None]
    return replace(random_batch(len(lengths)), token_ids=ids, token_mask=mask)


def _small(family: str, **sizes: int) -> Any:
    """The config of a small encoder. DistilBERT has names of its own."""
    names = ("dim", "n_layers", "n_heads", "hidden_dim") if family == "distilbert" else None
    names = names or ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    return transformers.AutoConfig.for_model(family, **dict(zip(names, (16, 1, 2, 32), strict=True)), **sizes)


# The tower


@torch.no_grad()
def test_features_are_the_mean_over_each_titles_tokens_alone(tower: BertTower) -> None:
    ids = torch.randint(2, 30, (3, 5))
    features = tower(_titles(ids, 5, 2, 3))
    for row, length in enumerate((5, 2, 3)):
        alone = tower.encoder(input_ids=ids[row : row + 1, :length]).last_hidden_state[0]
        torch.testing.assert_close(features[row], alone.mean(0), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_padding_changes_nothing_whatever_its_ids(tower: BertTower) -> None:
    ids = torch.randint(2, 30, (2, 4))
    expected = tower(_titles(ids, 4, 4))
    for padding in (0, 17):
        padded = torch.nn.functional.pad(ids, (0, 6), value=padding)
        torch.testing.assert_close(tower(_titles(padded, 4, 4)), expected, rtol=1e-4, atol=1e-5)


def test_a_title_without_tokens_gives_zeros_and_finite_gradients(tower: BertTower) -> None:
    features = tower(_titles(torch.zeros(2, 3, dtype=torch.long), 0, 2))
    assert torch.equal(features[0], torch.zeros(16))
    features.square().sum().backward()
    gradients = [parameter.grad for parameter in tower.parameters() if parameter.grad is not None]
    tower.zero_grad()
    assert gradients
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


def test_no_row_reaches_the_encoder_with_nothing_to_attend_to(tower: BertTower) -> None:
    """Such a row is NaN in some attention kernels."""
    seen: list[torch.Tensor] = []
    hook = tower.encoder.register_forward_pre_hook(
        lambda _, __, given: seen.append(given["attention_mask"]), with_kwargs=True
    )
    tower(_titles(torch.zeros(2, 3, dtype=torch.long), 0, 2))
    hook.remove()
    assert seen[0].tolist() == [[1, 0, 0], [1, 1, 0]]


def test_the_mask_given_is_not_changed(tower: BertTower) -> None:
    batch = _titles(torch.zeros(2, 3, dtype=torch.long), 0, 2)
    before = batch.token_mask.clone()
    tower(batch)
    assert torch.equal(batch.token_mask, before)


def test_a_small_bert_has_the_configured_sizes(tower: BertTower) -> None:
    config = tower.encoder.config
    sizes = (config.vocab_size, config.hidden_size, config.num_hidden_layers, config.num_attention_heads)
    assert sizes == (30, 16, 2, 2)
    assert tower.encoder.embeddings.word_embeddings.weight.shape == (30, 16)
    assert tower.encoder.embeddings.position_embeddings.weight.shape == (12, 16)
    assert (config.hidden_dropout_prob, config.attention_probs_dropout_prob) == (SMALL.dropout, SMALL.dropout)
    assert tower.size == 16


# A bundle's encoder


@pytest.mark.parametrize("family", FAMILY)
def test_every_family_is_built_again_from_its_config_as_json(family: str) -> None:
    config = _small(family, vocab_size=30)
    first = encoder_from_config(config.to_dict())
    again = encoder_from_config(json.loads(json.dumps(first.config.to_dict())))
    assert type(again).__module__.startswith("transformers.models.")
    shapes = {name: value.shape for name, value in first.state_dict().items()}
    assert {name: value.shape for name, value in again.state_dict().items()} == shapes
    assert not any("pooler" in name for name in shapes)
    features = BertTower(again).eval()(_titles(torch.randint(3, 30, (2, 4)), 4, 0))
    assert features.shape == (2, 16)
    assert bool(features.isfinite().all())


@pytest.mark.parametrize("family", ["gpt2", "t5", "no-such", None, "", ["bert"]])
def test_an_unknown_family_is_refused(family: object) -> None:
    with pytest.raises(ValueError, match="family"):
        encoder_from_config({"model_type": family, "hidden_size": 16})


# Pretrained


@torch.no_grad()
def test_a_local_folder_gives_transformers_own_features_offline(bert_folder: Path, offline: None) -> None:
    tower = BertTower(build_encoder(TextTowerConfig(pretrained=str(bert_folder)), 0)).eval()
    reference = transformers.BertModel.from_pretrained(bert_folder).eval()
    ids = torch.randint(2, 11, (2, 5))
    expected = reference(input_ids=ids).last_hidden_state.mean(1)
    torch.testing.assert_close(tower(_titles(ids, 5, 5)), expected, rtol=1e-4, atol=1e-5)


def test_a_local_folders_tokenizer_adds_its_marks_and_cuts(bert_folder: Path, offline: None) -> None:
    tokenizer = pretrained_tokenizer(str(bert_folder), 6)
    assert tokenizer.encode("Red shoe").tokens == ["[CLS]", "red", "shoe", "[SEP]"]
    assert tokenizer.encode("red blue red blue red blue").tokens == ["[CLS]", "red", "blue", "red", "blue", "[SEP]"]
    assert [len(e.ids) for e in tokenizer.encode_batch(["red", "red blue shoe"])] == [3, 5]


@pytest.mark.parametrize("family", FAMILY)
def test_as_many_tokens_are_allowed_as_an_encoder_has_positions_for(family: str, copied: Path) -> None:
    config = _small(family, vocab_size=11, max_position_embeddings=20)
    config.save_pretrained(copied)
    with pytest.raises(UserError, match=r"^model\.text\.max_tokens=21: .* reads at most \d+ tokens. Set it") as refused:
        pretrained_tokenizer(str(copied), 21)
    most = int(str(refused.value).split("at most ")[1].split()[0])
    assert pretrained_tokenizer(str(copied), most).truncation["max_length"] == most
    encoder = encoder_from_config(config.to_dict())
    ids = torch.full((1, most + 1), 5)
    assert bool(encoder(input_ids=ids[:, :most]).last_hidden_state.isfinite().all())
    with pytest.raises((IndexError, RuntimeError)):
        encoder(input_ids=ids)


def test_weights_kept_in_half_precision_train_in_float32(tmp_path: Path) -> None:
    save_tiny_bert(tmp_path / "half", torch.bfloat16)
    encoder = build_encoder(TextTowerConfig(pretrained=str(tmp_path / "half")), 0)
    assert {parameter.dtype for parameter in encoder.parameters()} == {torch.float32}


def test_a_checkpoint_of_another_task_loads_without_its_head(tmp_path: Path) -> None:
    sizes = transformers.BertConfig(
        vocab_size=11, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    model = transformers.BertForMaskedLM(sizes)
    model.save_pretrained(tmp_path / "masked")
    loaded = build_encoder(TextTowerConfig(pretrained=str(tmp_path / "masked")), 0).state_dict()
    expected = model.bert.state_dict()
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], value) for name, value in expected.items())


def test_a_hub_name_that_cannot_be_had_names_the_repair(offline: None) -> None:
    assert "name a local folder" in _encoder_refusal("nobody/has-this")
    with pytest.raises(UserError, match=r"^model\.text\.pretrained=nobody/has-this: .*name a local folder"):
        pretrained_tokenizer("nobody/has-this", 8)


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path, offline: None) -> None:
    _encoder_refusal(tmp_path / "gone")


def test_weights_that_lack_a_layer_are_refused_instead_of_started_random(copied: Path) -> None:
    state = load_file(copied / "model.safetensors")
    kept = {name: value for name, value in state.items() if "encoder.layer.1.output.dense" not in name}
    save_file(kept, copied / "model.safetensors", metadata={"format": "pt"})
    assert "encoder.layer.1.output.dense.bias" in _encoder_refusal(copied)


def test_weights_of_another_size_are_refused(copied: Path) -> None:
    state = load_file(copied / "model.safetensors")
    state["embeddings.word_embeddings.weight"] = torch.zeros(12, 16)
    save_file(state, copied / "model.safetensors", metadata={"format": "pt"})
    _encoder_refusal(copied)


def test_truncated_weights_are_refused(copied: Path) -> None:
    path = copied / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    _encoder_refusal(copied)


def test_pickled_weights_are_refused(copied: Path) -> None:
    torch.save(load_file(copied / "model.safetensors"), copied / "pytorch_model.bin")
    (copied / "model.safetensors").unlink()
    _encoder_refusal(copied)


@pytest.mark.parametrize("text", ["{", "{}", '{"model_type": "no-such"}'])
def test_a_damaged_config_is_refused(copied: Path, text: str) -> None:
    (copied / "config.json").write_text(text)
    _encoder_refusal(copied)


def test_an_encoder_of_a_family_that_no_bundle_could_hold_is_refused(copied: Path) -> None:
    (copied / "config.json").write_text(json.dumps({"model_type": "gpt2", "vocab_size": 11}))
    assert "'gpt2'" in _encoder_refusal(copied)


def test_a_folder_without_a_tokenizer_is_refused(copied: Path) -> None:
    for path in copied.glob("tokenizer*"):
        path.unlink()
    with pytest.raises(UserError, match=r"^model\.text\.pretrained=.*: holds no tokenizer"):
        pretrained_tokenizer(str(copied), 8)


def test_a_damaged_tokenizer_is_refused(copied: Path) -> None:
    (copied / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match=r"^model\.text\.pretrained="):
        pretrained_tokenizer(str(copied), 8)
