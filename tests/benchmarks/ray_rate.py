"""The rate of engine=ray, once its workers are up, against that of this process, on the same rows.

    python tests/benchmarks/ray_rate.py bundle=<dir> [rows=6144] [part_rows=512] [repeats=2]     (rows: of whole parts)

Tags rows of the real catalogue (FASHIONMT_DATA) with their pictures, by the two engines in turns, and fails where a tag
differs. Prints one JSON object. Workers are up when each has made a part: only what comes after counts, and as a row is
told with its part, all rates are of whole parts.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from itertools import islice
from pathlib import Path

import ray
import torch

from fashionmt.bundle import bundle_digest, read_bundle
from fashionmt.config import PredictConfig
from fashionmt.inference.job import Job, open_job
from fashionmt.inference.local_parts import make_parts
from fashionmt.inference.part import RowsDone
from fashionmt.inference.ray_parts import make_parts_with_ray
from fashionmt.inference.run import Maker


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    data, rows = Path(os.environ["FASHIONMT_DATA"]), int(options.get("rows", 6144))
    workers = os.cpu_count() or 1
    local, other, startup = [], [], []
    with tempfile.TemporaryDirectory() as folder, (data / "styles.csv").open() as table:
        (Path(folder) / "rows.csv").write_text("".join(islice(table, rows + 1)))
        config = PredictConfig(
            bundle=options["bundle"],
            catalogue=f"{folder}/rows.csv",
            images=str(data / "images"),
            part_rows=int(options.get("part_rows", 512)),
            given=False,
            ray_workers=workers,
        )
        for turn in range(int(options.get("repeats", 2))):
            jobs = []
            for maker in (make_parts, make_parts_with_ray):
                config = replace(config, output=f"{folder}/{maker.__name__}-{turn}")
                jobs.append(
                    open_job(config, read_bundle(Path(str(config.bundle))), bundle_digest(Path(options["bundle"])))
                )
            local.append(rate(make_parts, jobs[0], config, 1)[0])
            fast, begun = rate(make_parts_with_ray, jobs[1], config, workers)
            other.append(fast)
            startup.append(begun)
            assert_same(*jobs)
    print(
        json.dumps(
            {
                "rows": rows,
                "local_rows_per_second": [round(each, 1) for each in local],
                "ray_rows_per_second": [round(each, 1) for each in other],
                "ray_of_local": round(statistics.median(r / here for r, here in zip(other, local, strict=True)), 3),
                "ray_startup_seconds": [round(each, 1) for each in startup],
                "workers": workers,
                "load": [round(each, 2) for each in os.getloadavg()],
                "torch": torch.__version__,
                "ray": ray.__version__,
            }
        )
    )


def rate(maker: Maker, job: Job, config: PredictConfig, workers: int) -> tuple[float, float]:
    """(rows a second after each worker's first part, seconds before the workers began with that)."""
    ends: list[tuple[float, int]] = []
    told, size = 0, job.manifest.settings["part_rows"]

    def hear(done: RowsDone) -> None:
        nonlocal told
        told += done.rows
        if done.rows and told % size == 0:
            ends.append((time.perf_counter(), told))

    begun = time.perf_counter()
    maker(job, config, range(len(job.parts)), hear)
    (up, before), (end, rows) = ends[workers - 1], ends[-1]
    speed = (rows - before) / (end - up)
    return speed, up - begun - before / speed


def assert_same(one: Job, other: Job) -> None:
    """Confidences as far as another number of threads allows, all else to the letter."""
    for here, there in zip(one.parts, other.parts, strict=True):
        tags, others = here.read_tags().to_pandas(), there.read_tags().to_pandas()
        numbers = [column for column in tags if column.endswith("_confidence")]
        texts = [column for column in tags if not column.endswith(("_confidence", "_top3"))]
        assert tags[texts].equals(others[texts]), here.tags
        assert (tags[numbers] - others[numbers]).abs().fillna(0).to_numpy().max() < 1e-5, here.tags


if __name__ == "__main__":
    main()
