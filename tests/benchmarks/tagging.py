"""End-to-end tagging (read, decode, tokenise, forward, write) against the bare forward on the same batches.

    python tests/benchmarks/tagging.py bundle=<dir> [catalogue=<csv> images=<dir>] [repeats=5]

Both are timed in one process, in turns; the ratio is the median of the repeats' ratios. `keeping_share`: of the time
from file to file, what goes into claiming the folder, the manifest, looking for parts that are there, writing parts
(the tags themselves included) and closing the job. Without a catalogue it tags the sample's labelled items. Prints one
JSON object.
"""

import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from fashionmt.bundle import bundle_digest
from fashionmt.config import PredictConfig
from fashionmt.data.sample import sample_catalogue
from fashionmt.inference import TaggingEngine, load_bundle
from fashionmt.inference.catalogue_items import ItemReader, ReadItem
from fashionmt.inference.engine import PreparedBatch
from fashionmt.inference.finish import finish
from fashionmt.inference.items import Item
from fashionmt.inference.job import Job, open_job
from fashionmt.inference.part import tag_part, write_part
from fashionmt.paths import cache_dir


@dataclass(frozen=True)
class Tagged:
    """What is tagged, and with what."""

    bundle: Path
    catalogue: Path
    images: Path | None

    def job(self, engine: TaggingEngine, output: Path) -> Job:
        """Without a page about the tags, which is not tagging."""
        config = PredictConfig(
            catalogue=str(self.catalogue),
            images=str(self.images) if self.images is not None else None,
            output=str(output),
            given=False,
            summary=False,
        )
        return open_job(config, engine.bundle, bundle_digest(self.bundle))


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    engine = load_bundle(options["bundle"])
    repeats = int(options.get("repeats", 5))
    drawn = sample_catalogue(cache_dir())
    catalogue, images = options.get("catalogue", drawn.catalogue), options.get("images", drawn.images)
    tagged = Tagged(Path(options["bundle"]), Path(catalogue), Path(images))
    with tempfile.TemporaryDirectory() as folder:
        prepared = prepare(engine, read_items(tagged.job(engine, Path(folder) / "prepared")))
        items = sum(len(batch.items) for batch in prepared)
        bare(engine, prepared[:4])  # warm up
        pairs, keeping = [], []
        for turn in range(repeats):
            alone = bare(engine, prepared)
            whole, kept = end_to_end(engine, tagged, Path(folder) / str(turn))
            pairs.append((alone, whole))
            keeping.append(kept / whole)
    print(
        json.dumps(
            {
                "items": items,
                "batch_size": engine.batch_size,
                "repeats": repeats,
                "bare_items_per_second": round(items / statistics.median(b for b, _ in pairs), 1),
                "tagging_items_per_second": round(items / statistics.median(e for _, e in pairs), 1),
                "tagging_of_bare": round(statistics.median(b / e for b, e in pairs), 4),
                "spread": [round(min(b / e for b, e in pairs), 4), round(max(b / e for b, e in pairs), 4)],
                "keeping_share": round(statistics.median(keeping), 4),
                "threads": torch.get_num_threads(),
                "torch": torch.__version__,
                "machine": platform.machine(),
            }
        )
    )


def read_items(job: Job) -> list[Item]:
    """All that the job would tag."""
    rows = job.reader.items(job.manifest.parts[0])
    return [row.item for row in rows if isinstance(row, ReadItem)]


def prepare(engine: TaggingEngine, items: Sequence[Item]) -> list[PreparedBatch]:
    """In batches, decoded and tokenised."""
    size = engine.batch_size
    return [engine.prepare(list(items[i : i + size])) for i in range(0, len(items), size)]


@torch.inference_mode()
def bare(engine: TaggingEngine, prepared: list[PreparedBatch]) -> float:
    """Seconds of the model alone, tensors already in memory."""
    start = time.perf_counter()
    for batch in prepared:
        if batch.batch is not None:
            engine.bundle.tagger(batch.batch)
    return time.perf_counter() - start


def end_to_end(
    engine: TaggingEngine, tagged: Tagged, output: Path, reading: Callable[[ItemReader], ItemReader] = lambda own: own
) -> tuple[float, float]:
    """Seconds from the catalogue's file to `_SUCCESS`, and those of them that the output's keeping took. `reading`
    makes of the job's reader the one that reads."""
    start = time.perf_counter()
    job = tagged.job(engine, output)
    reader = reading(job.reader)
    missing = [files for files in job.parts if files.whole(job.manifest) is None]
    kept = time.perf_counter() - start
    for files in missing:
        result = tag_part(engine, reader, job.manifest, files.part, False, lambda row: None)
        began = time.perf_counter()
        write_part(files, job.manifest, result, job.attributes)
        kept += time.perf_counter() - began
    began = time.perf_counter()
    footers = [footer for files in job.parts if (footer := files.whole(job.manifest)) is not None]
    finish(job, footers, 1.0, {})
    end = time.perf_counter()
    return end - start, kept + end - began


if __name__ == "__main__":
    main()
