"""End-to-end tagging (read, decode, tokenise, forward, write) against the bare forward on the same batches.

    python tests/benchmarks/tagging.py bundle=<dir> [catalogue=<csv> images=<dir>] [items=2000] [repeats=5]

Both are timed in one process, in turns; the ratio is the median of the repeats' ratios. Without a catalogue it draws
the sample's and tags its labelled items. Prints one JSON object.
"""

import itertools
import json
import platform
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from fashionmt.data.catalogue import CatalogueReader
from fashionmt.data.sample import sample_catalogue
from fashionmt.inference import Item, TaggingEngine, load_bundle
from fashionmt.inference.engine import PreparedBatch
from fashionmt.inference.run import read_items
from fashionmt.inference.writer import TagWriter
from fashionmt.paths import cache_dir


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    engine = load_bundle(options["bundle"])
    catalogue, images = _files(options)
    count, repeats = int(options.get("items", 2000)), int(options.get("repeats", 5))
    prepared = _prepared(engine, catalogue, images, count)
    items = sum(len(batch.items) for batch in prepared)
    bare(engine, prepared[:4])  # warm up
    pairs = []
    for _ in range(repeats):
        pairs.append((bare(engine, prepared), end_to_end(engine, catalogue, images, count)))
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
                "threads": torch.get_num_threads(),
                "torch": torch.__version__,
                "machine": platform.machine(),
            }
        )
    )


def _files(options: dict[str, str]) -> tuple[Path, Path]:
    if "catalogue" in options:
        return Path(options["catalogue"]), Path(options["images"])
    drawn = sample_catalogue(cache_dir())
    return drawn.catalogue, drawn.images


def _items(engine: TaggingEngine, catalogue: Path, images: Path, count: int) -> "itertools.islice[Item]":
    return itertools.islice(read_items(CatalogueReader(catalogue, images, engine.bundle.columns), engine.bundle), count)


def _prepared(engine: TaggingEngine, catalogue: Path, images: Path, count: int) -> list[PreparedBatch]:
    source = _items(engine, catalogue, images, count)
    batches = iter(lambda: list(itertools.islice(source, engine.batch_size)), [])
    return [engine.prepare(batch) for batch in batches]


@torch.inference_mode()
def bare(engine: TaggingEngine, prepared: list[PreparedBatch]) -> float:
    """Seconds of the model alone, tensors already in memory."""
    start = time.perf_counter()
    for batch in prepared:
        if batch.batch is not None:
            engine.bundle.tagger(batch.batch)
    return time.perf_counter() - start


def end_to_end(engine: TaggingEngine, catalogue: Path, images: Path, count: int) -> float:
    """Seconds from the catalogue's file to the written tags."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        with TagWriter(Path(folder) / "tags.csv", engine.bundle.spaces, overwrite=False) as writer:
            for tags in engine.stream(_items(engine, catalogue, images, count)):
                if tags.problem is None:
                    writer.write(tags)
        return time.perf_counter() - start


if __name__ == "__main__":
    main()
