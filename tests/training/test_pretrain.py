"""A pretraining run learns from training pairs alone, resumes as others do, and what it leaves starts other runs."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from fashionmt.config import TrainConfig
from fashionmt.errors import UserError
from fashionmt.hydra_bridge import to_yaml
from fashionmt.inference import Item, load_bundle
from fashionmt.model import read_towers
from fashionmt.training.contrastive import ContrastModule
from fashionmt.training.loading import load_data
from fashionmt.training.pretrain import only_pairs, run_pretraining
from fashionmt.training.run import build_module, run_training
from fashionmt.training.run_folder import RunFolder
from tests.conftest import OF_LIGHTNING

pytestmark = [
    *OF_LIGHTNING,
    pytest.mark.filterwarnings("ignore:.*TensorBoard.*"),
    pytest.mark.filterwarnings("ignore:Found .* in eval mode at the start of training"),
]

SIZES = ("limit_items=300", "optim.batch_size=32")
PICTURES = "model.image.name=squeezenet1_1"
"""Without batch normalisation, whose running statistics need more steps than these runs have."""
PRETRAIN = ("experiment=pretrain_clip", "data=sample", PICTURES, "model.text.hidden_size=32", *SIZES)
Compose = Callable[..., TrainConfig]


@pytest.fixture(autouse=True)
def _no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes longer than the runs."""
    monkeypatch.setattr("fashionmt.training.report_content.show_results", lambda *_: None)


class KilledError(Exception):
    """What stands for a kill inside one process."""


def _pretrain(config: TrainConfig, root: Path, loggers: Any = (), resume: bool = False) -> RunFolder:
    folder = RunFolder(root)
    if not resume:
        folder.claim(to_yaml(config))
    run_pretraining(config, folder, loggers, resume)
    return folder


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunFolder]:
    """The finished run that the tests share; made by the first of them."""
    return {}


@pytest.fixture
def run(pretrained: dict[str, RunFolder], compose: Compose, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A finished run of four epochs."""
    if not pretrained:
        from pytorch_lightning.loggers import CSVLogger

        root = tmp_path_factory.mktemp("pretrained")
        config = compose(*PRETRAIN, "trainer.max_epochs=4")
        pretrained["run"] = _pretrain(config, root / "run", [CSVLogger(root / "run", "logs")])
    return pretrained["run"]


def test_it_lowers_the_validation_loss_and_tells_the_recall_of_the_best_epoch(run: RunFolder) -> None:
    logged = pd.read_csv(run.root / "logs/version_0/metrics.csv")
    losses, recalls = (logged[name].dropna().tolist() for name in ("val/loss", "val/recall_at_10"))
    assert len(losses) == len(recalls) == 4
    assert losses[-1] < losses[0]
    found = json.loads(run.metrics.read_text())["validation"]
    assert found["recall_at_10"] == pytest.approx(max(recalls), abs=0.03)  # other batches: the last digits differ
    assert found["recall_at_1"] <= found["recall_at_10"]
    assert found["titles"] <= found["pairs"]


def test_it_learned_from_the_training_pairs_of_the_split_alone(run: RunFolder, compose: Compose) -> None:
    data = load_data(compose(*SIZES))
    pairs = only_pairs(data)
    split = pd.read_csv(run.split, dtype=str).set_index("id")["split"]
    towers = read_towers(run.towers)
    assert towers is not None
    assert towers.ids == {data.ids[row] for row in pairs.split.train}
    assert set(split[sorted(towers.ids)]) == {"train"}
    assert len(towers.ids) < (split == "train").sum()  # some lack a picture or a title
    batch = pairs.items.gather(np.concatenate(list(pairs.split.parts().values())))
    assert bool((batch.has_image & batch.has_title).all())


def test_both_uses_begin_with_its_weights_and_vocabulary(run: RunFolder, compose: Compose) -> None:
    state = load_file(run.towers / "image.safetensors")
    own = ("model=clip", f"model.clip.source={run.towers}")
    first = (
        PICTURES,
        f"model.image.weights={run.towers}/image.safetensors",
        f"model.text.pretrained={run.towers}/text",
    )
    vocabularies = []
    for overrides, prefix in ((own, "image.encoder.tower.network."), (first, "image.network.")):
        config = compose(*overrides, *SIZES[:1])
        data = load_data(config)
        tagger = build_module(config, data).tagger
        begun = {name.removeprefix(prefix): v for name, v in tagger.state_dict().items() if name.startswith(prefix)}
        assert begun.keys() == state.keys()
        assert all(torch.equal(begun[name], value) for name, value in state.items())
        assert data.titles.tokenizer is not None
        vocabularies.append(data.titles.tokenizer.get_vocab())
    stored = json.loads((run.towers / "text/tokenizer.json").read_text())["model"]["vocab"]
    assert vocabularies == [stored, stored]


def test_a_tagger_trains_on_its_frozen_towers_and_tags(run: RunFolder, compose: Compose, tmp_path: Path) -> None:
    config = compose("model=clip", f"model.clip.source={run.towers}", *SIZES[:1], "trainer.max_epochs=1")
    folder = RunFolder(tmp_path / "run")
    folder.claim(to_yaml(config))
    run_training(config, folder, [], resume=False)
    kept, trained = load_file(folder.bundle / "model.safetensors"), load_file(run.towers / "projections.safetensors")
    assert torch.equal(kept["image.encoder.projection.weight"], trained["image.weight"])
    tags = load_bundle(folder.bundle).tag([Item("1", "Red shirt"), Item("2", None)])
    assert tags[0].inputs == ("text",)
    assert tags[1].problem is not None


@pytest.mark.parametrize("use", ["clip", "image", "text"])
def test_a_run_that_would_be_judged_by_rows_they_saw_is_refused(use: str, run: RunFolder, compose: Compose) -> None:
    overrides = {
        "clip": ("model=clip", f"model.clip.source={run.towers}"),
        "image": (
            PICTURES,
            f"model.image.weights={run.towers}/image.safetensors",
        ),
        "text": (f"model.text.pretrained={run.towers}/text",),
    }[use]
    with pytest.raises(UserError, match=r"pretrained on \d+ of the \d+ rows that this run would be judged by"):
        load_data(compose(*overrides, "limit_items=300", "data.split.seed=1", "data.name=another"))


def test_a_killed_run_resumes_to_the_unbroken_runs_towers(
    compose: Compose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = compose(
        *PRETRAIN, "limit_items=120", "trainer.max_epochs=2", "optim.ema=0.9", "trainer.checkpoint_seconds=0"
    )
    unbroken = _pretrain(config, tmp_path / "unbroken")
    original = ContrastModule.training_step

    def killed(self: ContrastModule, batch: Any, batch_idx: int) -> Tensor:
        if self.global_step == 3:
            raise KilledError
        return original(self, batch, batch_idx)

    monkeypatch.setattr(ContrastModule, "training_step", killed)
    with pytest.raises(KilledError):
        _pretrain(config, tmp_path / "killed")
    monkeypatch.setattr(ContrastModule, "training_step", original)
    resumed = _pretrain(config, tmp_path / "killed", resume=True)
    for name in ("image.safetensors", "text/model.safetensors", "projections.safetensors"):
        assert (resumed.towers / name).read_bytes() == (unbroken.towers / name).read_bytes()
    with pytest.raises(UserError, match=r"has ended. Its towers are in"):
        resumed.check_resumable()


def test_pairs_that_cannot_be_told_apart_are_refused(compose: Compose, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load_data(compose(*SIZES))
    titles = data.items.titles
    same = replace(titles, tokens=replace(titles.tokens, ids=np.full_like(titles.tokens.ids, 5)))
    data = replace(data, items=replace(data.items, titles=same))
    with pytest.raises(UserError, match="fewer than two different titles"):
        only_pairs(data)
