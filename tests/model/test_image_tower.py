"""The image tower is torchvision's ResNet on ImageNet's normalisation, and local weights load whole or not at all."""

import pickle
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torchvision.transforms.functional import normalize

from fashionmt.config import ImageTowerConfig
from fashionmt.errors import UserError
from fashionmt.model.image_tower import ImageTower

State = dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def state() -> State:
    """The weights of a ResNet-18 that was trained elsewhere, on 7 classes."""
    torch.manual_seed(1)
    model = torchvision.models.resnet18(num_classes=7).train()
    model(torch.rand(4, 3, 32, 32))  # so that the running means are not the initial ones
    return {name: value.clone() for name, value in model.state_dict().items()}


def _load(path: Path, name: str = "resnet18") -> ImageTower:
    return ImageTower(ImageTowerConfig(name=name, weights=str(path)))


def _refusal(path: Path, name: str = "resnet18") -> str:
    with pytest.raises(UserError) as refused:
        _load(path, name)
    message = str(refused.value)
    assert message.startswith(f"model.image.weights={path}: ")
    assert "\n" not in message
    return message


def test_features_equal_torchvisions_on_normalised_pixels() -> None:
    torch.manual_seed(0)
    tower = ImageTower(ImageTowerConfig()).eval()
    reference = torchvision.models.resnet18()
    reference.fc = torch.nn.Identity()
    reference.load_state_dict(tower.resnet.state_dict())
    pixels = torch.randint(0, 256, (3, 32, 24, 3), dtype=torch.uint8)
    with torch.no_grad():
        expected = reference.eval()(
            normalize(pixels.permute(0, 3, 1, 2) / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        )
        torch.testing.assert_close(tower(pixels), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["resnet18", "resnet34", "resnet50"])
def test_size_is_the_width_of_the_features(name: str) -> None:
    with torch.device("meta"):
        tower = ImageTower(ImageTowerConfig(name=name)).eval()
        assert tower(torch.zeros(2, 32, 32, 3, dtype=torch.uint8)).shape == (2, tower.size)


def test_normalisation_is_not_among_the_weights() -> None:
    with torch.device("meta"):
        names = ImageTower(ImageTowerConfig()).state_dict()
    assert all(name.startswith("resnet.") for name in names)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_local_weights_load_whatever_their_classifier(state: State, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    loaded = _load(path).resnet.state_dict()
    expected = {name: value for name, value in state.items() if not name.startswith("fc.")}
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], value) for name, value in expected.items())


def test_a_bundles_tower_does_not_look_for_the_weights_it_was_trained_from(tmp_path: Path) -> None:
    config = ImageTowerConfig(weights=str(tmp_path / "gone.pth"))
    assert ImageTower(config, load_weights=False).size == 512


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    assert "no such file" in _refusal(tmp_path / "gone.safetensors")


@pytest.mark.parametrize("name", ["bytes.safetensors", "bytes.pth"])
def test_what_is_no_state_dict_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"not weights at all")
    _refusal(tmp_path / name)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_truncated_weights_are_refused(state: State, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    _refusal(path)


def test_a_list_of_tensors_is_refused(tmp_path: Path) -> None:
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    _refusal(tmp_path / "list.pth")


def test_weights_without_a_layer_are_refused_by_the_layers_name(state: State, tmp_path: Path) -> None:
    save_file({name: value for name, value in state.items() if name != "conv1.weight"}, tmp_path / "w.safetensors")
    assert "conv1.weight" in _refusal(tmp_path / "w.safetensors")


def test_weights_with_a_layer_too_many_are_refused_by_the_layers_name(state: State, tmp_path: Path) -> None:
    save_file({**state, "layer9.weight": torch.zeros(1)}, tmp_path / "w.safetensors")
    assert "layer9.weight" in _refusal(tmp_path / "w.safetensors")


@pytest.mark.parametrize("name", ["resnet34", "resnet50"])
def test_another_resnets_weights_are_refused(state: State, tmp_path: Path, name: str) -> None:
    save_file(state, tmp_path / "w.safetensors")
    assert name in _refusal(tmp_path / "w.safetensors", name)


def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[Callable[[Any], None], tuple[Path]]:
            return Path.touch, (tmp_path / "sprung",)

    (tmp_path / "trap.pth").write_bytes(pickle.dumps({"conv1.weight": Trap()}))
    torch.save({"conv1.weight": Trap()}, tmp_path / "zipped.pth")
    for name in ("trap.pth", "zipped.pth"):
        _refusal(tmp_path / name)
    assert not (tmp_path / "sprung").exists()


def test_an_unknown_resnet_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"^model\.image\.name=resnet19: .*resnet18, .*resnet50"):
        ImageTower(ImageTowerConfig(name="resnet19"))


def test_pretrained_without_a_network_names_the_repair(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def offline(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # no cached weights either
    monkeypatch.setattr("urllib.request.urlopen", offline)
    monkeypatch.setattr("torch.hub.urlopen", offline)
    with pytest.raises(UserError, match=r"^model\.image\.pretrained=true \(resnet18\): .*model\.image\.weights="):
        ImageTower(ImageTowerConfig(pretrained=True))
