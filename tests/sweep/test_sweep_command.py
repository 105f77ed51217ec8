"""Sweeps as their users meet them: a grid that is killed, fails in one job, and is given again."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from fashionmt.sweep.job import JobFolder, JobRecord, jobs_in
from fashionmt.sweep.outcome import State
from tests.conftest import TOP

SIZE = [
    "model=text_only",
    "model.text.hidden_size=16",
    "model.text.layers=1",
    "model.text.heads=2",
    "model.fusion.size=16",
    "trainer.precision=32-true",
    "trainer.accelerator=cpu",
    "optim.batch_size=8",
    "optim.weight_decay=10",
    "limit_items=150",
    "trainer.max_epochs=2",
    "report=false",
]
KEY = "optim.learning_rate"
RATES = [f"{i}.0e-03" for i in range(1, 12)]
BAD = "100"
"""A rate at which decay alone turns every weight into a thousand times its negative: training diverges at once."""


class Shell:
    """Runs train.py in a folder of its own, without any W&B key."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        hidden = {name: value for name, value in os.environ.items() if not name.startswith("WANDB_")}
        self.environment = hidden | {
            "FASHIONMT_CACHE": str(cache),
            "HOME": str(folder / "home"),
            "XDG_CACHE_HOME": str(folder / "home"),
            "PYTHONPATH": str(TOP),
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, str(TOP / "train.py"), *arguments]
        out, err = (self.folder / name for name in ("out", "err"))
        with out.open("w") as to_out, err.open("w") as to_err:
            pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": to_out, "stderr": to_err}
            return subprocess.Popen(command, cwd=self.folder, env=self.environment, text=True, **pipes)

    def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """What it printed, on stdout and on stderr."""
        returned = self.start(*arguments).wait(timeout=500)
        out, err = ((self.folder / name).read_text() for name in ("out", "err"))
        assert returned == code, err
        assert "Traceback" not in err
        return out, err


@pytest.fixture
def shell(tmp_path: Path, cache: Path) -> Shell:
    return Shell(tmp_path, cache)


def wait_for_a_kill(process: subprocess.Popen[str], sweep: Path, done: int) -> JobFolder:
    """Kill the command when `done` jobs have ended and the next one has a checkpoint; that one."""
    for _ in range(15_000):
        assert process.poll() is None, "the sweep ended before it could be killed"
        if len(list(sweep.glob("*/metrics.json"))) >= done:
            for checkpoint in sweep.glob("*/checkpoints/resume.ckpt"):
                process.send_signal(signal.SIGKILL)
                process.wait(timeout=60)
                return JobFolder(checkpoint.parents[1])
        time.sleep(0.02)
    process.kill()
    raise TimeoutError("no job came to a checkpoint")


@pytest.mark.slow
def test_a_grid_with_a_failure_and_a_kill_comes_out_whole(shell: Shell) -> None:
    rates = ",".join([*RATES[:3], BAD, *RATES[3:]])
    command = ["-m", "sweep=learning_rate", f"{KEY}={rates}", "logger=wandb", "trainer.checkpoint_seconds=0", *SIZE]
    sweep = shell.folder / "runs/sweep/learning_rate"
    killed = wait_for_a_kill(shell.start(*command), sweep, 5)
    before = dict(jobs_in(sweep))
    assert before[killed].state == State.RUNNING
    out, _ = shell.run("sweep_status=runs/sweep/learning_rate")
    assert "interrupted" in next(line for line in out.splitlines() if killed.id in line)

    out, err = shell.run(*command, code=2)
    jobs = dict(jobs_in(sweep))
    assert len(jobs) == 12
    assert sorted(record.state for record in jobs.values()) == ["done"] * 11 + ["failed"]
    failed = next(job for job, record in jobs.items() if record.state == State.FAILED)
    assert "diverged" in (jobs[failed].reason or "")
    assert err.splitlines()[-1].startswith("fashionmt: runs/sweep/learning_rate: 1 job has failed of 12. ")
    assert f"{failed.id} ({KEY}={BAD})" in err.splitlines()[-1]
    assert len([line for line in out.splitlines() if KEY in line and "│" in line]) == 12

    # None was trained twice from the start: but for the killed one, which went on, each was begun once.
    assert {job for job, record in jobs.items() if record.attempts > 1} == {killed}
    ended = {job: json.loads(job.run.metrics.read_text()) for job in jobs if job != failed}
    assert {job for job, metrics in ended.items() if metrics["resumed"]} == {killed}
    assert all(jobs[job] == _same_but_command(before[job], jobs[job]) for job in before if job != killed)
    assert jobs[killed].epochs == 2
    _check_tracked(jobs, killed, failed)
    assert not list((shell.folder / "home").rglob("*staging*")), "what W&B has not sent lies in the run's folder"


def _same_but_command(record: JobRecord, other: JobRecord) -> JobRecord:
    record.command = other.command
    return record


def _check_tracked(jobs: dict[JobFolder, JobRecord], killed: JobFolder, failed: JobFolder) -> None:
    """A W&B run for each job: its state, config and history."""
    ids = set()
    files = {job: sorted(job.root.glob("wandb/offline-run-*/run-*.wandb")) for job in jobs}
    with ThreadPoolExecutor(2) as pool:
        every = [file for found in files.values() for file in found]
        read = dict(zip(every, pool.map(read_wandb, every), strict=True))
    for job, record in jobs.items():
        attempts = [read[file] for file in files[job]]
        assert len(attempts) == (2 if job == killed else 1)
        last = attempts[-1]
        # What W&B had not yet written when it was killed is lost: a second of it, which may be all.
        assert [one["id"] for one in attempts if "id" in one] == [last["id"]] * sum("id" in one for one in attempts)
        ids.add(last["id"])
        assert (last["group"], last["name"].split()[0]) == ("learning_rate", record.overrides[0])
        rate = float(record.overrides[0].split("=")[1])
        assert last["config"]["optim"]["learning_rate"] == rate
        assert last["exit"] == (2 if job == failed else 0)
        if job == failed:
            continue
        steps = [row["_step"] for one in attempts for row in one["history"]]
        assert len(set(steps)) == len(steps), "the attempts' histories can be joined"
        epochs = {row["epoch"]: row for one in attempts for row in one["history"] if "val/loss" in row}
        assert sorted(epochs)[-1] == 1
        assert job == killed or sorted(epochs) == [0, 1]
        assert job.run.read_epochs().index.tolist() == [0, 1]
        assert {"val/loss/gender", "val/accuracy/gender", "val/macro_f1/gender"} <= epochs[1].keys()
        logged = {key for one in attempts for row in one["history"] for key in row}
        assert {"items_per_second", "lr/0", "train/loss/gender", "train/gradient_norm"} <= logged
        shown = {key.partition(".")[0] for key in logged}
        tables = {"worst_mistakes", "embedding", "class_weights", "confusion/gender", "confidence/gender"}
        assert tables <= shown
        assert {"bundle-" + last["id"]} <= last["artifacts"]
    assert len(ids) == 12


def read_wandb(file: Path) -> dict[str, Any]:
    """What an offline run holds, by W&B's own tool."""
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    found: dict[str, Any] = {"config": {}, "history": [], "exit": None, "artifacts": set()}
    for record in map(json.loads, done.stdout.splitlines()):
        body = record.get(record["type"])
        if record["type"] == "run":
            found |= {"id": body["run_id"], "group": body.get("run_group"), "name": body["display_name"]}
        elif record["type"] == "config":
            found["config"] |= body["update"]
        elif record["type"] == "history":
            found["history"].append(body["item"])
        elif record["type"] == "artifact":
            found["artifacts"].add(body["name"])
        elif record["type"] == "exit":
            found["exit"] = body.get("exit_code", 0)
    return found


def test_settings_that_cannot_be_are_told_of_before_a_sweep_begins(shell: Shell) -> None:
    _, err = shell.run("-m", "seed=0,1", "sweep.maximize=[{test/exact_match: 1}]", *SIZE, code=2)
    assert (
        err.strip().splitlines()[-1].startswith("fashionmt: sweep.maximize: test/exact_match: what is chosen by test")
    )
    _, err = shell.run("-m", "seed=0,1", "optim.lerning_rate=1", code=2)
    assert "Did you mean optim.learning_rate?" in err


@pytest.mark.parametrize(
    ("launcher", "plugin"),
    [("joblib", "hydra_plugins.hydra_joblib_launcher"), ("slurm_local", "hydra_plugins.hydra_submitit_launcher")],
)
def test_jobs_of_other_processes_are_known_and_their_failures_told(shell: Shell, launcher: str, plugin: str) -> None:
    pytest.importorskip(plugin, reason=f"the launcher's extra is not installed: {launcher}")
    command = ["-m", "seed=0,1", "loss.cap=10,0.5", f"launcher={launcher}", "sweep.name=parallel", *SIZE]
    out, err = shell.run(*command, code=2)
    jobs = [record for _, record in jobs_in(shell.folder / "runs/sweep/parallel")]
    assert sorted(record.state for record in jobs) == ["done", "done", "failed", "failed"]
    assert "2 jobs have failed of 4" in err.splitlines()[-1]
    assert out.count("│ done") == 2


@pytest.mark.slow
def test_a_killed_search_loses_no_trial(shell: Shell) -> None:
    optuna = pytest.importorskip("optuna", reason="the sweep extra is not installed")
    command = ["-m", "sweep=search", "hydra.sweeper.n_trials=4", "trainer.checkpoint_seconds=0", *SIZE]
    command.append("sweep.pruner=none")
    sweep = shell.folder / "runs/sweep/search"
    killed = wait_for_a_kill(shell.start(*command), sweep, 1)
    shell.run(*command)
    jobs = dict(jobs_in(sweep))
    assert [record.state for record in jobs.values()] == [State.DONE] * 4
    assert {job for job, record in jobs.items() if record.attempts > 1} == {killed}
    study = optuna.load_study(study_name="search", storage=f"sqlite:///{sweep / 'study.db'}")
    assert [trial.state.name for trial in study.trials] == ["COMPLETE"] * 4
    assert sorted(trial.value for trial in study.trials) == sorted(record.values[0] for record in jobs.values())
