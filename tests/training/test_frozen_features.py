"""Runs with frozen towers: the same with their features cached as with the towers run in every step."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file
from tiny import save_tiny_towers

from fashionmt.config import TrainConfig
from fashionmt.data.picture_cache import NO_ROW
from fashionmt.hydra_bridge import to_yaml
from fashionmt.model.image_tower import ImageTower
from fashionmt.training.frozen_features import distinct
from fashionmt.training.loading import load_data
from fashionmt.training.module import TaggerModule
from fashionmt.training.run import run_training
from fashionmt.training.run_folder import RunFolder
from tests.conftest import OF_LIGHTNING

pytestmark = [
    *OF_LIGHTNING,
    pytest.mark.filterwarnings("ignore:Found .* in eval mode at the start of training"),
]
Compose = Callable[..., TrainConfig]
STILL = ("augment.pictures.flip=0", "augment.pictures.shift=0", "augment.pictures.zoom=0")


class KilledError(Exception):
    """What stands for a kill inside one process."""


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features in a cache of each test's own; no report, which takes longer than a run."""
    monkeypatch.setattr("fashionmt.training.frozen_features.cache_dir", lambda: tmp_path / "features")
    monkeypatch.setattr("fashionmt.training.report_content.show_results", lambda *_: None)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Of a network that somebody trained."""
    path = tmp_path / "w.safetensors"
    _save_network(path, 1)
    return path


def _save_network(path: Path, seed: int) -> None:
    torch.manual_seed(seed)
    save_file(torchvision.models.squeezenet1_1().state_dict(), path)


@pytest.fixture
def frozen(compose: Compose, weights: Path) -> Compose:
    """A small run whose image network is frozen, beside colour statistics that learn."""

    def composed(*overrides: str) -> TrainConfig:
        image = ("model.image.name=squeezenet1_1", f"model.image.weights={weights}", "model.image.train=none")
        colour = ("model.image.colour_statistics=true", "limit_items=300", "trainer.max_epochs=2")
        return compose("model=image_only", *image, *colour, "trainer.checkpoint_seconds=0", *overrides)

    return composed


def _run(config: TrainConfig, root: Path, resume: bool = False) -> dict[str, Any]:
    folder = RunFolder(root)
    if not resume:
        folder.claim(to_yaml(config))
    return run_training(config, folder, [], resume)


def _assert_same_run(config: TrainConfig, tmp_path: Path) -> None:
    """Cached, and with the towers run in every step and evaluation."""
    cached = _run(config, tmp_path / "cached")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fashionmt.training.run.with_frozen_features", lambda _config, data, *_: data)
        plain = _run(config, tmp_path / "plain")
    for metrics in (cached, plain):
        metrics["validation"].pop("unknown")
    assert _numbers(cached) == pytest.approx(_numbers(plain), abs=2e-3)
    one, other = (load_file(tmp_path / name / "bundle/model.safetensors") for name in ("cached", "plain"))
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


def _numbers(found: Any, name: str = "") -> dict[str, float]:
    if isinstance(found, dict):
        return {key: value for part in found for key, value in _numbers(found[part], f"{name}.{part}").items()}
    return {name: found} if isinstance(found, int | float) else {}


@pytest.fixture
def never(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on, no network runs."""

    def refuse(*_: object) -> None:
        pytest.fail("a frozen network was run")

    monkeypatch.setattr(ImageTower, "_network_features", refuse)


def test_a_run_on_cached_features_is_the_run_on_pictures(frozen: Compose, tmp_path: Path) -> None:
    _assert_same_run(frozen(*STILL), tmp_path)


def test_so_it_is_where_training_varies_its_pictures(frozen: Compose, tmp_path: Path) -> None:
    _assert_same_run(frozen(), tmp_path)


def test_so_it_is_of_a_clip_whose_titles_are_struck_too(compose: Compose, tmp_path: Path) -> None:
    save_tiny_towers(tmp_path / "towers")
    source = ("model=clip", f"model.clip.source={tmp_path / 'towers'}", "model.struck_weight=1", "model.views=all")
    config = compose(*source, *STILL, "limit_items=300", "trainer.max_epochs=2", "optim.learning_rate=5e-3")
    _assert_same_run(config, tmp_path)


def test_a_second_run_runs_no_network_and_gives_the_same(
    frozen: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    first = _run(frozen(*STILL), tmp_path / "first")
    assert "image tower is frozen: its features of 297 pictures computed once\n" in capsys.readouterr().err
    request.getfixturevalue("never")
    assert _run(frozen(*STILL), tmp_path / "second") == first
    assert "image tower is frozen: its features of 297 pictures read from the cache\n" in capsys.readouterr().err
    _run(frozen(*STILL, "optim.learning_rate=1e-3", "loss=plain"), tmp_path / "third")


def test_what_training_still_computes_is_said_with_what_avoids_it(
    frozen: Compose, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(frozen("trainer.max_epochs=1", "augment.pictures.shift=0"), tmp_path / "run")
    told = "training computes those of varied pictures in every step"
    avoided = "(avoided by augment.pictures.flip=0 augment.pictures.zoom=0)"
    assert f"computed once; {told} {avoided}\n" in capsys.readouterr().err


def test_other_weights_other_pictures_and_other_decoding_are_computed_anew(
    frozen: Compose, weights: Path, tmp_path: Path
) -> None:
    for i, change in enumerate(("", "seed=1", "limit_items=200", "preprocess.height=30", "weights")):
        if change == "weights":
            _save_network(weights, 2)
        override = (change,) if "=" in change else ()
        _run(frozen(*STILL, "trainer.max_epochs=1", *override), tmp_path / f"run{i}")
    assert len(list((tmp_path / "features").glob("*.f32"))) == 4  # all but that of another seed


@pytest.mark.parametrize("file", ["as it was", "changed"])
def test_a_killed_run_resumes_to_the_unbroken_runs_numbers(
    frozen: Compose, weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """Also where the file that the tower came from is another by then: the checkpoint holds the tower."""
    unbroken = _run(frozen(*STILL), tmp_path / "unbroken")
    original = TaggerModule.training_step

    def killed(self: TaggerModule, batch: Any, batch_idx: int) -> Any:
        if self.global_step == 3:
            raise KilledError
        return original(self, batch, batch_idx)

    with monkeypatch.context() as patch:
        patch.setattr(TaggerModule, "training_step", killed)
        with pytest.raises(KilledError):
            _run(frozen(*STILL), tmp_path / "killed")
    if file == "changed":
        _save_network(weights, 2)
    assert _run(frozen(*STILL), tmp_path / "killed", resume=True) == unbroken


def test_each_picture_and_each_title_is_computed_once(compose: Compose) -> None:
    items = load_data(compose("model=image_text")).items
    rows, row = distinct("image", items)
    shown = items.pictures.row
    assert len(set(shown[rows])) == len(rows) == len(set(shown) - {NO_ROW}) < len(shown)
    assert np.array_equal(row == NO_ROW, shown == NO_ROW)
    assert np.array_equal(shown[rows][row[row != NO_ROW]], shown[shown != NO_ROW])
    rows, row = distinct("text", items)
    lengths = items.titles.tokens.lengths
    assert (np.diff(lengths[rows]) >= 0).all()
    assert np.array_equal(row == NO_ROW, lengths == 0)
    assert np.array_equal(rows[row[row != NO_ROW]], np.flatnonzero(lengths > 0))
