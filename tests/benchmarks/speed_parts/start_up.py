"""How long people wait: for `--help`, for the first training batch, for a bundle's first answer."""

import shutil
import sys
from pathlib import Path

from fashionmt.data.sample import sample_catalogue
from fashionmt.inference.runtimes import has_runtime, read_exports
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
bundle, title, image, precision, runtime = sys.argv[1:]
engine = fashionmt.load_bundle(bundle, precision=precision, runtime=runtime)
tagged, = engine.tag([{"id": "1", "title": title, "image": image}])
assert tagged.tags, tagged
"""


def measure(settings: Settings) -> list[Figure]:
    """Seconds from a process's start to its end, which comes with what is waited for. The sample is in the cache.

    A bundle that was exported also answers by the other runtimes that are installed.
    """
    commands = {
        "predict_help": python(TOP / "predict.py", "--help"),
        "train_help": python(TOP / "train.py", "--help"),
        "first_training_batch": python("-c", FIRST_BATCH),
        **_first_answers(settings.bundle.resolve()),
    }
    installed = Path(sys.executable).with_name("fashionmt-predict")
    if found := shutil.which(installed):
        commands["installed_predict_help"] = [found, "--help"]
    folder = settings.new_run("start_up").root
    tasks = {name: (lambda command=command: run(command, folder).seconds) for name, command in commands.items()}
    for task in tasks.values():
        task()
    seconds = in_turns(settings.repeats, tasks, "start-up")
    return [Figure(name, values, "s", _asked(name)) for name, values in seconds.items()]


def _first_answers(bundle: Path) -> dict[str, list[str]]:
    """The command of each way to compute the bundle."""
    picture = sorted(sample_catalogue(cache_dir()).new_images.glob("*.jpg"))[0]
    ways = {"first_answer": ("32-true", "torch")}
    for precision in read_exports(bundle).models:
        for runtime in filter(has_runtime, ("onnx", "openvino")):
            ways[f"first_answer_{runtime}_{precision}"] = (precision, runtime)
    return {name: python("-c", FIRST_ANSWER, bundle, "Blue Shirt", picture, *way) for name, way in ways.items()}


def _asked(name: str) -> str:
    if name.startswith("first_answer"):
        return "< 3"
    return "< 1" if name.endswith("predict_help") else ""
