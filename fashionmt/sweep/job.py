"""A job of a sweep: what it is known by, and what its folder says of it."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fashionmt.config import SweepConfig, TrainConfig
from fashionmt.errors import ExitCode, UserError
from fashionmt.sweep.outcome import Outcome, State
from fashionmt.training.report import write_json
from fashionmt.training.run_folder import RunFolder

ID_LENGTH = 12
NOT_THE_JOB = ("benchmark", "fail_fast", "logger", "report", "resume", "sweep", "sweep_status")
PLACES = {"data": ("catalogue", "images"), "trainer": ("checkpoint_seconds", "keep_checkpoints")}
"""Settings that change no result: where files lie, how often they are written. The data is known by its fingerprint."""


@dataclass
class JobRecord:
    """What `job.json` holds."""

    overrides: list[str]
    """As they were asked for."""
    command: str
    """The command that asked last, by its token."""
    state: State = State.RUNNING
    reason: str | None = None
    """Why it failed, or could not be ranked anew."""
    code: int = int(ExitCode.DONE)
    """Of that: whose it is to repair."""
    values: list[float] = field(default_factory=list)
    """The objectives."""
    epochs: int = 0
    """Trained so far."""
    seconds: float = 0.0
    """Of all attempts, less what a kill took before an epoch's end."""
    checkpoint: int | None = None
    """When the checkpoint was written that the last attempt began from."""
    attempts: int = 1
    lost: int = 1
    """The last attempts in a row that came to no checkpoint and no epoch's end, and that nobody stopped: what the
    kernel kills for memory cannot say so. This one is of them until its first epoch ends."""
    link: str | None = None
    """Where a tracker shows it."""

    @property
    def outcome(self) -> Outcome:
        """For the sweeper."""
        return Outcome(self.state, tuple(self.values))


@dataclass(frozen=True)
class JobFolder:
    """`runs/sweep/<name>/<id>/`: the job's training run, and its record."""

    root: Path

    @property
    def id(self) -> str:
        """The job's."""
        return self.root.name

    @property
    def run(self) -> RunFolder:
        """The training run in it."""
        return RunFolder(self.root)

    @property
    def lock(self) -> Path:
        """Held by the process that is at the job."""
        return self.root / "job.lock"

    @property
    def traceback(self) -> Path:
        """Of a failure that is ours."""
        return self.root / "traceback.txt"

    def read(self) -> JobRecord | None:
        """The record, where there is one. Raises `UserError` for a damaged one."""
        file = self.root / "job.json"
        if not file.is_file():
            return None
        try:
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            return JobRecord(**found | {"state": State(found["state"])})
        except (ValueError, TypeError, KeyError) as error:
            repair = f"Remove {self.root}, and its job is done again"
            raise UserError(str(file), f"damaged ({str(error)[:100]})", repair) from error

    def checkpoint_time(self) -> int | None:
        """When the checkpoint to go on from was written, where there is one."""
        file = self.run.resume_checkpoint
        return file.stat().st_mtime_ns if file.is_file() else None

    def write(self, record: JobRecord) -> None:
        """All or nothing."""
        self.root.mkdir(parents=True, exist_ok=True)
        write_json(self.root / "job.json", asdict(record))


def sweep_folder(config: SweepConfig) -> Path:
    """Where a sweep's jobs lie."""
    return Path(config.folder) / config.name


def jobs_in(folder: Path) -> list[tuple[JobFolder, JobRecord]]:
    """Every job of a sweep's folder."""
    found = [JobFolder(file.parent) for file in sorted(folder.glob("*/job.json"))]
    return [(job, record) for job in found if (record := job.read()) is not None]


def job_id(config: TrainConfig, fingerprint: str | None) -> str:
    """What the job's result depends on, as a name: its settings and the catalogue's fingerprint (None: it could not be
    read)."""
    settings = {name: value for name, value in asdict(config).items() if name not in NOT_THE_JOB}
    for group, keys in PLACES.items():
        settings[group] = {key: value for key, value in settings[group].items() if key not in keys}
    return _digest([settings, fingerprint])


def refused_id(overrides: Sequence[str]) -> str:
    """The name of a job whose settings contradict each other, so that there is no config of it."""
    return _digest(sorted(overrides))


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:ID_LENGTH]
