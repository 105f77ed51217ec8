"""A folder of pretrained towers is read as it was written, by three readers, or refused in one line."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import random_batch, save_tiny_towers, tiny_titles

from fashionmt.config import ClipConfig, ImageTowerConfig, TextTowerConfig
from fashionmt.errors import UserError
from fashionmt.model import TwoTowers, pretrained_tokenizer, read_towers
from fashionmt.model.bert_tower import BertTower, build_encoder
from fashionmt.model.clip_towers import build_clip_towers
from fashionmt.model.image_tower import ImageTower


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TwoTowers]:
    """A folder, and what was written into it; copy it before changing it."""
    folder = tmp_path_factory.mktemp("own") / "towers"
    return folder, save_tiny_towers(folder, ids=("7", "9"), marks=("a", "b", "c"))


@pytest.fixture
def copied(saved: tuple[Path, TwoTowers], tmp_path: Path) -> Path:
    """A folder to spoil."""
    return Path(shutil.copytree(saved[0], tmp_path / "towers"))


def test_its_description_is_read_back(saved: tuple[Path, TwoTowers]) -> None:
    towers = read_towers(saved[0])
    assert towers is not None
    assert (towers.network, towers.size, towers.max_tokens) == ("resnet18", 8, 12)
    assert (towers.data, towers.ids, towers.marks) == ("sample", {"7", "9"}, {"a", "b", "c"})
    for name, weight in towers.projections().items():
        assert torch.equal(weight, saved[1].projections[name].weight)


def test_it_holds_safetensors_json_and_nothing_else(saved: tuple[Path, TwoTowers]) -> None:
    files = {path.relative_to(saved[0]).as_posix() for path in saved[0].rglob("*") if path.is_file()}
    text = {f"text/{name}" for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")}
    assert files == {"image.safetensors", "projections.safetensors", "towers.json"} | text


@torch.no_grad()
def test_the_towers_of_a_tagger_begin_with_it(saved: tuple[Path, TwoTowers]) -> None:
    """`model.image.weights` and `model.text.pretrained`: the same features, the same vocabulary, the same token ids."""
    folder, towers = saved
    batch = random_batch()
    image = ImageTower(ImageTowerConfig(weights=str(folder / "image.safetensors"))).eval()
    assert torch.equal(image(batch.pixels), towers.image(batch.pixels))
    text = BertTower(build_encoder(TextTowerConfig(pretrained=str(folder / "text")), 0)).eval()
    assert torch.equal(text(batch), towers.text(batch))
    tokenizer, expected = pretrained_tokenizer(str(folder / "text"), 12), tiny_titles().tokenizer
    assert expected is not None
    assert tokenizer.get_vocab() == expected.get_vocab()
    for title in ("Red shirt", "blue zebra, [PAD]", "red " * 30):
        assert tokenizer.encode(title).ids == expected.encode(title).ids


def test_a_folder_of_before_is_read_and_has_no_marks(copied: Path) -> None:
    described = json.loads((copied / "towers.json").read_text())
    del described["trained_on"]["marks"]
    (copied / "towers.json").write_text(json.dumps(described))
    towers = read_towers(copied)
    assert towers is not None
    assert (towers.ids, towers.marks) == ({"7", "9"}, None)


def test_another_folder_is_none(tmp_path: Path) -> None:
    assert read_towers(tmp_path) is None
    assert read_towers(tmp_path / "gone") is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 1}', '{"format": 1, "trained_on": 3, "image": {}, "text": {}}']
)
def test_a_damaged_description_is_refused(text: str, copied: Path) -> None:
    (copied / "towers.json").write_text(text)
    with pytest.raises(UserError, match=r"^\S*towers: towers\.json is damaged"):
        read_towers(copied)


def test_another_format_is_refused_by_both_numbers(copied: Path) -> None:
    described = json.loads((copied / "towers.json").read_text())
    (copied / "towers.json").write_text(json.dumps(described | {"format": 9}))
    with pytest.raises(UserError, match="format 9, and this fashionmt reads format 1"):
        read_towers(copied)


def _other_projections(folder: Path) -> None:
    state = load_file(folder / "projections.safetensors")
    save_file(state | {"image.weight": torch.zeros(8, 3)}, folder / "projections.safetensors")


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "no pictures": (lambda folder: (folder / "image.safetensors").unlink(), "image.safetensors: no such file"),
    "no titles": (lambda folder: shutil.rmtree(folder / "text"), "could not be loaded"),
    "no projections": (lambda folder: (folder / "projections.safetensors").unlink(), "projections.safetensors"),
    "damaged projections": (
        lambda folder: (folder / "projections.safetensors").write_bytes(b"no"),
        "projections.safetensors",
    ),
    "projections of others": (_other_projections, "other sizes"),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_folder_is_refused_in_one_line(how: str, copied: Path) -> None:
    spoil, told = SPOILT[how]
    spoil(copied)
    with pytest.raises(UserError) as refused:
        build_clip_towers(ClipConfig(str(copied)))
    assert "\n" not in str(refused.value)
    assert told in str(refused.value)
