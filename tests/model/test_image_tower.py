"""The image tower is torchvision's classifier up to its last layer; local weights load whole or not at all; what is
frozen stays as it was."""

import pickle
import re
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
from fashionmt.model.image_networks import LAST_STAGE
from fashionmt.model.image_tower import ImageTower

State = dict[str, torch.Tensor]
FAMILIES = [  # one of each
    "alexnet",
    "convnext_tiny",
    "densenet121",
    "efficientnet_b0",
    "googlenet",
    "inception_v3",
    "maxvit_t",
    "mnasnet0_5",
    "mobilenet_v3_small",
    "regnet_y_400mf",
    "resnet18",
    "resnext50_32x4d",
    "shufflenet_v2_x0_5",
    "squeezenet1_1",
    "swin_t",
    "vgg16",
    "vit_b_32",
    "wide_resnet50_2",
]


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
    reference.load_state_dict(tower.network.state_dict())
    pixels = torch.randint(0, 256, (3, 32, 24, 3), dtype=torch.uint8)
    with torch.no_grad():
        expected = reference.eval()(
            normalize(pixels.permute(0, 3, 1, 2) / 255, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
        )
        torch.testing.assert_close(tower(pixels), expected, rtol=1e-4, atol=1e-4)


def _shape(name: str, **given: Any) -> ImageTower:
    """A tower whose weights do not matter."""
    # RegNet's depths are computed on tensors, which meta ones cannot be.
    with torch.device("cpu" if name.startswith("regnet") else "meta"):
        return ImageTower(ImageTowerConfig(name=name, **given), load_weights=False)


def _blank(tower: ImageTower, *shape: int) -> torch.Tensor:
    return torch.zeros(*shape, 3, dtype=torch.uint8, device=tower.mean.device)


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> ImageTower:
    """Of which the last stage trains."""
    return _shape(request.param, weights="gone.pth", train="last")


def test_every_family_gives_features_of_the_smallest_pictures_and_no_classes(family: ImageTower) -> None:
    assert family(_blank(family, 2, 8, 8)).shape == (2, family.size)
    for layer in family.network.modules():
        assert 1000 not in (getattr(layer, "out_features", 0), getattr(layer, "out_channels", 0))


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "squeezenet1_1", "densenet121", "mnasnet0_5"])
def test_features_are_what_torchvisions_last_layer_reads(name: str) -> None:
    torch.manual_seed(0)
    reference = torchvision.models.get_model(name, weights=None).eval()
    tower = ImageTower(ImageTowerConfig(name=name)).eval()
    whole = reference.state_dict()
    tower.network.load_state_dict({key: whole[key] for key in tower.network.state_dict()})
    last = [layer for layer in reference.modules() if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d)][-1]
    read = []
    last.register_forward_pre_hook(lambda _, given: read.append(given[0]))
    pixels = torch.randint(0, 256, (2, 40, 32, 3), dtype=torch.uint8)
    with torch.no_grad():
        features = tower(pixels)
        reference((pixels.permute(0, 3, 1, 2) - tower.mean) / tower.std)
    pooled = read[0].mean(dim=(2, 3)) if read[0].ndim == 4 else read[0]
    torch.testing.assert_close(features, pooled, rtol=1e-4, atol=1e-4)


def test_of_vgg_and_alexnet_the_map_is_pooled_and_the_dense_layers_are_gone() -> None:
    tower = ImageTower(ImageTowerConfig(name="alexnet")).eval()
    pixels = torch.randint(0, 256, (2, 128, 96, 3), dtype=torch.uint8)
    with torch.no_grad():
        positions = tower.network.features((pixels.permute(0, 3, 1, 2) - tower.mean) / tower.std)
        torch.testing.assert_close(tower(pixels), positions.mean(dim=(2, 3)))
    assert positions.shape[2:] != (1, 1)
    assert not list(tower.network.classifier.parameters())


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_inceptions_have_one_output_while_training_and_no_auxiliary_classifier(name: str) -> None:
    tower = _shape(name).train()
    assert tower(_blank(tower, 2, 80, 80)).shape == (2, tower.size)
    assert not [key for key in tower.state_dict() if "aux" in key.lower()]


@pytest.mark.parametrize(
    ("name", "given", "read"),
    [
        ("resnet18", (24, 18), (24, 18)),
        ("swin_t", (80, 60), (80, 60)),
        ("inception_v3", (80, 60), (100, 75)),
        ("inception_v3", (80, 80), (80, 80)),
        ("vgg16", (24, 64), (32, 86)),
        ("vit_b_32", (80, 60), (224, 224)),
        ("vit_b_32", (300, 400), (224, 224)),
    ],
)
def test_a_picture_is_enlarged_only_where_the_network_needs_it(
    name: str, given: tuple[int, int], read: tuple[int, int]
) -> None:
    tower, sizes = _shape(name), []
    tower.network = torch.nn.Identity()
    tower.network.register_forward_pre_hook(lambda _, pictures: sizes.append(tuple(pictures[0].shape[2:])))
    tower(_blank(tower, 2, *given))
    assert sizes == [read]


def test_an_enlarged_picture_is_the_same_picture() -> None:
    seen = []
    tower = ImageTower(ImageTowerConfig(name="squeezenet1_1")).eval()
    tower.network.register_forward_pre_hook(lambda _, pictures: seen.append(pictures[0]))
    pixels = torch.randint(0, 256, (1, 1, 1, 3), dtype=torch.uint8).expand(1, 10, 8, 3)
    tower(pixels)
    colour = seen[0] * tower.std + tower.mean
    torch.testing.assert_close(colour, pixels[:, :1, :1].permute(0, 3, 1, 2).expand_as(colour).float())


def test_normalisation_is_not_among_the_weights() -> None:
    with torch.device("meta"):
        names = ImageTower(ImageTowerConfig()).state_dict()
    assert all(name.startswith("network.") for name in names)


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_local_weights_load_whatever_their_classifier(state: State, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights{suffix}"
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    loaded = _load(path).network.state_dict()
    expected = {name: value for name, value in state.items() if not name.startswith("fc.")}
    assert loaded.keys() == expected.keys()
    assert all(torch.equal(loaded[name], value) for name, value in expected.items())


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "googlenet", "mnasnet0_5", "densenet121", "squeezenet1_1"])
def test_every_familys_local_weights_load_without_their_classifiers(name: str, tmp_path: Path) -> None:
    extra = {"init_weights": False, "aux_logits": True} if name == "googlenet" else {}
    trained = torchvision.models.get_model(name, weights=None, num_classes=7, **extra).state_dict()
    old = {re.sub(r"(denselayer\d+\.)(norm|conv)([12])", r"\1\2.\3", key): value for key, value in trained.items()}
    assert (old.keys() != trained.keys()) == (name == "densenet121")  # as torchvision's own files have them
    save_file(old, tmp_path / "w.safetensors")
    loaded = _load(tmp_path / "w.safetensors", name).network.state_dict()
    assert loaded.keys() < trained.keys()
    assert all(torch.equal(value, trained[key]) for key, value in loaded.items())


def test_downloaded_weights_load_without_their_classifiers(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=True).state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: whole)
    tower = ImageTower(ImageTowerConfig(name="googlenet", pretrained=True))
    loaded = tower.network.state_dict()
    assert {key.split(".")[0] for key in whole.keys() - loaded.keys()} == {"fc", "aux1", "aux2"}
    assert all(torch.equal(value, whole[key]) for key, value in loaded.items())
    assert tower.network.transform_input
    assert tower.train()(torch.zeros(2, 32, 32, 3, dtype=torch.uint8)).shape == (2, 1024)


@pytest.mark.parametrize("name", ["googlenet", "mnasnet0_5"])
def test_a_bundles_tower_takes_the_weights_of_one_that_was_trained(name: str) -> None:
    """Without any mark that a state dict keeps beside its tensors, and as one that did not start trained."""
    config = ImageTowerConfig(name=name, colour_statistics=True)
    trained = ImageTower(config).eval()
    again = ImageTower(config, load_weights=False).eval()
    again.load_state_dict(dict(trained.state_dict()), strict=True)
    pixels = torch.randint(0, 256, (2, 24, 24, 3), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(again(pixels), trained(pixels))


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


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("resnet19", "torchvision has no such classifier.*resnet18"),
        ("efficientnetb0", "torchvision has no such classifier.*efficientnet_b0"),
        ("ResNet18", "torchvision has no such classifier.*resnet18"),
        ("", "torchvision has no such classifier.*resnet18"),
        ("fasterrcnn_resnet50_fpn", "no classifier of pictures.*resnet"),
        ("deeplabv3_resnet50", "no classifier of pictures.*resnet50"),
        ("swin3d_t", "no classifier of pictures.*swin_t"),
        ("quantized_resnet18", "no classifier of pictures.*resnet18"),
    ],
)
def test_what_is_no_classifier_is_refused_with_the_nearest_ones(name: str, told: str) -> None:
    with pytest.raises(UserError, match=rf"^model\.image\.name={name}: {told}") as refused:
        ImageTower(ImageTowerConfig(name=name))
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("train", ["last", "none"])
def test_what_is_frozen_does_not_change_in_training(state: State, tmp_path: Path, train: str) -> None:
    save_file(state, tmp_path / "w.safetensors")
    config = ImageTowerConfig(weights=str(tmp_path / "w.safetensors"), train=train, colour_statistics=True)
    tower = ImageTower(config).eval().train()
    before = {name: value.clone() for name, value in tower.state_dict().items()}
    optimizer = torch.optim.SGD(tower.parameters(), lr=0.1)
    pixels = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8)
    (tower(pixels) * torch.randn(4, tower.size)).sum().backward()
    optimizer.step()
    changed = {name for name, value in tower.state_dict().items() if not torch.equal(value, before[name])}
    last = {name for name in before if name.startswith("network.layer4.")}
    colour = {name for name in before if name.startswith("colour.")}
    assert changed == (last | colour if train == "last" else colour)
    assert "network.layer4.1.bn2.running_mean" in last


def test_a_frozen_network_gives_the_same_features_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its dropout and stochastic depth are off too."""
    whole = torchvision.models.mobilenet_v3_small().state_dict()
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", lambda *_, **__: whole)
    tower = ImageTower(ImageTowerConfig(name="mobilenet_v3_small", pretrained=True, train="none"))
    pixels = torch.randint(0, 256, (4, 32, 32, 3), dtype=torch.uint8)
    features = tower.train()(pixels)
    assert torch.equal(features, tower.eval()(pixels))
    assert not features.requires_grad


def test_the_last_stage_is_the_end_of_the_network(family: ImageTower) -> None:
    parameters = list(family.network.parameters())
    trains = [parameter.requires_grad for parameter in parameters]
    assert trains == sorted(trains)  # all that come before are frozen
    trained = sum(parameter.numel() for parameter in parameters if parameter.requires_grad)
    assert 0.05 < trained / sum(parameter.numel() for parameter in parameters) < 0.9
    for module in family.train().network.modules():
        own = [parameter.requires_grad for parameter in module.parameters(recurse=False)]
        assert not own or all(own) == any(own) == module.training


def test_the_last_stage_of_every_classifier_is_known() -> None:
    known = torchvision.models.list_models(module=torchvision.models)
    families = {re.match("[a-z]+", name)[0] for name in known}  # type: ignore[index]
    assert families == LAST_STAGE.keys() | {"vgg", "alexnet"}
    assert families == {re.match("[a-z]+", name)[0] for name in FAMILIES}  # type: ignore[index]


def test_colour_statistics_stand_beside_the_features_and_start_new(state: State, tmp_path: Path) -> None:
    save_file(state, tmp_path / "w.safetensors")
    weights = str(tmp_path / "w.safetensors")
    plain = ImageTower(ImageTowerConfig(weights=weights)).eval()
    tower = ImageTower(ImageTowerConfig(weights=weights, colour_statistics=True)).eval()
    pixels = torch.randint(0, 256, (3, 32, 24, 3), dtype=torch.uint8)
    with torch.no_grad():
        features = tower(pixels)
        assert features.shape == (3, tower.size) == (3, plain.size + 64)
        assert torch.equal(features[:, : plain.size], plain(pixels))
        assert torch.equal(features[:, plain.size :], tower.colour(pixels))
    new = {id(parameter) for parameter in tower.new_parameters()}
    assert new == {id(p) for name, p in tower.named_parameters() if name.startswith("colour.")} != set()
    assert plain.new_parameters() == []


def test_a_tower_of_random_weights_is_new_altogether() -> None:
    tower = ImageTower(ImageTowerConfig(colour_statistics=True))
    assert [id(p) for p in tower.new_parameters()] == [id(p) for p in tower.parameters()]


def test_pretrained_without_a_network_names_the_repair(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def offline(*_: object, **__: object) -> None:
        raise urllib.error.URLError("no network")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))  # no cached weights either
    monkeypatch.setattr("urllib.request.urlopen", offline)
    monkeypatch.setattr("torch.hub.urlopen", offline)
    with pytest.raises(UserError, match=r"^model\.image\.pretrained=true \(resnet18\): .*model\.image\.weights="):
        ImageTower(ImageTowerConfig(pretrained=True))
