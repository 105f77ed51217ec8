"""What following runs costs: training throughput with the CSV and an offline W&B run, and a sweep's own time a job.

    python tests/benchmarks/tracking_cost.py [repeats=5] [epochs=3] [jobs=4]

Throughput: the sample, both inputs, with and without loggers in turns in one process; the ratio is the median of the
repeats'. A job's own time: that of a command of `jobs` jobs after its first, less what their training and evaluation
took, with the W&B run (its results too) and with the CSV alone. Prints one JSON object.
"""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from speed_parts.settings import TOP, composed

from fashionmt.config import TrainConfig
from fashionmt.data.prepare import PreparedData
from fashionmt.hydra_bridge import build_loggers
from fashionmt.sweep.job import jobs_in
from fashionmt.training.fitting import build_trainer, fit
from fashionmt.training.loading import load_data
from fashionmt.training.run import build_batches, build_module
from fashionmt.training.run_folder import RunFolder

QUICK = ["model=text_only", "trainer.max_epochs=2", "trainer.precision=32-true", "report=false", "limit_items=300"]


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    repeats, epochs, jobs = (int(options.get(name, default)) for name, default in DEFAULTS.items())
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        config = composed(*OFFLINE, "trainer.precision=32-true", f"trainer.max_epochs={epochs}", "limit_items=600")
        rates = throughput(config, load_data(config), repeats)
        own = {logger: round(job_seconds(logger, jobs), 2) for logger in ("csv", "wandb")}
    print(
        json.dumps(
            {
                "items_per_second": {name: round(statistics.median(found), 1) for name, found in rates.items()},
                "with_of_without": round(
                    statistics.median(a / b for a, b in zip(rates["wandb"], rates["none"], strict=True)), 4
                ),
                "seconds_a_job": own,
                "repeats": repeats,
                "threads": torch.get_num_threads(),
                "torch": torch.__version__,
                "machine": platform.machine(),
            }
        )
    )


DEFAULTS = {"repeats": 5, "epochs": 3, "jobs": 4}
OFFLINE = ("logger=wandb", "logger.wandb.mode=offline")
"""Overrides: the CSV and a W&B run."""


def throughput(config: TrainConfig, data: PreparedData, repeats: int) -> dict[str, list[float]]:
    """With the loggers of `config` and without any -> items per second of each repeat: the last epoch's, as the first
    of a process is slower."""
    rates: dict[str, list[float]] = {"none": [], "wandb": []}
    for turn in range(repeats):
        for name in sorted(rates, reverse=turn % 2 == 1):
            folder = RunFolder(Path(f"{name}-{turn}"))
            folder.root.mkdir()
            loggers = build_loggers(config.logger, folder.root) if name == "wandb" else []
            seen: list[float] = []

            def watch(epoch: int, metrics: Mapping[str, float], seen: list[float] = seen) -> None:
                seen.append(metrics["items_per_second"])

            trainer, _ = build_trainer(config, folder, loggers, watch=watch)
            fit(trainer, build_module(config, data), build_batches(config, data), folder, resume=False)
            for logger in loggers:
                if hasattr(logger, "finish"):
                    logger.finish(0)
            rates[name].append(seen[-1])
    return rates


def job_seconds(logger: str, jobs: int) -> float:
    """Of the command itself, a job: composition, start and end, logging."""
    command = [sys.executable, str(TOP / "train.py"), "-m", f"seed=range({jobs + 1})", f"sweep.name={logger}"]
    environment = os.environ | {"PYTHONPATH": str(TOP)}
    done = subprocess.run(
        [*command, f"logger={logger}", *QUICK], env=environment, capture_output=True, text=True, check=True
    )
    started = [datetime.strptime(found, "%H:%M:%S,%f") for found in STAMP.findall(done.stdout)]
    trained: list[Any] = [job.run for job, _ in jobs_in(Path("runs/sweep") / logger)]
    inside = [json.loads(run.metrics.read_text())["seconds"] for run in trained]
    # From the second job's start to the last one's; the training of one job is as good as another's.
    return (started[-1] - started[1]).total_seconds() / (jobs - 1) - statistics.median(inside)


STAMP = re.compile(r"(\d\d:\d\d:\d\d,\d+)\]\[HYDRA\]\s+#")

if __name__ == "__main__":
    main()
