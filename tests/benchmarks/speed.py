"""How fast training and tagging are, and what everything around the model's arithmetic costs.

    python tests/benchmarks/speed.py [--catalogue <csv> --images <folder>] [--items 2048] [--repeats 3]
        [--only training,tagging] [--against [--ludwig <dir>]] [--bundle <dir>] [--json <file>]
        [<override of the training> ...]

Without a catalogue: the sample. Prints a table of medians over turns, and writes it as JSON. What is compared takes
turns in one process, and ratios are those of a turn. Nothing is a test here: figures depend on the machine, and on what
else it does. Overrides choose the model: experiment=fashion_products, optim.batch_size=128, trainer=gpu.

By default: data, training, tagging, heads, following, start_up. Also: memory (long: up to 400,000 rows), compile
(minutes), and against, which is what --against adds: what others would write, on the same towers.
"""

import argparse
import logging
import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from speed_parts import against, compiled, data, following, forward, heads, memory, start_up, training
from speed_parts.settings import Settings
from speed_parts.turns import Figure

from fashionmt.training.report import write_json

Part = Callable[[Settings], list[Figure]]
USUAL: Mapping[str, Part] = {
    "data": data.measure,
    "training": training.measure,
    "tagging": forward.measure,
    "heads": heads.measure,
    "following": following.measure,
    "start_up": start_up.measure,
}
LONG: Mapping[str, Part] = {"memory": memory.measure, "compile": compiled.measure, "against": against.measure}
PARTS = {**USUAL, **LONG}
WIDTH = 140
"""Of the table: a narrower screen breaks its lines, and cut names would be of no use."""


def main() -> None:
    options = parse(sys.argv[1:])
    # Lightning's notices, as the commands hold them back.
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning|torch)")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            folder=Path(folder),
            repeats=options.repeats,
            items=options.items,
            catalogue=options.catalogue,
            images=options.images,
            overrides=tuple(options.overrides),
            given_bundle=options.bundle,
            ludwig=options.ludwig,
        )
        names = [*options.only, *(["against"] if options.against and "against" not in options.only else [])]
        found = measure(settings, names, lambda found: write_json(options.json, found))
    show(found)
    print(f"written: {options.json}")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalogue", type=_there, help="a table with the public catalogue's columns")
    parser.add_argument("--images", type=_there, help="the folder of its pictures")
    parser.add_argument("--items", type=int, default=2048, help="how many of its rows")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each measurement")
    parser.add_argument("--only", type=_names, default=list(USUAL), help=f"of {', '.join(PARTS)}")
    parser.add_argument("--against", action="store_true", help="also what others would write")
    parser.add_argument("--bundle", type=_there, help="to tag with, instead of one trained for an epoch")
    parser.add_argument("--ludwig", type=_there, help="its environment, made by against/make_ludwig_environment.sh")
    parser.add_argument("--json", type=Path, default=Path("speed.json"))
    parser.add_argument("overrides", nargs="*", help="of the training's config")
    options = parser.parse_intermixed_args(arguments)
    if (options.catalogue is None) != (options.images is None):
        parser.error("--catalogue and --images go together")
    return options


def _there(text: str) -> Path:
    if not (path := Path(text)).exists():
        raise argparse.ArgumentTypeError(f"{text}: no such file or folder")
    return path.resolve()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if strange := [name for name in names if name not in PARTS]:
        raise argparse.ArgumentTypeError(f"{', '.join(strange)}: no part; choose of {', '.join(PARTS)}")
    return names


def measure(
    settings: Settings, names: Sequence[str], keep: Callable[[dict[str, Any]], None] = lambda found: None
) -> dict[str, Any]:
    """The parts, one after another: their figures, how long each took, and where. After each, what there is goes to
    `keep`: another may fail."""
    found: dict[str, Any] = {"settings": _settings(settings), "machine": machine(), "parts": {}, "seconds": {}}
    for name in names:
        sys.stderr.write(f"{name} ...\n")
        began = time.monotonic()
        found["parts"][name] = {figure.name: figure.to_json() for figure in PARTS[name](settings)}
        found["seconds"][name] = round(time.monotonic() - began, 1)
        found["machine"]["load_after"] = [round(each, 2) for each in os.getloadavg()]
        keep(found)
        sys.stderr.write(f"{name}: {found['seconds'][name]} s\n")
    return found


def _settings(settings: Settings) -> dict[str, Any]:
    config = settings.config
    return {
        "catalogue": str(settings.catalogue or "sample"),
        "items": settings.items,
        "repeats": settings.repeats,
        "epochs": settings.epochs,
        "overrides": list(settings.overrides),
        "precision": config.trainer.precision,
        "batch_size": config.optim.batch_size,
        "picture": [config.preprocess.height, config.preprocess.width],
    }


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    models = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load_before": [round(each, 2) for each in os.getloadavg()],
    }


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []


def show(found: Mapping[str, Any]) -> None:
    """As a table."""
    table = Table("what", "median", "lowest to highest", "of what", "asked", box=SIMPLE)
    for column in table.columns[1:3]:
        column.justify = "right"
    for part, figures in found["parts"].items():
        table.add_section()
        table.add_row(f"[bold]{part}[/bold]")
        for name, figure in figures.items():
            spread = f"{_short(figure['lowest'])} to {_short(figure['highest'])}" if figure["turns"] else ""
            table.add_row(f"  {name}", _short(figure["median"]), spread, figure["of_what"], figure["asked"])
    where = found["machine"]
    console = Console(highlight=False)
    console.width = max(console.width, WIDTH)
    console.print(table)
    console.print(
        f"{where['processor']}, {where['cores']} cores, {where['threads']} threads, torch {where['torch']}, "
        f"{found['settings']['precision']}, load {where['load_before'][0]} before and {where['load_after'][0]} after"
    )


def _short(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.4g}"


if __name__ == "__main__":
    main()
