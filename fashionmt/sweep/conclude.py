"""A sweep's jobs in a table, the best first, and what a command of many jobs ends with."""

import re
import sys
from pathlib import Path

from filelock import FileLock, Timeout
from rich.table import Table

from fashionmt.errors import ExitCode, UserError
from fashionmt.sweep.job import JobFolder, JobRecord, jobs_in
from fashionmt.sweep.outcome import State
from fashionmt.training.report import Screen

Jobs = list[tuple[JobFolder, JobRecord]]
NUMBERS = ("objective", "epochs", "minutes")


def conclude(folder: Path, command: str) -> tuple[ExitCode, str | None]:
    """Show the sweep that a command has ended; the exit code for its own jobs, and a line where that is not 0: this
    also where nobody reads what is shown."""
    jobs = jobs_in(folder)
    mine = [(job, record) for job, record in jobs if record.command == command]
    if not mine:
        return ExitCode.DONE, None
    code, line = _verdict(folder, mine)
    try:
        _show(folder, jobs)
    except BrokenPipeError:
        if line is None:
            raise
    return code, line


def _verdict(folder: Path, mine: Jobs) -> tuple[ExitCode, str | None]:
    failed = [(job, record) for job, record in mine if record.state == State.FAILED]
    unranked = [(job, record) for job, record in mine if record.state == State.DONE and record.code != ExitCode.DONE]
    if not failed and not unranked:
        return ExitCode.DONE, None
    told = []
    if failed:
        count = "1 job has" if len(failed) == 1 else f"{len(failed)} jobs have"
        reasons = _reasons(failed, _shared(mine))
        told.append(f"{count} failed of {len(mine)}. {reasons}. With sweep.retry=true the same command tries again.")
    if unranked:
        reasons = ". ".join(dict.fromkeys(_reason(record) for _, record in unranked))
        told.append(f"{len(unranked)} of {len(mine)} are done, but cannot be ranked anew: {reasons}.")
    # Of several: ours first, then what asks for another setting, then what asks for a larger machine.
    return ExitCode(min(record.code for _, record in [*failed, *unranked])), f"{folder}: {' '.join(told)}"


def _reasons(failed: Jobs, shared: list[str]) -> str:
    """Of the first few, each after what tells it from the others."""
    own = [" ".join(text for text in record.overrides if text not in shared) for _, record in failed]
    told = zip(failed[:3], own, strict=False)
    return ". ".join(f"{job.id} ({name}): {_reason(record)}" for (job, record), name in told)


def _reason(record: JobRecord) -> str:
    return (record.reason or "").rstrip(".")


def print_jobs(folder: Path) -> None:
    """What `sweep_status` shows. Raises `UserError` where there is no sweep."""
    jobs = jobs_in(folder)
    if not jobs:
        wrong = "holds no jobs" if folder.is_dir() else "no such folder"
        raise UserError(f"sweep_status={folder}", wrong, "Name one of a sweep, as runs/sweep/<sweep.name>")
    _show(folder, jobs)


def _show(folder: Path, jobs: Jobs) -> None:
    shared = _shared(jobs)
    table = Table(title=str(folder), caption=" ".join(shared) if shared else None)
    links = any(record.link for _, record in jobs)
    for name in ("job", "overrides", "state", *NUMBERS, *(["run"] if links else [])):
        table.add_column(name, justify="right" if name in NUMBERS else "left", overflow="fold")
    for job, record in sorted(jobs, key=_rank):
        own = " ".join(_short(text) for text in record.overrides if text not in shared)
        values = " ".join(f"{value:.4f}" for value in record.values)
        minutes = f"{record.seconds / 60:.1f}"
        cells = [job.id, own, _state(job, record), values, str(record.epochs), minutes]
        table.add_row(*cells, *([record.link or ""] if links else []))
    # A pipe has no width, and nothing may be cut where it is read by programs.
    Screen(highlight=False, markup=False, width=None if sys.stdout.isatty() else 400).print(table)


def _shared(jobs: Jobs) -> list[str]:
    """The overrides that tell no job from another."""
    if len(jobs) == 1:
        return []
    return [text for text in jobs[0][1].overrides if all(text in record.overrides for _, record in jobs)]


def _short(override: str) -> str:
    """A number as a search draws it, to four digits."""
    key, _, value = override.partition("=")
    return f"{key}={float(value):.4g}" if re.fullmatch(r"-?\d+\.\d{5,}(e-?\d+)?", value) else override


def _rank(job: tuple[JobFolder, JobRecord]) -> tuple[int, float]:
    record = job[1]
    place = {State.DONE: 0, State.PRUNED: 1, State.RUNNING: 2, State.FAILED: 3}[record.state]
    return place, -record.values[0] if record.values else 0.0


def _state(job: JobFolder, record: JobRecord) -> str:
    """A job that says it runs, and that no process is at, was killed."""
    if record.state == State.FAILED:
        return f"failed: {record.reason}"
    if record.state == State.RUNNING:
        try:
            with FileLock(job.lock, timeout=0):
                return "interrupted"
        except Timeout:
            return "running"
    return str(record.state)
