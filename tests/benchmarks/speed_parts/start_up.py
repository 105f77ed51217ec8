"""How long people wait: for `--help`, for the first training batch, for a bundle's first answer."""

import shutil
import sys
from pathlib import Path

from fashionmt.data.sample import sample_catalogue
from fashionmt.paths import cache_dir
from speed_parts.processes import python, run
from speed_parts.settings import TOP, Settings
from speed_parts.turns import Figure, in_turns

FIRST_BATCH = """
import os
from fashionmt.cli import train
from fashionmt.training.base_module import BaseModule
BaseModule.on_train_batch_start = lambda self, batch, batch_idx: os._exit(0)
train()
raise SystemExit("no batch came")
"""
"""`train.py`, which ends when its first batch has come."""
FIRST_ANSWER = """
import sys
import fashionmt
bundle, title, image = sys.argv[1:]
tagged, = fashionmt.load_bundle(bundle).tag([{"id": "1", "title": title, "image": image}])
assert tagged.tags, tagged
"""


def measure(settings: Settings) -> list[Figure]:
    """Seconds from a process's start to its end, which comes with what is waited for. The sample is in the cache."""
    picture = sorted(sample_catalogue(cache_dir()).new_images.glob("*.jpg"))[0]
    commands = {
        "predict_help": python(TOP / "predict.py", "--help"),
        "train_help": python(TOP / "train.py", "--help"),
        "first_training_batch": python("-c", FIRST_BATCH),
        "first_answer": python("-c", FIRST_ANSWER, settings.bundle.resolve(), "Blue Shirt", picture),
    }
    installed = Path(sys.executable).with_name("fashionmt-predict")
    if found := shutil.which(installed):
        commands["installed_predict_help"] = [found, "--help"]
    folder = settings.new_run("start_up").root
    tasks = {name: (lambda command=command: run(command, folder).seconds) for name, command in commands.items()}
    for task in tasks.values():
        task()
    seconds = in_turns(settings.repeats, tasks, "start-up")
    asked = {"predict_help": "< 1", "installed_predict_help": "< 1", "first_answer": "< 3"}
    return [Figure(name, values, "s", asked.get(name, "")) for name, values in seconds.items()]
