"""The module trains what the config says: balancers and the average survive a kill, and what is kept is what was
scored."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from tiny import random_batch, tiny_config, tiny_dataset, tiny_spaces, tiny_tagger
from torch import Tensor

from fashionmt.attributes import MISSING
from fashionmt.config import (
    AttributeConfig,
    DataConfig,
    LossConfig,
    ModelConfig,
    OptimConfig,
    TextTowerConfig,
    TrainConfig,
)
from fashionmt.config import TrainerConfig as Trainer
from fashionmt.data import CatalogueDataset
from fashionmt.training.balancing import LEARNING_RATE
from fashionmt.training.datamodule import EpochBatchSampler, ResumableLoader
from fashionmt.training.fitting import build_trainer, fit
from fashionmt.training.loss import build_loss
from fashionmt.training.module import MONITOR, TaggerModule
from fashionmt.training.ordered_batches import evaluation_loader
from fashionmt.training.run_folder import RunFolder

pytestmark = [
    # Of Lightning and torch themselves.
    pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec.*"),
    pytest.mark.filterwarnings("ignore:The '.*_dataloader' does not have many workers"),
    pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty"),
    pytest.mark.filterwarnings("ignore:.*TensorBoard.*"),
]

ITEMS = 40
CLASSES = {"row": ITEMS, "colour": 4}
CASES = {
    "uncertainty": (LossConfig(balancing="uncertainty"), OptimConfig(batch_size=8)),
    "famo": (LossConfig(balancing="famo"), OptimConfig(batch_size=8)),
    "random": (LossConfig(balancing="random"), OptimConfig(batch_size=8)),
    "ema": (LossConfig(), OptimConfig(batch_size=8, ema=0.9)),
    "famo and ema": (LossConfig(balancing="famo"), OptimConfig(batch_size=8, ema=0.9)),
}


class TinyData(pl.LightningDataModule):
    """Five batches of eight items; validation is the same items."""

    def batches_per_epoch(self) -> int:
        return 5

    def train_dataloader(self) -> Any:
        return ResumableLoader(tiny_dataset(ITEMS), EpochBatchSampler(ITEMS, 8, 0))

    def val_dataloader(self) -> Any:
        return evaluation_loader(tiny_dataset(ITEMS), 16)


class KilledError(Exception):
    """What stands for a kill inside one process."""


class Killer(pl.Callback):
    """Ends the run before a step."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            raise KilledError


class Collector(pl.Callback):
    """What is logged at each step, and the tagger of each validation."""

    def __init__(self) -> None:
        self.logged: list[dict[str, float]] = []
        self.scored: list[tuple[dict[str, Tensor], float]] = []

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        self.logged.append({name: value.item() for name, value in trainer.callback_metrics.items()})

    def on_validation_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        self.state = {name: value.clone() for name, value in module.tagger.state_dict().items()}

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self.scored.append((self.state, float(trainer.callback_metrics[MONITOR])))


def _module(loss: LossConfig, optim: OptimConfig) -> TaggerModule:
    draw = torch.arange(1, ITEMS + 1).numpy()
    counts = {name: draw[:size] for name, size in CLASSES.items()}
    text = TextTowerConfig(hidden_size=16, layers=1, heads=2, max_tokens=12, dropout=0.3)
    tagger = tiny_tagger(replace(tiny_config(image=False), text=text), CLASSES).train()
    return TaggerModule(tagger, build_loss(counts, {"row": 1.0, "colour": 0.5}, loss), tiny_spaces(CLASSES), optim, 7)


def _run(
    folder: Path,
    case: tuple[LossConfig, OptimConfig],
    *callbacks: pl.Callback,
    resume: bool = False,
    **options: Any,
) -> tuple[TaggerModule, str]:
    """Two epochs of five steps. The module as it ends, and the path of the best weights."""
    settings = Trainer(max_epochs=2, accelerator="cpu", precision="32-true", **{"checkpoint_seconds": 0.0, **options})
    config = TrainConfig(
        data=DataConfig(attributes={"row": AttributeConfig()}),
        model=ModelConfig(text=tiny_config().text),
        trainer=settings,
    )
    run_folder = RunFolder(folder)
    trainer, best = build_trainer(config, run_folder, [])
    trainer.callbacks[-1:-1] = callbacks
    module = _module(*case)
    fit(trainer, module, TinyData(), run_folder, resume)
    return module, best.best_model_path


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Equal to the bit, optimiser moments included."""
    if one.keys() != other.keys():
        return False
    return all(
        torch.equal(value, other[name])
        if isinstance(value, Tensor)
        else _same(value, other[name])
        if isinstance(value, dict)
        else str(value) == str(other[name])
        for name, value in one.items()
    )


@pytest.mark.parametrize(
    ("case", "step"), [("uncertainty", 7), ("random", 3), ("famo and ema", 3), ("famo and ema", 7)]
)
def test_a_killed_run_resumes_to_the_unbroken_runs_weights(case: str, step: int, tmp_path: Path) -> None:
    unbroken, best = _run(tmp_path / "unbroken", CASES[case])
    with pytest.raises(KilledError):
        _run(tmp_path / "killed", CASES[case], Killer(step))
    assert (tmp_path / "killed/checkpoints/resume.ckpt").is_file()
    resumed, best_resumed = _run(tmp_path / "killed", CASES[case], resume=True)
    assert _same(resumed.state_dict(), unbroken.state_dict())
    kept, kept_resumed = (torch.load(path, weights_only=True)["state_dict"] for path in (best, best_resumed))
    assert _same(kept_resumed, kept)


class Seeds(pl.Callback):
    """What each batch is seeded by."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
        self.seen.append(module._batch_seed)


@pytest.mark.parametrize("batches", [1, 2, 3])
def test_each_batch_has_its_own_draw_where_gradients_accumulate(batches: int, tmp_path: Path) -> None:
    seeds = Seeds()
    _run(tmp_path, CASES["random"], seeds, accumulate_grad_batches=batches)
    assert len(set(seeds.seen)) == 10
    if batches == 1:
        assert seeds.seen == [7 * 1_000_003 + step for step in range(10)]


def test_each_process_has_its_own_draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By torch's generator of the CPU, which reads 32 bits of a seed."""
    draws = []
    for rank in range(3):
        monkeypatch.setattr(TaggerModule, "global_rank", rank)
        seeds = Seeds()
        _run(tmp_path / str(rank), (LossConfig(), OptimConfig(batch_size=8)), seeds)
        draws += [torch.rand(3, generator=torch.Generator().manual_seed(seed)) for seed in seeds.seen]
    assert len({tuple(draw.tolist()) for draw in draws}) == 30


def test_a_killed_run_that_accumulates_gradients_resumes_to_the_same_weights(tmp_path: Path) -> None:
    unbroken, _ = _run(tmp_path / "unbroken", CASES["random"], accumulate_grad_batches=2)
    with pytest.raises(KilledError):
        _run(tmp_path / "killed", CASES["random"], Killer(4), accumulate_grad_batches=2)
    resumed, _ = _run(tmp_path / "killed", CASES["random"], resume=True, accumulate_grad_batches=2)
    assert _same(resumed.state_dict(), unbroken.state_dict())


@pytest.mark.parametrize("case", ["uncertainty", "famo", "random"])
def test_a_balanced_run_logs_the_weight_of_each_task_and_differs_from_a_fixed_one(case: str, tmp_path: Path) -> None:
    collector = Collector()
    module, _ = _run(tmp_path / "balanced", CASES[case], collector)
    weights = [[logged[f"train/task_weight/{name}"] for name in CLASSES] for logged in collector.logged]
    assert len(weights) == 10
    assert all(weight > 0 for step in weights for weight in step)
    assert len({tuple(step) for step in weights}) == 10
    fixed, _ = _run(tmp_path / "fixed", (LossConfig(), CASES[case][1]))
    assert not _same(module.tagger.state_dict(), fixed.tagger.state_dict())


def test_a_fixed_run_logs_no_weights(tmp_path: Path) -> None:
    collector = Collector()
    _run(tmp_path, (LossConfig(), OptimConfig(batch_size=8)), collector)
    assert collector.logged
    assert not [name for name in collector.logged[-1] if "task_weight" in name]


def test_the_epochs_losses_are_the_fixed_sum_whatever_the_balancing(tmp_path: Path) -> None:
    collector = Collector()
    module, _ = _run(tmp_path, CASES["uncertainty"], collector)
    for stage in ("train", "val"):
        logged = {name: float(value) for name, value in module.trainer.callback_metrics.items()}
        total = logged[f"{stage}/loss/row"] + 0.5 * logged[f"{stage}/loss/colour"]
        assert logged[f"{stage}/loss"] == pytest.approx(total, rel=1e-5)


def _validated(batch_size: int, **labels: Tensor) -> dict[str, float]:
    """What validation logs, `labels` in place of the dataset's own."""
    dataset = tiny_dataset(ITEMS)
    items = replace(dataset.items, labels=dataset.items.labels | {name: each.numpy() for name, each in labels.items()})
    torch.manual_seed(0)
    module = _module(LossConfig(class_weights="none"), OptimConfig())
    trainer = pl.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    trainer.validate(module, evaluation_loader(CatalogueDataset(items, np.arange(ITEMS)), batch_size), verbose=False)
    return {name: float(value) for name, value in trainer.callback_metrics.items()}


def test_the_losses_of_validation_do_not_depend_on_the_batches_where_labels_are_few() -> None:
    colour = torch.full((ITEMS,), MISSING)
    colour[[3, 4, 11]] = torch.tensor([0, 1, 2])
    expected = _validated(ITEMS, colour=colour)
    for batch_size in (1, 3, 16):
        found = _validated(batch_size, colour=colour)
        assert found == pytest.approx(expected, rel=1e-4)
        assert found["val/loss"] == pytest.approx(found["val/loss/row"] + 0.5 * found["val/loss/colour"], rel=1e-5)


def test_an_attribute_without_a_validation_label_is_not_logged() -> None:
    found = _validated(16, colour=torch.full((ITEMS,), MISSING))
    assert not [name for name in found if "colour" in name]
    assert found["val/loss"] == pytest.approx(found["val/loss/row"])
    assert found["val/accuracy/mean"] == found["val/accuracy/row"]


def test_what_a_balancer_learns_is_a_group_without_decay(tmp_path: Path) -> None:
    module, _ = _run(tmp_path, CASES["uncertainty"])
    groups = module.trainer.optimizers[0].param_groups
    held = [group for group in groups if any(p is module.loss.balancer.log_variances for p in group["params"])]
    assert [(len(g["params"]), g["initial_lr"], g["weight_decay"]) for g in held] == [(1, LEARNING_RATE, 0.0)]
    assert bool(module.loss.balancer.log_variances.detach().all())


def test_the_look_back_sees_the_same_batch_with_the_same_dropout(tmp_path: Path) -> None:
    """At a learning rate of 0 nothing changes, so every gain is exactly 0 and the logits stay."""
    still = OptimConfig(batch_size=8, learning_rate=0.0, weight_decay=0.0)
    module, _ = _run(tmp_path, (LossConfig(balancing="famo"), still))
    assert module.loss.balancer.logits.tolist() == [0, 0]
    moved, _ = _run(tmp_path / "moved", CASES["famo"])
    assert bool(moved.loss.balancer.logits.all())


def test_famo_looks_back_once_a_step_where_gradients_accumulate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    original = TaggerModule.optimizer_step

    def counted(self: TaggerModule, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        calls.append(int(self.loss.balancer.optimizer.state_dict()["state"][0]["step"]))

    monkeypatch.setattr(TaggerModule, "optimizer_step", counted)
    _run(tmp_path, CASES["famo"], accumulate_grad_batches=2)
    assert calls == [1, 2, 3, 4, 5, 6]


def test_the_kept_weights_are_the_average_that_was_scored(tmp_path: Path) -> None:
    collector = Collector()
    module, best = _run(tmp_path, CASES["ema"], collector)
    scored, _ = max(collector.scored, key=lambda pair: pair[1])
    newest = {name: value.clone() for name, value in module.tagger.state_dict().items()}
    module.load_state_dict(torch.load(best, weights_only=True)["state_dict"])
    assert _same(module.tagger.state_dict(), scored)
    assert not _same(newest, collector.scored[-1][0])


def test_averaging_changes_nothing_of_the_training(tmp_path: Path) -> None:
    plain, _ = _run(tmp_path / "plain", (LossConfig(), OptimConfig(batch_size=8)))
    averaged, _ = _run(tmp_path / "averaged", CASES["ema"])
    assert _same(plain.tagger.state_dict(), averaged.tagger.state_dict())
    assert averaged.average is not None
    assert not _same(averaged.average.module.state_dict(), averaged.tagger.state_dict())


def test_the_average_is_of_the_weights_after_each_step(tmp_path: Path) -> None:
    steps: list[Tensor] = []

    class Weights(pl.Callback):
        def on_train_batch_end(self, trainer: pl.Trainer, module: pl.LightningModule, *_: Any) -> None:
            steps.append(module.tagger.heads.linear["head_colour"].weight.detach().clone())

    module, _ = _run(tmp_path, CASES["ema"], Weights())
    expected = steps[0]
    for count, weight in enumerate(steps[1:], start=1):
        keep = min(0.9, (1 + count) / (10 + count))
        expected = keep * expected + (1 - keep) * weight
    assert module.average is not None
    torch.testing.assert_close(module.average.module.heads.linear["head_colour"].weight, expected)


def test_a_step_without_any_label_is_finite_for_every_balancing() -> None:
    for balancing in ("fixed", "uncertainty", "famo", "random"):
        module = _module(LossConfig(balancing=balancing), OptimConfig())
        batch = random_batch(4, classes=CLASSES)
        batch.labels = {name: torch.full((4,), MISSING) for name in CLASSES}
        total, weights = module.loss.balance(module.loss(module.tagger(batch).logits, batch.labels))
        total.backward()
        assert total.item() == 0
        assert all(bool(weight.isfinite()) for weight in weights.values())
        gradients = [p.grad for p in module.tagger.parameters() if p.grad is not None]
        assert not any(bool(gradient.any()) for gradient in gradients)
