"""`task=index`: a catalogue is tagged as always, in parts that outlive an interruption; then its items are added."""

from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from fashionmt.bundle import bundle_digest
from fashionmt.config import PredictConfig
from fashionmt.data.sample import sample_catalogue
from fashionmt.errors import UserError
from fashionmt.inference.job import JOINED, Job
from fashionmt.inference.run import chosen_bundle, run_job
from fashionmt.item_index import Added, BundleMark, add_items, check_bundle, check_folder, load_index
from fashionmt.item_index.approximate import make_approximate
from fashionmt.item_index.description import NAME, Description, read_description
from fashionmt.paths import cache_dir
from fashionmt.similar.items_of_job import items_of
from fashionmt.similar.show import show_approximate, show_index

INDEXES = Path("runs/index")


def make_index(config: PredictConfig) -> dict[str, Any]:
    """Tag `config.catalogue`, or go on with it, and make an index of its items in `config.output`, or add them to it;
    returns the summary. Raises `UserError`, with the command's exit code."""
    bundle = chosen_bundle(config)
    mark = BundleMark(str(bundle), bundle_digest(bundle))
    output = _output(config, mark)
    job, summary = run_job(_tagging(config, bundle))
    if not summary["complete"]:
        return summary
    folder = output or INDEXES / job.folder.name
    added = _add(job, mark, folder, config.similar.existing)
    if config.similar.approximate:
        show_approximate(make_approximate(load_index(folder).held, config.similar.recall))
    show_index(folder, added, mark)
    kept = {name: summary[name] for name in ("rows", "seconds", "rows_per_second", "tagged", "quarantined")}
    told = {"output": str(folder), "tags": str(job.folder)} | kept
    counts = {name: getattr(added, name) for name in ("added", "replaced", "same", "refused", "repeated", "items")}
    return told | counts | {"complete": True}


def _output(config: PredictConfig, mark: BundleMark) -> Path | None:
    """The index's folder, where it is named. Raises `UserError` before anything is tagged in vain."""
    if config.output is None:
        return None
    output = Path(config.output)
    if output.suffix.lower() in JOINED or output.is_file():
        raise UserError(f"output={output}", "an index is a folder", "Name a folder")
    check_folder(output)
    if (output / NAME).is_file():
        check_bundle(output, read_description(output), mark)
    return output


def _tagging(config: PredictConfig, bundle: Path) -> PredictConfig:
    """The job that tags: its parts lie below runs/predict, so that catalogue after catalogue can come into an index."""
    if config.catalogue is None:
        drawn = sample_catalogue(cache_dir())
        config = replace(config, catalogue=str(drawn.catalogue), images=str(drawn.images))
    return replace(config, task="index", bundle=str(bundle), output=None, format="parquet")


def _add(job: Job, mark: BundleMark, folder: Path, existing: str) -> Added:
    bundle, source = job.reader.bundle, job.manifest.fingerprint
    batches = items_of(job)
    first = next(batches, None)
    if first is None:
        raise UserError("catalogue", "no item of it could be read", f"See {job.folder / 'quarantine.csv'}")
    embedding = "fused" if bundle.similarity is None else "head"
    like = Description(mark, first.vectors.shape[1], embedding, job.attributes)
    return add_items(folder, like, chain([first], batches), source, _place(job), existing)


def _place(job: Job) -> str | None:
    """Where the pictures lie: a folder or an archive by its whole path, as the index may be used from elsewhere."""
    images: str | None = job.manifest.settings["images"]
    return images if images is None or "://" in images else str(Path(images).resolve())
