"""What training and tagging hold of memory, at catalogues of more and more rows, each in a process of its own.

The catalogue is the same one again and again, with ids of its own each time: more rows, the same pictures. The model is
tiny, as what is looked at is the data. Training stops after `STEPS` steps: what it holds then does not grow with more.
"""

import csv
import json
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import tagging_memory

from fashionmt.data.tables import Table
from speed_parts.processes import Ran, python, run
from speed_parts.settings import TOP, Settings
from speed_parts.turns import Figure

SIZES = (10_000, 40_000, 400_000)
STEPS = 300
PICTURE = "picture_file"
"""The added column that names a picture, since ids are changed."""
STEPS_OF = Path(__file__).with_name("some_steps.py")


def measure(settings: Settings, sizes: Sequence[int] = SIZES, steps: int = STEPS) -> list[Figure]:
    """Megabytes: the most of the whole command, and what is held at the last step; without pages that are mapped from
    files, which the system takes back as it likes."""
    folder = settings.new_run("memory").root
    bundle = tagging_memory.train(folder)
    figures = []
    held = {}
    for size in sizes:
        catalogue = folder / f"{size}.csv"
        _repeat(settings, catalogue, size)
        trained, held[size] = _train(settings, catalogue, steps, folder)
        tagged = _tag(settings, bundle, catalogue, folder)
        figures += [
            Figure(f"training_{size}_rows", [trained.peak_anon_mb], "MB at the most, before the last step"),
            Figure(f"training_step_{size}_rows", [held[size]], "MB at the last step"),
            Figure(f"training_mapped_{size}_rows", [trained.peak_mb], "MB at the most, mapped files too"),
            Figure(f"tagging_{size}_rows", [tagged.peak_anon_mb], "MB at the most"),
        ]
    most, least = max(sizes), min(sizes)
    growth = [held[most] / held[least]]
    return [*figures, Figure("training_growth", growth, f"of {least} rows, at {most}", "about 1")]


def _repeat(settings: Settings, path: Path, rows: int) -> None:
    """The catalogue's rows over and over, until there are so many."""
    config, (catalogue, _) = settings.config.data, settings.files()
    own = [row.values for row in Table(catalogue, free_text=config.columns.title).rows()]
    named = config.columns.picture
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*own[0], PICTURE])
        writer.writeheader()
        for number, values in enumerate(islice(cycle(own), rows)):
            identity = values[config.columns.id]
            picture = values[named] if named is not None else config.picture_pattern.replace("{id}", identity)
            again = {config.columns.id: f"{identity}-{number // len(own)}", PICTURE: picture}
            writer.writerow(values | again)


def _train(settings: Settings, catalogue: Path, steps: int, folder: Path) -> tuple[Ran, float]:
    """The process, and what it held at its last step."""
    images = settings.files()[1]
    asked = {"catalogue": str(catalogue), "images": str(images), "picture": PICTURE, "steps": steps}
    done = run(python(STEPS_OF, json.dumps(asked), *settings.overrides), folder)
    return done, json.loads(done.stdout.splitlines()[-1])["held_mb"]


def _tag(settings: Settings, bundle: Path, catalogue: Path, folder: Path) -> Ran:
    options = [f"bundle={bundle}", f"catalogue={catalogue}", f"images={settings.files()[1]}", "batch_size=512"]
    columns = [f"columns.picture={PICTURE}", "given=false", "summary=false", "max_bad_fraction=1.0"]
    output = folder / f"tags-{catalogue.stem}"
    return run(python(TOP / "predict.py", *options, *columns, f"output={output}"), folder)
