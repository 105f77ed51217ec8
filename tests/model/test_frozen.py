"""A tower given what its frozen part makes of an item is the tower itself; other weights have another fingerprint."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from tiny import CLASSES, NGRAMS, random_batch, save_tiny_clip, save_tiny_towers, tiny_config

from fashionmt.batch import Batch, OtherTitles
from fashionmt.config import ClipConfig, FusionConfig, ImageTowerConfig, ModelConfig
from fashionmt.model import FrozenPart, Tagger, build_tagger


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a small network of another's."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("network") / "w.safetensors"
    save_file(torchvision.models.resnet18().state_dict(), path)
    return path


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A CLIP as the hub has them, and one of our own two towers."""
    root = tmp_path_factory.mktemp("clips")
    save_tiny_clip(root / "hub")
    save_tiny_towers(root / "own")
    return {"hub": root / "hub", "own": root / "own"}


def _network(weights: Path, train: str = "none", colour: bool = True, name: str = "resnet18") -> Tagger:
    torch.manual_seed(0)
    image = ImageTowerConfig(name=name, weights=str(weights), train=train, colour_statistics=colour)
    return build_tagger(replace(tiny_config(text=False), image=image), CLASSES, (0, 0))


def _clip(folder: Path, train: str = "none") -> Tagger:
    torch.manual_seed(0)
    fusion = FusionConfig(kind="average")
    config = ModelConfig(clip=ClipConfig(str(folder), train), fusion=fusion, drop_image=0, drop_title=0)
    return build_tagger(config, CLASSES, (0, NGRAMS))


def _frozen(tagger: Tagger, batch: Batch) -> Batch:
    """The batch with what the frozen parts make of it, and nothing to compute it from."""
    with torch.inference_mode():
        frozen = {name: part.compute(batch) for name, part in tagger.frozen_parts().items()}
    copied = {name: value.clone() for name, value in frozen.items()}
    hidden = {"image": {"pixels": batch.pixels[:, :0, :0]}, "text": {"token_ids": torch.zeros_like(batch.token_ids)}}
    changed = {key: value for name in copied for key, value in hidden[name].items()}
    return replace(batch, frozen=copied, **changed)


def _assert_same_step(tagger: Tagger, batch: Batch) -> None:
    """Logits and gradients."""
    known = _frozen(tagger.train(), batch)
    found = []
    for each in (batch, known):
        tagger.zero_grad()
        logits = tagger(each).logits
        torch.stack([value.square().sum() for value in logits.values()]).sum().backward()
        gradients = {name: value.grad for name, value in tagger.named_parameters() if value.grad is not None}
        found.append((logits, {name: value.clone() for name, value in gradients.items()}))
    assert found[0][1].keys() == found[1][1].keys()
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("colour", [True, False])
def test_a_network_is_replaced_by_its_features(weights: Path, colour: bool) -> None:
    tagger = _network(weights, colour=colour)
    assert set(tagger.frozen_parts()) == {"image"}
    _assert_same_step(tagger, random_batch())


@pytest.mark.parametrize("source", ["hub", "own"])
def test_both_encoders_of_a_clip_are_replaced_by_theirs(clips: dict[str, Path], source: str) -> None:
    tagger = _clip(clips[source])
    assert set(tagger.frozen_parts()) == {"image", "text"}
    _assert_same_step(tagger, random_batch())


def test_a_struck_title_is_read_by_the_encoder(clips: dict[str, Path]) -> None:
    tagger, batch = _clip(clips["own"]), random_batch()
    other = replace(batch, token_ids=batch.token_ids.flip(1), frozen={})
    titles = {name: getattr(other, name) for name in ("token_ids", "token_mask", "ngram_ids", "ngram_weights")}
    known = replace(_frozen(tagger, batch), struck=OtherTitles(**titles, has_title=batch.has_title))
    tagger.config.struck_weight = 1.0
    *_, (_, struck) = tagger.training_outputs(known)
    torch.testing.assert_close(struck.logits, tagger(other).logits, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("train", ["all", "last"])
def test_a_network_that_learns_has_no_frozen_part(weights: Path, train: str) -> None:
    assert _network(weights, train).frozen_parts() == {}


def test_a_clip_that_learns_has_no_frozen_part(clips: dict[str, Path]) -> None:
    assert _clip(clips["own"], "all").frozen_parts() == {}


# Fingerprints


def _image(tagger: Tagger) -> FrozenPart:
    return tagger.frozen_parts()["image"]


def test_the_same_weights_have_the_same_fingerprint(weights: Path) -> None:
    """Whatever is trained beside them, and whatever is computed in between."""
    tagger, again = _network(weights), _network(weights)
    assert tagger.image is not None
    torch.nn.init.normal_(tagger.image.get_parameter("colour.projection.0.weight"))
    tagger.train()(random_batch())
    assert _image(tagger).fingerprint() == _image(again).fingerprint()


@pytest.mark.parametrize("name", ["layer4.1.conv2.weight", "bn1.running_mean", "bn1.bias"])
def test_one_changed_number_changes_it(weights: Path, name: str) -> None:
    tagger = _network(weights)
    before = _image(tagger).fingerprint()
    value = tagger.state_dict()[f"image.network.{name}"]
    value[-1] += 1e-4
    assert _image(tagger).fingerprint() != before


def test_the_towers_shape_and_the_libraries_change_it(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part = _image(_network(weights))
    others = [_image(_network(weights, colour=False)), replace(part, shape=part.shape | {"name": "other"})]
    found = {each.fingerprint() for each in (part, *others)}
    monkeypatch.setattr("fashionmt.model.frozen.version", lambda _: "0.0")
    assert len(found | {part.fingerprint()}) == 4
