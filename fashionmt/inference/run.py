"""Tags a whole catalogue, part by part: what is there is kept, what is not is made, and the last one closes."""

import importlib.util
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from fashionmt.bundle import bundle_digest, read_bundle
from fashionmt.config import PredictConfig
from fashionmt.errors import TakenError, TooManyBadError, UserError
from fashionmt.inference.finish import finish, is_finished
from fashionmt.inference.input_files import check_named
from fashionmt.inference.interrupt import heeding_signals
from fashionmt.inference.job import SETUP_SECONDS, Job, open_job, take_back
from fashionmt.inference.local_parts import make_parts
from fashionmt.inference.part import RowsDone, Told
from fashionmt.inference.progress import Progress, peak_megabytes
from fashionmt.inference.show import show_begin, show_end
from fashionmt.paths import newest_bundle
from fashionmt.storage import held

TRAININGS = Path("runs")
Maker = Callable[[Job, PredictConfig, Sequence[int], Told], None]
"""Makes parts of a job, and tells of their rows."""
FIRST_ROWS = 1000
"""After so many rows it is asked whether the job is what was meant; at the end of fewer, where there are `FEWEST`."""
FEWEST = 100


def tag_catalogue(config: PredictConfig) -> dict[str, Any]:
    """Tag `config.catalogue`, or go on with it; returns the summary. Raises `UserError`, with the command's exit code.

    An item that cannot be tagged stands in the quarantine, with the reason.
    """
    return run_job(config)[1]


def run_job(config: PredictConfig) -> tuple[Job, dict[str, Any]]:
    """As `tag_catalogue`: the job itself, and its summary."""
    bundle = chosen_bundle(config)
    config = replace(config, bundle=str(bundle))
    if config.catalogue is not None:
        check_named(config.catalogues(), config.images)
    maker = _maker(config.engine)
    job = open_job(config, read_bundle(bundle, build=config.runtime == "torch"), bundle_digest(bundle))
    show_begin(job, bundle)
    return job, _finalize(job, config) if config.finalize else _make_and_close(job, config, maker)


def chosen_bundle(config: PredictConfig) -> Path:
    """The folder that is named, or the newest. Raises `UserError`."""
    bundle = Path(config.bundle) if config.bundle is not None else newest_bundle(TRAININGS)
    if bundle is None:
        wrong = f"none below {TRAININGS / 'train'}"
        raise UserError("bundle", wrong, "Train one with `python train.py`, or set bundle=<dir>")
    return bundle


def _make_and_close(job: Job, config: PredictConfig, maker: Maker) -> dict[str, Any]:
    which, count = config.shard_of()
    with held(job.folder / f".shard-{which}-of-{count}.lock", 0) as ours:
        if not ours:
            raise TakenError(f"output={job.folder}", "another process is at it", "Wait for it to end")
        progress = _make_parts(job, config, maker, which, count)
    return _close(job, config, progress)


def _finalize(job: Job, config: PredictConfig) -> dict[str, Any]:
    """Close the job, where that is all there is to do. Raises `UserError` where it is not."""
    missing = [part for part in range(len(job.parts)) if _is_to_do(job, part, None)]
    if missing:
        named = ", ".join(str(part) for part in missing[:5]) + (", ..." if len(missing) > 5 else "")
        wrong = f"{len(missing)} of {len(job.parts)} parts are missing ({named})"
        raise UserError(f"output={job.folder}", wrong, "Make them first, by the same command without finalize=true")
    with closing(Progress(0)) as progress:
        return _close(job, config, progress)


def _maker(engine: str) -> Maker:
    """Raises `UserError` where its package is not there."""
    if engine == "local":
        return make_parts
    if importlib.util.find_spec("ray") is None:
        raise UserError("engine=ray", "its package is not installed", "Run pip install 'fashionmt[ray]'")
    from fashionmt.inference.ray_parts import make_parts_with_ray

    return make_parts_with_ray


def _make_parts(job: Job, config: PredictConfig, maker: Maker, which: int, count: int) -> Progress:
    """Make this shard's parts that are not there; all of them where they are to be overwritten."""
    own = [part for part in range(len(job.parts)) if part % count == which]
    if config.overwrite:
        take_back(job.success, job.joined)
        for part in own:  # of other shards none: they may have begun, or ended
            job.parts[part].remove()
    todo = [part for part in own if _is_to_do(job, part, config.retry)]
    if todo or not is_finished(job):
        take_back(job.success, job.joined)
    progress = Progress(sum(len(job.manifest.rows_of(part)) for part in todo))
    begin = Begin(config.early_stop, progress.total)
    with heeding_signals(overwrite=config.overwrite) as heed, closing(progress):

        def told(done: RowsDone) -> None:
            heed()
            progress.add(done)
            begin.add(done)

        if todo:
            maker(job, config, todo, told)
    return progress


def _is_to_do(job: Job, part: int, retry: str | None) -> bool:
    footer = job.parts[part].whole(job.manifest)
    return footer is None or (retry is not None and footer.retryable)


class Begin:
    """Stops a job whose first rows are mostly bad: something else was meant."""

    def __init__(self, stops: bool, total: int) -> None:
        """`total`: how many rows there are."""
        self.judged_at = min(FIRST_ROWS, total) if stops and total >= min(FEWEST, FIRST_ROWS) else None
        self.rows = self.bad = 0

    def add(self, done: RowsDone) -> None:
        """Count them. Raises `TooManyBadError`."""
        before = self.rows
        self.rows += done.rows
        self.bad += done.bad
        if self.judged_at is not None and before < self.judged_at <= self.rows and self.bad > self.rows / 2:
            wrong = f"of the first {self.rows} rows {self.bad} have no tags, or no picture though they name one"
            raise TooManyBadError("catalogue", wrong, "Is images= right? If all is as meant, set early_stop=false")


def _close(job: Job, config: PredictConfig, progress: Progress) -> dict[str, Any]:
    """The job's end, where all parts are there: of this shard and the others."""
    speed = {
        "seconds": round(progress.seconds, 3),
        "rows_per_second": round(progress.rate, 1),
        "peak_megabytes": round(peak_megabytes()),
    }
    summary: dict[str, Any] = {"output": str(job.joined or job.folder), "rows": job.manifest.rows}
    summary["rows_done_now"] = progress.done
    with held(job.lock, SETUP_SECONDS) as ours:
        footers = [footer for part in job.parts if (footer := part.whole(job.manifest)) is not None]
        missing = len(job.parts) - len(footers)
        if missing or not ours:
            return summary | speed | {"complete": False, "parts_missing": missing}
        totals = dict(job.manifest.totals) if is_finished(job) and not progress.done else None
        if totals is None:
            totals = finish(job, footers, config.max_bad_fraction, speed)
    show_end(job, totals)
    return summary | speed | {"complete": True, **_counts(totals), "fingerprint": job.manifest.fingerprint}


def _counts(totals: dict[str, Any]) -> dict[str, Any]:
    quarantined = sum(totals["quarantined"].values())
    kept = ("tagged", "review", "unknown", "accepted", "items_accepted")
    return {name: totals[name] for name in kept} | {"quarantined": quarantined}
