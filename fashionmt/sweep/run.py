"""One job of a sweep: skipped where it is done, gone on with where it was killed, its failure kept where it fails."""

import contextlib
import gc
import json
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from filelock import FileLock, Timeout

from fashionmt.config import SweepConfig, TrainConfig
from fashionmt.data.prepare import PreparedData
from fashionmt.errors import DivergedError, ExitCode, exit_code, failure_reason
from fashionmt.hydra_bridge import build_loggers, from_yaml, to_yaml
from fashionmt.sweep.job import JobFolder, JobRecord, job_id, jobs_in, refused_id, sweep_folder
from fashionmt.sweep.objective import check_logged, objective_values, weighted_sum
from fashionmt.sweep.outcome import Outcome, State
from fashionmt.training.contrastive import MONITOR as PRETRAINING_MONITOR
from fashionmt.training.loading import load_data
from fashionmt.training.module import MONITOR
from fashionmt.training.pretrain import run_pretraining
from fashionmt.training.run import run_training, settle
from fashionmt.training.tracking import PrunedError, ResultLogger

NO_NAME = ("experiment=", "logger", "sweep=")
LONGEST_NAME = 128  # W&B's
LOST_ATTEMPTS = 3
"""A job that was killed so often in a row and came no further is not tried once more: the sweep would never come past
it."""

Compose = Callable[[], TrainConfig]


@dataclass(frozen=True)
class Asked:
    """A job as a command asks for it."""

    overrides: list[str]
    command: str
    sweep: SweepConfig
    config: TrainConfig | None
    data: PreparedData | None
    wrong: Exception | None
    """Why there is no config, or no data."""

    @property
    def id(self) -> str:
        """The job's."""
        if self.config is None:
            return refused_id(self.overrides)
        return job_id(self.config, self.data.fingerprint if self.data is not None else None)


def run_job(compose: Compose, sweep: SweepConfig, fail_fast: bool, overrides: Sequence[str], command: str) -> Outcome:
    """Do what is left to do of a job.

    Raises nothing but `KeyboardInterrupt` and what else is no `Exception`: a job that fails fails alone, and its folder
    says why.

    Args:
        compose: gives the job's config; raises `UserError` where its settings contradict each other.
        overrides: the job's own, for people to know it by.
        command: of the multirun, a token.
    """
    folder = sweep_folder(sweep)
    if fail_fast and any(job.state == State.FAILED and job.command == command for _, job in jobs_in(folder)):
        return Outcome(None, ())
    asked = _ask(compose, sweep, list(overrides), command)
    job = JobFolder(folder / asked.id)
    job.root.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(job.lock, timeout=0):
            return _run_locked(job, asked)
    except Timeout:
        _tell(job, "another process is at it, skipped")
        return Outcome(None, ())


def _ask(compose: Compose, sweep: SweepConfig, overrides: list[str], command: str) -> Asked:
    config: TrainConfig | None = None
    try:
        config = compose()
        return Asked(overrides, command, sweep, config, _load(config), None)
    except Exception as error:
        return Asked(overrides, command, sweep, config, None, error)


def _run_locked(job: JobFolder, asked: Asked) -> Outcome:
    before = job.read()
    if before is not None and _ended(before, asked):
        record = before
        record.command = asked.command
        _tell(job, f"{record.state} before, skipped")
        outcome = record.outcome
        if record.state == State.DONE and asked.config is not None:
            outcome = _rank_anew(asked.config, job, record)
        job.write(record)
        return outcome
    record = JobRecord(asked.overrides, asked.command, checkpoint=job.checkpoint_time())
    if before is not None:
        record.attempts, record.seconds, record.epochs = before.attempts + 1, before.seconds, before.epochs
        came_further = record.checkpoint not in (None, before.checkpoint)
        record.lost = before.lost + 1 if before.state == State.RUNNING and not came_further else 1
    job.write(record)
    with _failure_recorded(job, record):
        if record.lost > LOST_ATTEMPTS:
            raise MemoryError(f"most likely: killed {LOST_ATTEMPTS} times in a row before a checkpoint")
        if asked.config is None or asked.data is None:
            raise asked.wrong or ValueError("neither a config nor a reason")
        _train(asked.config, asked.data, job, record)
        record.values = _score(asked.config, job)
        record.state = State.DONE
    job.write(record)
    return record.outcome


def _ended(before: JobRecord, asked: Asked) -> bool:
    """Whether nothing is left to do. A failure is one of these, unless it is to be tried again, or is there again."""
    if before.state == State.FAILED:
        return asked.wrong is None and not asked.sweep.retry
    return before.state in (State.DONE, State.PRUNED)


def _rank_anew(config: TrainConfig, job: JobFolder, record: JobRecord) -> Outcome:
    """By objectives that may be others now. Where they cannot be had, the job stays done, with the values it had."""
    try:
        record.values = _score(config, job)
    except Exception as error:
        record.code, record.reason = int(exit_code(error)), failure_reason(error)
        _tell(job, f"not ranked: {record.reason}")
        return Outcome(State.FAILED, ())
    record.code, record.reason = int(ExitCode.DONE), None
    return record.outcome


def _score(config: TrainConfig, job: JobFolder) -> list[float]:
    """The objectives, from the run's log."""
    monitor = PRETRAINING_MONITOR if config.contrast is not None else MONITOR
    return objective_values(job.run.read_epochs(), config.sweep.maximize, monitor)


def _train(config: TrainConfig, data: PreparedData, job: JobFolder, record: JobRecord) -> None:
    """Train, or go on."""
    began, before, run = time.monotonic(), record.seconds, job.run
    sweep = config.sweep
    resume = run.resume_checkpoint.is_file()
    if run.begun:
        config = from_yaml(run.config)
    else:
        run.clear()
        config = settle(config)
        _name_run(config, record.overrides)
        run.claim(to_yaml(config))

    report = _trial_report(sweep, config.trainer.max_epochs)

    def watch(epoch: int, metrics: Mapping[str, float]) -> None:
        check_logged(sweep.maximize, metrics)
        record.epochs, record.seconds, record.lost = epoch + 1, round(before + time.monotonic() - began, 1), 0
        values = [weighted_sum(objective, metrics) for objective in sweep.maximize]
        record.values = [value for value in values if value is not None]
        job.write(record)
        if report is not None and len(record.values) == 1:
            report(epoch, record.values[0])

    if not run.metrics.is_file():
        train = run_training if config.contrast is None else run_pretraining
        loggers = build_loggers(config.logger, run.root)
        links = (logger.link() for logger in loggers if isinstance(logger, ResultLogger))
        record.link = next((link for link in links if link is not None), None)
        train(config, run, loggers, resume, data, watch)
    record.seconds = round(before + time.monotonic() - began, 1)


def _name_run(config: TrainConfig, overrides: Sequence[str]) -> None:
    """What trackers know the job by: its overrides, in the group of its sweep."""
    own = [text for text in overrides if not text.startswith(NO_NAME)]
    for node in config.logger.values():
        if "group" in node:
            node["group"] = node["group"] or config.sweep.name
            node["name"] = node.get("name") or (" ".join(own) or "default")[:LONGEST_NAME]


def _trial_report(sweep: SweepConfig, epochs: int) -> Callable[[int, float], None] | None:
    """What hears of each epoch of a search's trial."""
    if sweep.trial is None or len(sweep.maximize) > 1:
        return None
    from fashionmt.sweep.study import TrialReport  # optuna, of an extra

    return TrialReport(sweep, epochs)


@contextlib.contextmanager
def _failure_recorded(job: JobFolder, record: JobRecord) -> Iterator[None]:
    """A failure inside is the record's end."""
    try:
        yield
    except KeyboardInterrupt:
        record.lost = 0
        job.write(record)
        raise
    except PrunedError:
        record.state = State.PRUNED
    except Exception as error:
        record.state, record.values = State.FAILED, []
        record.code, record.reason = int(exit_code(error)), failure_reason(error)
        if record.code == ExitCode.OUR_FAULT:
            job.traceback.write_text(traceback.format_exc(), encoding="utf-8")
        if isinstance(error, DivergedError):
            job.run.resume_checkpoint.unlink(missing_ok=True)
        _tell(job, f"failed: {record.reason}")
    finally:
        # What a failed job held would be missing to the next.
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


# The catalogue

_loaded: dict[str, PreparedData] = {}
"""The last one: jobs of one process that read the same do not read it again."""


def _load(config: TrainConfig) -> PreparedData:
    reads = [asdict(config.data), asdict(config.preprocess), asdict(config.model), config.limit_items]
    key = json.dumps(reads, sort_keys=True)
    if key not in _loaded:
        _loaded.clear()
        _loaded[key] = load_data(config)
    return _loaded[key]


def _tell(job: JobFolder, line: str) -> None:
    sys.stderr.write(f"job {job.id}: {line}\n")
