"""CLIP's towers give what transformers gives, stay as they are where frozen, and load whole or not at all."""

import json
import shutil
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tiny import CLASSES, NGRAMS, random_batch, rows_of, save_tiny_clip, save_tiny_towers, tiny_config
from torch import Tensor

from fashionmt.batch import Batch
from fashionmt.config import ClipConfig, FusionConfig, ModelConfig
from fashionmt.data.tokens import encode_tokens
from fashionmt.errors import UserError
from fashionmt.model import Tagger, build_tagger, check_model, clip_tokenizer, rebuild_tagger
from fashionmt.model.clip_towers import ClipPictures, ClipTower, build_clip_towers

TITLES = ("Red shirt!", "a", None, "red " * 30)
PIXELS = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A local CLIP; copy it before changing it."""
    folder = tmp_path_factory.mktemp("clip") / "clip"
    save_tiny_clip(folder)
    return folder


@pytest.fixture(scope="module")
def towers_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Own towers; copy them before changing them."""
    folder = tmp_path_factory.mktemp("own") / "towers"
    save_tiny_towers(folder)
    return folder


@pytest.fixture
def copied(clip_folder: Path, tmp_path: Path) -> Path:
    """A CLIP to spoil."""
    return Path(shutil.copytree(clip_folder, tmp_path / "clip"))


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is switched off, and whoever asks the network all the same fails the test."""

    def no_network(*_: object, **__: object) -> None:
        pytest.fail("the network was asked")

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(socket, "getaddrinfo", no_network)


def _config(folder: Path, train: str = "none", share: float | None = None) -> ModelConfig:
    clip = ClipConfig(str(folder), train)
    return replace(
        tiny_config(wide=False),
        image=None,
        text=None,
        clip=clip,
        fusion=FusionConfig(kind="average", image_share=share),
    )


def _tagger(folder: Path, train: str = "none", share: float | None = None) -> Tagger:
    torch.manual_seed(1)
    return build_tagger(_config(folder, train, share), CLASSES, (0, NGRAMS))


def _batch(folder: Path) -> Batch:
    """Four pictures, and `TITLES` as the source's own tokenizer reads them."""
    tokens = encode_tokens(clip_tokenizer(ClipConfig(str(folder))), TITLES)
    ids, mask = (torch.from_numpy(array) for array in tokens.padded(torch.arange(4).numpy()))
    has_title = torch.from_numpy(tokens.lengths > 0)
    return replace(random_batch(4), pixels=PIXELS, token_ids=ids, token_mask=mask, has_title=has_title)


# A CLIP of transformers


@torch.no_grad()
def test_features_are_those_of_transformers_own_clip(clip_folder: Path) -> None:
    image, text = (tower.eval() for tower in build_clip_towers(ClipConfig(str(clip_folder))))
    whole = transformers.CLIPModel.from_pretrained(clip_folder).eval()
    processed = transformers.CLIPImageProcessor.from_pretrained(clip_folder)(list(PIXELS.numpy()), return_tensors="pt")
    expected = whole.get_image_features(**processed).pooler_output
    torch.testing.assert_close(image(PIXELS), expected, rtol=1e-4, atol=1e-5)

    tokenizer = transformers.AutoTokenizer.from_pretrained(clip_folder)
    found = text(_batch(clip_folder))
    for row, title in enumerate(TITLES):
        if title is not None:
            ids = tokenizer(title, truncation=True, max_length=20, return_tensors="pt")
            expected = whole.get_text_features(**ids).pooler_output
            torch.testing.assert_close(found[row : row + 1], expected, rtol=1e-4, atol=1e-5)
    assert bool(found.isfinite().all())
    assert image.size == text.size == found.shape[1] == 12


@pytest.mark.parametrize(("height", "width"), [(64, 64), (48, 36), (20, 30)])
def test_pictures_are_resized_and_normalised_as_by_the_processor(height: int, width: int, clip_folder: Path) -> None:
    """It would crop what is no square, unless it is told to stretch."""
    image, _ = build_clip_towers(ClipConfig(str(clip_folder)))
    assert isinstance(image.encoder, ClipPictures)
    draw = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (2, height, width, 3), dtype=torch.uint8, generator=draw)
    square = {"size": {"height": 32, "width": 32}, "do_center_crop": False}
    processor = transformers.CLIPImageProcessor.from_pretrained(clip_folder, **({} if height == width else square))
    expected = processor(list(pixels.numpy()), return_tensors="pt")["pixel_values"]
    torch.testing.assert_close(image.encoder.processed(pixels), expected, rtol=0, atol=1e-4)


def test_titles_are_read_by_its_own_tokenizer_and_end_with_its_mark_where_they_are_cut(clip_folder: Path) -> None:
    ours, theirs = clip_tokenizer(ClipConfig(str(clip_folder))), transformers.AutoTokenizer.from_pretrained(clip_folder)
    end = theirs.eos_token_id
    for title in ("Red shirt!", "Größe 42, 'blue'", "red " * 30):
        ids = ours.encode(title).ids
        assert ids == theirs(title, truncation=True, max_length=20)["input_ids"]
        assert ids[-1] == end
        assert len(ids) <= 20


@pytest.mark.parametrize("source", ["clip_folder", "towers_folder"])
@torch.no_grad()
def test_padding_changes_nothing(source: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(source)
    _, text = build_clip_towers(ClipConfig(str(folder)))
    batch = rows_of(_batch(folder), [0, 1])
    batch.token_ids, batch.token_mask = batch.token_ids[:, :10], batch.token_mask[:, :10]
    alone = replace(batch, token_ids=batch.token_ids[:, :8], token_mask=batch.token_mask[:, :8])
    assert int(batch.token_mask.sum(1).max()) <= 8 or source == "clip_folder"
    expected = text(rows_of(batch, [1]))
    torch.testing.assert_close(text(rows_of(alone, [1])), expected, rtol=1e-4, atol=1e-5)


# As a tagger's towers


@pytest.mark.parametrize("train", ["none", "all"])
@pytest.mark.parametrize("source", ["clip_folder", "towers_folder"])
def test_a_step_moves_the_encoders_only_where_they_are_trained(
    source: str, train: str, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(source)
    tagger, batch = _tagger(folder, train), _batch(folder)
    before = {name: value.clone() for name, value in tagger.state_dict().items()}
    learned = [parameter for parameter in tagger.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        sum(value.square().sum() for value in tagger.train()(batch).logits.values()).backward()  # type: ignore[union-attr]
        optimizer.step()
    moved = {name for name, value in tagger.state_dict().items() if not torch.equal(value, before[name])}
    towers = {name for name in moved if name.startswith(("image.", "text."))}
    assert {"heads.linear.head_colour.weight", "fusion.shares"} <= moved
    assert bool(towers) == (train == "all")
    assert any(module.training for module in tagger.image.modules()) == (train == "all")  # type: ignore[union-attr]


@torch.no_grad()
def test_an_item_without_picture_or_title_is_the_other_one_alone(clip_folder: Path) -> None:
    tagger, batch = _tagger(clip_folder, share=0.3).eval(), _batch(clip_folder)
    batch.has_image = torch.tensor([True, False, True, True])
    assert batch.has_title.tolist() == [True, True, False, True]
    assert tagger.image is not None
    assert tagger.text is not None
    image, text = (
        features / features.norm(dim=1, keepdim=True) for features in (tagger.image(PIXELS), tagger.text(batch))
    )
    both = 0.3 * image + 0.7 * text
    expected = torch.stack([both[0], text[1], image[2], both[3]]) * 12**0.5
    torch.testing.assert_close(tagger(batch).embedding, expected)


@pytest.mark.parametrize("source", ["clip_folder", "towers_folder"])
def test_it_is_rebuilt_from_its_shape_as_json_and_its_weights(source: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(source)
    tagger, batch = _tagger(folder).eval(), _batch(folder)
    shape = json.loads(json.dumps(tagger.encoder_config()))
    again = rebuild_tagger(_config(Path("gone")), CLASSES, shape).eval()
    again.load_state_dict(tagger.state_dict())
    with torch.no_grad():
        assert torch.equal(again(batch).embedding, tagger(batch).embedding)
    assert not any(p.requires_grad for n, p in again.named_parameters() if n.startswith(("image.", "text.")))


def test_a_shape_of_an_unknown_family_is_refused(clip_folder: Path) -> None:
    shape = _tagger(clip_folder).encoder_config()
    assert shape is not None
    shape["text"]["family"] = "own"
    with pytest.raises(ValueError, match="families"):
        rebuild_tagger(_config(clip_folder), CLASSES, shape)


@torch.no_grad()
def test_own_towers_give_what_they_gave_when_they_were_saved(tmp_path: Path) -> None:
    towers = save_tiny_towers(tmp_path / "towers")
    image, text = build_clip_towers(ClipConfig(str(tmp_path / "towers")))
    batch = _batch(tmp_path / "towers")
    given: tuple[tuple[ClipTower, object, Tensor], ...] = tuple(
        zip((image, text), (batch.pixels, batch), towers(batch), strict=True)
    )
    for tower, inputs, expected in given:
        torch.testing.assert_close(torch.nn.functional.normalize(tower(inputs), dim=1), expected)


# Sources that cannot be had


def _begin(config: ModelConfig) -> None:
    """What a run asks of its source, in this order."""
    check_model(config)
    clip_tokenizer(config.clip or ClipConfig(""))
    build_tagger(config, CLASSES, (0, 0))


def _refusal(source: Path | str) -> str:
    config = ModelConfig(clip=ClipConfig(str(source)), fusion=FusionConfig(kind="average"))
    with pytest.raises(UserError) as refused:
        _begin(config)
    message = str(refused.value)
    assert "\n" not in message
    assert str(source) in message
    return message


@pytest.mark.parametrize("name", ["runs/pretrain_clip/towers", "gone", "./gone/away", "/gone/away"])
def test_a_folder_that_is_not_there_names_what_makes_it(name: str) -> None:
    message = _refusal(name)
    assert message.startswith(f"model.clip.source={name}: no such folder. ")
    assert "python train.py experiment=pretrain_clip" in message


def test_a_folder_beside_others_is_not_looked_for_on_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    assert ": no such folder" in _refusal("runs/towers")


def test_a_name_of_the_hub_that_cannot_be_had_names_the_repair() -> None:
    message = _refusal("nobody/has-this")
    assert "could not be loaded" in message
    assert "experiment=pretrain_clip" in message


def test_another_family_is_refused(copied: Path) -> None:
    (copied / "config.json").write_text(json.dumps({"model_type": "siglip"}))
    assert "'siglip'" in _refusal(copied)


def _without_a_layer(folder: Path) -> None:
    state = load_file(folder / "model.safetensors")
    del state["vision_model.encoder.layers.1.mlp.fc1.weight"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})


def _pickled(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _without_a_tokenizer(folder: Path) -> None:
    for path in folder.glob("tokenizer*"):
        path.unlink()


SPOILT: dict[str, tuple[Callable[[Path], object], str]] = {
    "a layer is missing": (_without_a_layer, "vision_model.encoder.layers.1.mlp.fc1.weight"),
    "pickled": (_pickled, "could not be loaded"),
    "no tokenizer": (_without_a_tokenizer, "tokenizer.json"),
    "no processor": (lambda folder: (folder / "preprocessor_config.json").unlink(), "could not be loaded"),
    "truncated": (
        lambda folder: (folder / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:5000]),
        "could not be loaded",
    ),
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_spoilt_clip_is_refused(how: str, copied: Path) -> None:
    spoil, told = SPOILT[how]
    spoil(copied)
    message = _refusal(copied)
    assert message.startswith(f"model.clip.source={copied}: ")
    assert told in message
