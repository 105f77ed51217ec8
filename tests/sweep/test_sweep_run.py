"""A job's life in its folder. Training is stood in for: tests/sweep/test_sweep_command.py trains."""

import errno
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import torch
from filelock import FileLock
from omegaconf import MissingMandatoryValue

from fashionmt.config import SweepConfig, TrainConfig
from fashionmt.errors import DivergedError, ExitCode, ResourceError, UserError
from fashionmt.sweep import run as sweep_run
from fashionmt.sweep.conclude import conclude, print_jobs
from fashionmt.sweep.job import JobFolder, JobRecord, jobs_in
from fashionmt.sweep.outcome import Outcome, State
from fashionmt.sweep.run import run_job
from fashionmt.training.run_folder import RunFolder
from fashionmt.training.tracking import PrunedError

Watch = Callable[[int, Mapping[str, float]], None]
Compose = Callable[..., TrainConfig]
SCORE = "val/accuracy/mean"


class Trainer:
    """Stands in for training: an epoch a call of `watch`, the log, the metrics; fails as it is told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, bool]] = []
        """Seed and whether resumed, of each."""
        self.fails: dict[int, BaseException] = {}
        """Seed -> what is raised after the first epoch."""

    def __call__(
        self, config: TrainConfig, folder: RunFolder, loggers: Any, resume: bool, data: Any, watch: Watch
    ) -> dict[str, Any]:
        self.calls.append((config.seed, resume))
        folder.checkpoints.mkdir(exist_ok=True)
        folder.resume_checkpoint.touch()
        rows = [{"epoch": epoch, SCORE: config.seed / 10 + epoch / 100} for epoch in range(2)]
        for epoch, row in enumerate(rows):
            watch(epoch, {SCORE: row[SCORE]})
            if epoch == 0 and (error := self.fails.get(config.seed)) is not None:
                raise error
        (folder.root / "logs" / "version_0").mkdir(parents=True, exist_ok=True)
        pd.DataFrame(rows).to_csv(folder.root / "logs" / "version_0" / "metrics.csv")
        folder.resume_checkpoint.unlink()
        folder.metrics.write_text("{}")
        return {}


class Sweep:
    """Runs jobs that differ by their seed."""

    def __init__(self, folder: Path, compose: Compose) -> None:
        self.folder, self.compose = folder, compose

    def run(self, seed: int, command: str = "first", fail_fast: bool = False, **changes: Any) -> Outcome:
        sweep = SweepConfig(name="s", folder=str(self.folder), **{"maximize": [{SCORE: 1.0}], **changes})

        def composed() -> TrainConfig:
            config = self.compose(f"seed={seed}")
            config.sweep = sweep
            return config

        return run_job(composed, sweep, fail_fast, [f"seed={seed}"], command)

    def states(self) -> dict[str, State]:
        return {record.overrides[0]: record.state for _, record in jobs_in(self.folder / "s")}


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    made = Trainer()
    monkeypatch.setattr(sweep_run, "run_training", made)
    monkeypatch.setattr(sweep_run, "_load", lambda config: SimpleNamespace(fingerprint="same"))
    monkeypatch.setattr(sweep_run, "build_loggers", lambda *_: [])
    return made


@pytest.fixture
def sweep(tmp_path: Path, compose: Compose, trainer: Trainer) -> Sweep:
    return Sweep(tmp_path, compose)


def test_a_job_is_done_once_whichever_command_asks(sweep: Sweep, trainer: Trainer) -> None:
    assert sweep.run(3) == Outcome(State.DONE, (pytest.approx(0.31),))
    assert sweep.run(3, "second") == Outcome(State.DONE, (pytest.approx(0.31),))
    assert sweep.run(4, "second").values == (pytest.approx(0.41),)
    assert trainer.calls == [(3, False), (4, False)]
    assert conclude(sweep.folder / "s", "second") == (ExitCode.DONE, None)


def test_a_killed_job_goes_on_from_its_checkpoint_with_the_config_it_began_with(
    sweep: Sweep, trainer: Trainer, compose: Compose
) -> None:
    trainer.fails[1] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        sweep.run(1)
    assert sweep.states() == {"seed=1": State.RUNNING}
    (job, record), *_ = jobs_in(sweep.folder / "s")
    assert (record.epochs, record.attempts) == (1, 1)
    trainer.fails.clear()
    assert sweep.run(1).state == State.DONE
    assert trainer.calls == [(1, False), (1, True)]
    assert (job.read() or record).attempts == 2


def test_a_job_killed_before_its_first_checkpoint_begins_again(sweep: Sweep, trainer: Trainer) -> None:
    trainer.fails[1] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        sweep.run(1)
    job = jobs_in(sweep.folder / "s")[0][0]
    job.run.resume_checkpoint.unlink()
    trainer.fails.clear()
    assert sweep.run(1).state == State.DONE
    assert trainer.calls == [(1, False), (1, False)]


class KilledError(BaseException):
    """What stands for a kill inside one process."""


def is_ended_by(
    error: type[BaseException], times: int, sweep: Sweep, train: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Job 1 is begun so many times, and each time ended so."""
    monkeypatch.setattr(sweep_run, "run_training", train)
    for _ in range(times):
        with pytest.raises(error):
            sweep.run(1)


@pytest.mark.parametrize("begun", [False, True])
def test_a_job_that_is_killed_again_and_again_and_comes_no_further_does_not_stop_the_sweep_for_ever(
    sweep: Sweep, trainer: Trainer, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    def killed(config: TrainConfig, folder: RunFolder, *_: Any) -> None:
        if begun and not folder.resume_checkpoint.is_file():  # by the first attempt, which came so far
            folder.checkpoints.mkdir()
            folder.resume_checkpoint.touch()
        raise KilledError

    is_ended_by(KilledError, 4 if begun else 3, sweep, killed, monkeypatch)
    assert sweep.run(1).state == State.FAILED
    assert "out of memory (most likely: killed 3 times in a row" in (jobs_in(sweep.folder / "s")[0][1].reason or "")
    monkeypatch.setattr(sweep_run, "run_training", trainer)
    assert sweep.run(1, retry=True).state == State.DONE


def test_a_job_that_is_killed_in_a_long_epoch_and_comes_further_each_time_is_no_lost_one(
    sweep: Sweep, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = 0

    def killed(config: TrainConfig, folder: RunFolder, *_: Any) -> None:
        nonlocal written
        written += 1
        folder.checkpoints.mkdir(exist_ok=True)
        folder.resume_checkpoint.touch()
        os.utime(folder.resume_checkpoint, (written, written))
        raise KilledError

    is_ended_by(KilledError, 6, sweep, killed, monkeypatch)
    monkeypatch.setattr(sweep_run, "run_training", trainer)
    assert sweep.run(1).state == State.DONE


def test_a_job_that_is_stopped_by_its_user_may_be_stopped_again(
    sweep: Sweep, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    is_ended_by(KeyboardInterrupt, 5, sweep, stopped, monkeypatch)
    monkeypatch.setattr(sweep_run, "run_training", trainer)
    assert sweep.run(1).state == State.DONE


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (UserError("trainer", "no GPU", "Use the CPU"), ExitCode.USER_ERROR, "trainer: no GPU. Use the CPU."),
        (torch.OutOfMemoryError("CUDA: 3 GiB"), ExitCode.RESOURCES, "out of memory (CUDA: 3 GiB). Lower"),
        (MemoryError(), ExitCode.RESOURCES, "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), ExitCode.RESOURCES, "out of memory"),
        (OSError(errno.ENOSPC, "No space", "a.ckpt"), ExitCode.RESOURCES, "no disk space left for a.ckpt. Free some"),
        (ResourceError("cache", "is full", "Free some"), ExitCode.RESOURCES, "cache: is full. Free some."),
        (MissingMandatoryValue("Missing: data.name"), ExitCode.USER_ERROR, "MissingMandatoryValue: Missing: data.name"),
        (RuntimeError("shapes\ndiffer"), ExitCode.OUR_FAULT, "RuntimeError: shapes differ"),
    ],
)
def test_a_failure_is_recorded_and_the_others_go_on(
    sweep: Sweep, trainer: Trainer, error: Exception, code: ExitCode, reason: str
) -> None:
    trainer.fails[1] = error
    assert sweep.run(1) == Outcome(State.FAILED, ())
    assert sweep.run(2).state == State.DONE
    assert sweep.states() == {"seed=1": State.FAILED, "seed=2": State.DONE}
    ended, line = conclude(sweep.folder / "s", "first")
    assert ended == code
    assert line is not None
    assert f"1 job has failed of 2. {job_of(sweep, 'seed=1').id} (seed=1): {reason}" in line
    assert job_of(sweep, "seed=1").traceback.is_file() == (code == ExitCode.OUR_FAULT)


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([MemoryError(), UserError("trainer", "no GPU", "Use the CPU")], ExitCode.USER_ERROR),
        ([MemoryError(), ZeroDivisionError()], ExitCode.OUR_FAULT),
    ],
)
def test_of_several_failures_the_one_that_a_larger_machine_does_not_repair_counts(
    sweep: Sweep, trainer: Trainer, errors: list[BaseException], code: ExitCode
) -> None:
    trainer.fails |= dict(enumerate(errors))
    for seed in range(len(errors)):
        sweep.run(seed)
    assert conclude(sweep.folder / "s", "first")[0] == code


def test_a_failed_job_is_tried_again_when_asked(sweep: Sweep, trainer: Trainer) -> None:
    trainer.fails[1] = MemoryError()
    sweep.run(1)
    trainer.fails.clear()
    assert sweep.run(1, "second").state == State.FAILED
    assert conclude(sweep.folder / "s", "second")[0] == ExitCode.RESOURCES
    assert sweep.run(1, "third", retry=True).state == State.DONE
    assert trainer.calls == [(1, False), (1, True)]


def test_a_diverged_job_is_not_gone_on_with(sweep: Sweep, trainer: Trainer) -> None:
    trainer.fails[1] = DivergedError(20)
    sweep.run(1)
    trainer.fails.clear()
    assert sweep.run(1, retry=True).state == State.DONE
    assert trainer.calls == [(1, False), (1, False)]


def test_fail_fast_begins_no_job_after_a_failure_of_its_command(sweep: Sweep, trainer: Trainer) -> None:
    trainer.fails[1] = MemoryError()
    sweep.run(1, "other")
    assert sweep.run(2, fail_fast=True).state == State.DONE
    sweep.run(1, fail_fast=True)
    assert sweep.run(3, fail_fast=True) == Outcome(None, ())
    assert trainer.calls == [(1, False), (2, False)]


def test_a_job_that_another_process_is_at_is_left_to_it(sweep: Sweep, trainer: Trainer) -> None:
    sweep.run(1)
    job = job_of(sweep, "seed=1")
    with FileLock(job.lock):
        assert sweep.run(1) == Outcome(None, ())


def test_a_pruned_job_is_done_and_keeps_what_it_had(sweep: Sweep, trainer: Trainer) -> None:
    trainer.fails[1] = PrunedError("epoch 1")
    assert sweep.run(1) == Outcome(State.PRUNED, (pytest.approx(0.1),))
    assert sweep.run(1).state == State.PRUNED
    assert len(trainer.calls) == 1


def test_settings_that_contradict_each_other_fail_their_job_alone(sweep: Sweep) -> None:
    def composed() -> TrainConfig:
        raise UserError("loss.cap=-1", "out of range", "Use more")

    config = SweepConfig(name="s", folder=str(sweep.folder))
    assert run_job(composed, config, False, ["loss.cap=-1"], "first").state == State.FAILED
    code, line = conclude(sweep.folder / "s", "first")
    assert code == ExitCode.USER_ERROR
    assert "loss.cap=-1: out of range. Use more" in (line or "")


def test_an_objective_that_is_not_logged_fails_at_the_first_epoch(sweep: Sweep, trainer: Trainer) -> None:
    assert sweep.run(1, maximize=[{"val/acuracy/mean": 1.0}]).state == State.FAILED
    assert "Did you mean val/accuracy/mean" in (jobs_in(sweep.folder / "s")[0][1].reason or "")
    assert trainer.calls == [(1, False)]


def test_a_done_job_that_a_misspelt_objective_cannot_rank_stays_done_with_the_values_it_had(
    sweep: Sweep, trainer: Trainer
) -> None:
    for seed in (1, 2):
        sweep.run(seed)
    before = record_of(sweep, "seed=1").values
    for seed in (1, 2):
        assert sweep.run(seed, "second", maximize=[{"val/acuracy/mean": 1.0}]) == Outcome(State.FAILED, ())
    code, line = conclude(sweep.folder / "s", "second")
    assert code == ExitCode.USER_ERROR
    assert "2 of 2 are done, but cannot be ranked anew: sweep.maximize: val/acuracy/mean: no such" in (line or "")
    assert (line or "").endswith("Did you mean val/accuracy/mean.")
    assert sweep.states() == {"seed=1": State.DONE, "seed=2": State.DONE}
    assert record_of(sweep, "seed=1").values == before
    assert sweep.run(1, "third") == Outcome(State.DONE, tuple(before))
    assert conclude(sweep.folder / "s", "third") == (ExitCode.DONE, None)
    assert len(trainer.calls) == 2


def test_the_table_ranks_tells_apart_and_knows_the_killed(
    sweep: Sweep, trainer: Trainer, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer.fails |= {2: KeyboardInterrupt(), 5: MemoryError()}
    for seed in (1, 3, 5):
        sweep.run(seed)
    with pytest.raises(KeyboardInterrupt):
        sweep.run(2)
    capsys.readouterr()
    print_jobs(sweep.folder / "s")
    rows = [line for line in capsys.readouterr().out.splitlines() if "seed=" in line]
    assert [next(word for word in row.split() if "seed=" in word) for row in rows] == [
        f"seed={seed}" for seed in (3, 1, 2, 5)
    ]
    assert [word for row in rows for word in ("done", "interrupted", "failed") if word in row] == [
        "done",
        "done",
        "interrupted",
        "failed",
    ]


def test_a_failure_is_told_though_nobody_reads_the_table(
    sweep: Sweep, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any) -> None:
        raise BrokenPipeError

    trainer.fails[1] = MemoryError()
    sweep.run(1)
    sweep.run(2, "second")
    monkeypatch.setattr("rich.console.Console._write_buffer", gone)
    code, line = conclude(sweep.folder / "s", "first")
    assert code == ExitCode.RESOURCES
    assert "1 job has failed of 1" in (line or "")
    with pytest.raises(BrokenPipeError):
        conclude(sweep.folder / "s", "second")


def test_a_folder_without_jobs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no jobs"):
        print_jobs(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        print_jobs(tmp_path / "typo")


def job_of(sweep: Sweep, override: str) -> JobFolder:
    return next(job for job, record in jobs_in(sweep.folder / "s") if record.overrides == [override])


def record_of(sweep: Sweep, override: str) -> JobRecord:
    return next(record for _, record in jobs_in(sweep.folder / "s") if record.overrides == [override])
