"""`task=recommend`: a list for each of many people, in parts that outlive an interruption.

What batch tagging writes with is used as it is: the manifest, parts that are whole or not there, the quarantine, and
the joined file. Its jobs are not: their rows are a catalogue's, and here a row is a person.
"""

import hashlib
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow

from fashionmt.config import PredictConfig
from fashionmt.errors import TakenError, TooManyBadError
from fashionmt.inference.finish import is_success, join_parts, write_quarantine
from fashionmt.inference.interrupt import heeding_signals
from fashionmt.inference.job import QUARANTINE, SETUP_SECONDS, claim, places, take_back
from fashionmt.inference.manifest import SUCCESS, InputFile, Manifest, PartStart, fingerprint, write_manifest
from fashionmt.inference.part import RowsDone
from fashionmt.inference.part_files import Footer, PartFiles, part_files
from fashionmt.inference.progress import Progress
from fashionmt.inference.quarantine import Record
from fashionmt.recommend.asked import Asked
from fashionmt.recommend.lists import POPULAR, Recommended
from fashionmt.recommend.people import BATCH, people_at
from fashionmt.recommend.serving import Serving, open_serving
from fashionmt.storage import held, publish

DIGITS = 6
SCHEMA = pyarrow.schema(
    [
        ("user_id", pyarrow.string()),
        ("rank", pyarrow.int32()),
        ("item_id", pyarrow.string()),
        ("score", pyarrow.float64()),
        ("reason", pyarrow.string()),
    ]
)


@dataclass(frozen=True)
class Job:
    """What is to be made, and where it goes."""

    folder: Path
    joined: Path | None
    manifest: Manifest
    serving: Serving

    @property
    def parts(self) -> list[PartFiles]:
        """Every part's files, there or not."""
        return part_files(self.folder, self.manifest)

    @property
    def is_finished(self) -> bool:
        """Whether `_SUCCESS` says so of this very job, and the joined file is there where it is asked for."""
        there = self.joined is None or self.joined.is_file()
        return there and is_success(self.folder / SUCCESS, self.manifest.fingerprint)

    @property
    def asked(self) -> Asked:
        """Whose lists are made."""
        return self.serving.asked


def recommend(config: PredictConfig) -> dict[str, Any]:
    """Make the lists, or go on with them; returns the summary. Raises `UserError`, with the command's exit code."""
    serving = open_serving(config)
    job = _open_job(config, serving)
    with held(job.folder / ".recommend.lock", 0) as ours:
        if not ours:
            raise TakenError(f"output={job.folder}", "another process is at it", "Wait for it to end")
        made = _make_parts(job, config.overwrite)
        return _close(job, config.max_bad_fraction, made)


def _open_job(config: PredictConfig, serving: Serving) -> Job:
    asked = config.recommend
    settings = {
        "task": "recommend",
        "index": serving.index_digest,
        "model": serving.model_digest,
        "columns": vars(asked.columns),
        "events": list(asked.events),
        "least_weight": asked.least_weight,
        "k": asked.k,
        "filters": dict(asked.filters),
        "in_stock": asked.in_stock,
        "seen": asked.seen,
        "duplicates": asked.duplicates,
        "format": config.format,
        "part_rows": config.part_rows,
    }
    inputs = [InputFile(str(path), _sha256(path), 0) for path in serving.files]
    mark = fingerprint(settings, {file.name: file.sha256 for file in inputs})
    folder, joined = places(config, f"recommend-{serving.files[0].name}", mark)
    users = len(serving.asked.users)
    starts = [PartStart(row, 0, 0, row + 1) for row in range(0, users, config.part_rows)]
    manifest = Manifest(settings, inputs, users, 0, starts)
    return Job(folder, joined, claim(folder, joined, mark, config.overwrite, lambda: manifest), serving)


def _make_parts(job: Job, overwrite: bool) -> int:
    """Make what is not there, or all of it; how many people that was."""
    if overwrite:
        take_back(job.folder / SUCCESS, job.joined)
        for files in job.parts:
            files.remove()
    todo = [part for part, files in enumerate(job.parts) if files.whole(job.manifest) is None]
    if todo or not job.is_finished:
        take_back(job.folder / SUCCESS, job.joined)
    progress = Progress(sum(len(job.manifest.rows_of(part)) for part in todo), "recommending", "users")
    with heeding_signals("recommending", overwrite) as heed, closing(progress):
        for part in todo:
            _make_part(job, part, heed, progress)
    return progress.done


def _make_part(job: Job, part: int, heed: Callable[[], None], progress: Progress) -> None:
    rows = job.manifest.rows_of(part)
    serving, asked = job.serving, job.asked
    lists: list[list[Recommended]] = []
    for first in range(rows.start, rows.stop, BATCH):
        heed()
        chosen = range(first, min(first + BATCH, rows.stop))
        users = serving.users[chosen.start : chosen.stop]
        people = people_at(serving.events, users, serving.now, serving.recommender.length, serving.had)
        lists += serving.recommender.recommend(people, [asked.known[row] for row in chosen])
        progress.add(RowsDone(len(chosen)))
    records = serving.records if part == 0 else []
    footer = Footer(job.manifest.fingerprint, part, rows.start, len(rows), _statistics(lists, records), {})
    job.parts[part].write(footer, _table([asked.users[row] for row in rows], lists), records, None)


def _statistics(lists: Sequence[Sequence[Recommended]], records: Sequence[Record]) -> dict[str, Any]:
    codes = [str(record.code) for record in records]
    return {
        "users": len(lists),
        "by_popularity": sum(bool(each) and each[0].reason.startswith(POPULAR) for each in lists),
        "nothing": sum(not each for each in lists),
        "quarantined": {code: codes.count(code) for code in dict.fromkeys(codes)},
        "picture_problems": {},
    }


def _table(users: Sequence[str], lists: Sequence[Sequence[Recommended]]) -> Any:
    listed = [
        (user, rank + 1, place) for user, each in zip(users, lists, strict=True) for rank, place in enumerate(each)
    ]
    columns = {
        "user_id": [user for user, _, _ in listed],
        "rank": [rank for _, rank, _ in listed],
        "item_id": [place.item for _, _, place in listed],
        "score": [round(place.score, DIGITS) for _, _, place in listed],
        "reason": [place.reason for _, _, place in listed],
    }
    return pyarrow.table(columns, schema=SCHEMA)


def _close(job: Job, max_bad_fraction: float, made: int) -> dict[str, Any]:
    """What is read as a whole, and `_SUCCESS`, last of all. Raises `TooManyBadError`."""
    with held(job.folder / ".setup.lock", SETUP_SECONDS):
        footers = [footer for part in job.parts if (footer := part.whole(job.manifest)) is not None]
        totals = {
            name: sum(footer.statistics[name] for footer in footers) for name in ("users", "by_popularity", "nothing")
        }
        bad = sum(footer.bad for footer in footers)
        write_quarantine(job.folder, job.parts)
        if bad > max_bad_fraction * (bad + job.serving.rows):
            repair = f"See {job.folder / QUARANTINE}, and repair the rows or raise max_bad_fraction"
            raise TooManyBadError(str(job.folder), f"{bad} rows cannot be read, over {max_bad_fraction:.0%}", repair)
        if job.joined is not None and not job.is_finished:
            join_parts(job.parts, job.joined)
        write_manifest(job.folder, replace(job.manifest, totals=totals | {"quarantined": bad}))
        publish(job.folder / SUCCESS, f"{job.manifest.fingerprint}\n".encode())
    output = str(job.joined or job.folder)
    sys.stderr.write(f"lists: {totals['users']} users in {output}, {totals['by_popularity']} of them by popularity\n")
    return {"output": output, "complete": True, "users_done_now": made, **totals, "quarantined": bad}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
