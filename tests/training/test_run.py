"""Whole runs: resumed like unbroken, evaluated like reloaded, never written over."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from fashionmt.bundle import read_bundle
from fashionmt.config import TrainConfig
from fashionmt.errors import UserError
from fashionmt.hydra_bridge import from_yaml, to_yaml
from fashionmt.inference import Item, load_bundle
from fashionmt.training.loading import load_data
from fashionmt.training.module import TaggerModule
from fashionmt.training.run import run_training
from fashionmt.training.run_folder import RunFolder
from tests.conftest import OF_LIGHTNING, SMALL, TOP

pytestmark = [
    *OF_LIGHTNING,
    pytest.mark.filterwarnings("ignore:.*TensorBoard.*"),
]


class KilledError(Exception):
    """What stands for a kill inside one process."""


def run(config: TrainConfig, root: Path, resume: bool = False) -> dict[str, Any]:
    folder = RunFolder(root)
    if not resume:
        folder.claim(to_yaml(config))
    return run_training(config, folder, [], resume)


@pytest.fixture(autouse=True)
def _no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the runs in this process: it takes longer than they do. The finished run that the tests share writes one."""
    monkeypatch.setattr("fashionmt.training.report_content.show_results", lambda *_: None)


@pytest.fixture
def small(compose: Callable[..., TrainConfig]) -> TrainConfig:
    return compose("model=text_only", "trainer.max_epochs=2", "trainer.checkpoint_seconds=0", "limit_items=400")


@pytest.mark.parametrize("step", [0, 1, 2, 3, 4, 5])
def test_a_killed_run_resumes_to_the_unbroken_runs_numbers(
    small: TrainConfig, step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unbroken = run(small, tmp_path / "unbroken")
    original = TaggerModule.training_step

    def killed(self: TaggerModule, batch: Any, batch_idx: int) -> Any:
        if self.global_step == step:
            raise KilledError
        return original(self, batch, batch_idx)

    monkeypatch.setattr(TaggerModule, "training_step", killed)
    with pytest.raises(KilledError):
        run(small, tmp_path / "killed")
    monkeypatch.setattr(TaggerModule, "training_step", original)
    resumed = run(small, tmp_path / "killed", resume=True)
    assert resumed == unbroken
    whole, torn = (load_file(tmp_path / name / "bundle/model.safetensors") for name in ("unbroken", "killed"))
    assert all(torch.equal(whole[name], torn[name]) for name in whole)


@pytest.mark.parametrize("seconds", ["0", "60"], ids=["checkpoint", "no checkpoint"])
def test_a_run_that_is_interrupted_while_its_report_is_drawn_goes_on_to_it(
    compose: Callable[..., TrainConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    size = "model=text_only", "trainer.max_epochs=2", "limit_items=400"
    folder = RunFolder(tmp_path)
    drawn: list[bool] = []

    def interrupted(*_: Any) -> None:
        drawn.append(folder.bundle.is_dir())
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("fashionmt.training.report_content.show_results", interrupted)
        with pytest.raises(KeyboardInterrupt):
            run(compose(*size, f"trainer.checkpoint_seconds={seconds}"), folder.root)
    folder.check_resumable()
    monkeypatch.setattr("fashionmt.training.report_content.show_results", lambda *_: drawn.append(True))
    run(from_yaml(folder.config), folder.root, resume=True)
    assert drawn == [True, True]
    assert json.loads(folder.metrics.read_text())["resumed"]
    with pytest.raises(UserError, match="this run has ended"):
        folder.check_resumable()


@pytest.mark.slow
def test_a_run_killed_by_the_system_in_mid_epoch_resumes_to_the_unbroken_runs_metrics(
    tmp_path: Path, cache: Path
) -> None:
    command = [sys.executable, str(TOP / "train.py"), *SMALL, "trainer.max_epochs=3", "trainer.checkpoint_seconds=0.5"]
    environment = os.environ | {"FASHIONMT_CACHE": str(cache)}
    unbroken = subprocess.run([*command, "hydra.run.dir=a"], cwd=tmp_path, env=environment, timeout=300)
    assert unbroken.returncode == 0
    process = subprocess.Popen([*command, "hydra.run.dir=b"], cwd=tmp_path, env=environment)
    checkpoint, best = tmp_path / "b/checkpoints/resume.ckpt", tmp_path / "b/checkpoints"
    for _ in range(2400):  # until a checkpoint of the second epoch
        if checkpoint.is_file() and any(best.glob("epoch000*")):
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert not (tmp_path / "b/metrics.json").exists(), "it ended before it could be killed"
    resumed = subprocess.run(
        [sys.executable, str(TOP / "train.py"), "resume=b"], cwd=tmp_path, env=environment, timeout=300
    )
    assert resumed.returncode == 0
    a, b = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in "ab")
    assert (a.pop("resumed"), b.pop("resumed")) == (False, True)
    del a["seconds"], b["seconds"]
    assert a == b


def test_a_resumed_run_refuses_a_changed_catalogue_and_another_split(small: TrainConfig, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    run(small, folder.root)
    folder.metrics.unlink()
    report = json.loads(folder.data_report.read_text())
    folder.data_report.write_text(json.dumps(report | {"fingerprint": "other"}))
    with pytest.raises(UserError, match="the catalogue has changed"):
        run(small, folder.root, resume=True)
    folder.data_report.write_text(json.dumps(report))
    folder.split.write_text(folder.split.read_text().replace(",test", ",train", 1))
    with pytest.raises(UserError, match="this one splits them otherwise"):
        run(small, folder.root, resume=True)


def test_a_checkpoint_of_another_version_is_named(
    small: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: TaggerModule, batch: Any, batch_idx: int) -> Any:
        raise KilledError

    folder = RunFolder(tmp_path / "run")
    with monkeypatch.context() as patched:
        patched.setattr(TaggerModule, "validation_step", killed)
        with pytest.raises(KilledError):
            run(small, folder.root)
    kept = torch.load(folder.resume_checkpoint, weights_only=True)
    kept["state_dict"]["a.part.that.is.no.more"] = torch.zeros(1)
    torch.save(kept, folder.resume_checkpoint)
    with pytest.raises(UserError, match=r"resume\.ckpt: its tensors are not those of this version"):
        run(small, folder.root, resume=True)


def test_train_reload_and_evaluate_agree(trained: Path) -> None:
    config = from_yaml(trained / "config.yaml")
    data = load_data(config)
    metrics = json.loads((trained / "metrics.json").read_text())
    assert pd.read_csv(trained / "split.csv", dtype=str)["id"].tolist() == list(data.ids)
    answers = tag_test_items(trained, config)
    truth = {name: data.items.labels[name][data.split.test] for name in data.spaces}
    for name, space in data.spaces.items():
        labelled = truth[name] >= 0
        right = [
            space.index[answers[data.ids[row]][name]] == label
            for row, label, keep in zip(data.split.test, truth[name], labelled, strict=True)
            if keep
        ]
        assert sum(right) / len(right) == pytest.approx(metrics["attributes"][name]["accuracy"], abs=1e-6)


def tag_test_items(trained: Path, config: TrainConfig) -> dict[str, dict[str, str]]:
    from fashionmt.data.catalogue import CatalogueFiles
    from fashionmt.data.stored_catalogue import read_catalogue
    from fashionmt.paths import cache_dir

    catalogue, _ = read_catalogue(CatalogueFiles.locate(config.data), config.data, cache_dir())
    engine = load_bundle(trained / "bundle")
    tagged = engine.tag([Item(row.id, row.title, row.picture) for row in catalogue.rows()])
    return {tags.id: {name: tag.value for name, tag in tags.tags.items()} for tags in tagged}


def test_a_run_writes_what_the_readme_says(trained: Path) -> None:
    found = {path.name for path in trained.iterdir()}
    written = {"config.yaml", "data_report.json", "label_suspects.csv", "metrics.json", "report.html", "split.csv"}
    assert found == written | {"bundle", "checkpoints", "logs"}
    assert {path.name for path in (trained / "bundle").iterdir()} == {
        "README.md",
        "bundle.json",
        "model.safetensors",
        "similarity.safetensors",
        "tokenizer.json",
    }
    assert not (trained / "checkpoints/resume.ckpt").exists()


def test_a_bundle_may_go_without_a_similarity_head(small: TrainConfig, tmp_path: Path) -> None:
    small.similarity = None
    run(small, tmp_path / "run")
    assert read_bundle(tmp_path / "run/bundle").similarity is None


def test_every_tasks_loss_term_is_logged_by_name(trained: Path) -> None:
    logged = pd.read_csv(trained / "logs/version_0/metrics.csv")
    attributes = json.loads((trained / "metrics.json").read_text())["attributes"]
    for name in attributes:
        for stage in ("train", "val"):
            terms = logged[f"{stage}/loss/{name}"].dropna()
            assert len(terms) == 3
            assert (terms > 0).all()
    total = sum(logged[f"val/loss/{name}"].dropna().to_numpy() for name in attributes)
    assert logged["val/loss"].dropna().to_numpy() == pytest.approx(total, rel=1e-4)


def test_the_kept_config_composes_to_the_same_run(trained: Path) -> None:
    config = from_yaml(trained / "config.yaml")
    assert to_yaml(config) == (trained / "config.yaml").read_text()


def test_a_run_is_never_written_over(small: TrainConfig, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.claim(to_yaml(small))
    with pytest.raises(UserError, match="already holds a run"):
        folder.claim(to_yaml(small))
