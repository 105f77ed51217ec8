"""Training with a CSV and an offline W&B run against training without either, by `tracking_cost.py`."""

import os
from dataclasses import replace

from tracking_cost import OFFLINE, throughput

from speed_parts.settings import Settings, composed
from speed_parts.turns import Figure, ratio


def measure(settings: Settings) -> list[Figure]:
    """Items a second of the last epoch. What a job of a sweep takes is left to that script: it takes minutes."""
    trainer = replace(settings.config.trainer, max_epochs=1 + settings.epochs)
    config = replace(settings.config, logger=composed(*OFFLINE).logger, trainer=trainer)
    data, before = settings.data, os.getcwd()
    os.chdir(settings.new_run("following").root)
    try:
        rates = throughput(config, data, settings.repeats)
    finally:
        os.chdir(before)
    return [
        Figure("training_without_loggers", rates["none"], "items/s"),
        Figure("training_with_loggers", rates["wandb"], "items/s"),
        ratio("loggers_of_none", rates["wandb"], rates["none"], "of training without", "about 1"),
    ]
