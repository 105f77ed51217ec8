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
from pathlib import Path

import torch

from fashionmt.bundle import bundle_digest
from fashionmt.config import PredictConfig
from fashionmt.data.sample import sample_catalogue
from fashionmt.inference import TaggingEngine, load_bundle
from fashionmt.inference.catalogue_items import ReadItem
from fashionmt.inference.engine import PreparedBatch
from fashionmt.inference.finish import finish
from fashionmt.inference.job import Job, open_job
from fashionmt.inference.part import tag_part, write_part
from fashionmt.paths import cache_dir


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    engine = load_bundle(options["bundle"])
    repeats = int(options.get("repeats", 5))
    with tempfile.TemporaryDirectory() as folder:
        prepared = _prepared(engine, _job(options, engine, Path(folder) / "prepared"))
        items = sum(len(batch.items) for batch in prepared)
        bare(engine, prepared[:4])  # warm up
        pairs, keeping = [], []
        for turn in range(repeats):
            alone = bare(engine, prepared)
            whole, kept = end_to_end(engine, options, Path(folder) / str(turn))
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


def _job(options: dict[str, str], engine: TaggingEngine, output: Path) -> Job:
    catalogue, images = options.get("catalogue"), options.get("images")
    if catalogue is None:
        drawn = sample_catalogue(cache_dir())
        catalogue, images = str(drawn.catalogue), str(drawn.images)
    config = PredictConfig(catalogue=catalogue, images=images, output=str(output), given=False, summary=False)
    return open_job(config, engine.bundle, bundle_digest(Path(options["bundle"])))


def _prepared(engine: TaggingEngine, job: Job) -> list[PreparedBatch]:
    rows = job.reader.items(job.manifest.parts[0])
    items = [row.item for row in rows if isinstance(row, ReadItem)]
    return [engine.prepare(items[i : i + engine.batch_size]) for i in range(0, len(items), engine.batch_size)]


@torch.inference_mode()
def bare(engine: TaggingEngine, prepared: list[PreparedBatch]) -> float:
    """Seconds of the model alone, tensors already in memory."""
    start = time.perf_counter()
    for batch in prepared:
        if batch.batch is not None:
            engine.bundle.tagger(batch.batch)
    return time.perf_counter() - start


def end_to_end(engine: TaggingEngine, options: dict[str, str], output: Path) -> tuple[float, float]:
    """Seconds from the catalogue's file to `_SUCCESS`, and those of them that the output's keeping took."""
    start = time.perf_counter()
    job = _job(options, engine, output)
    missing = [files for files in job.parts if files.whole(job.manifest) is None]
    kept = time.perf_counter() - start
    for files in missing:
        result = tag_part(engine, job.reader, job.manifest, files.part, False, lambda row: None)
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
