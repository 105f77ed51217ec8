"""One system in a process of its own: its inputs are made, it is run and its memory is watched."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psutil

HERE = Path(__file__).resolve().parent
TOP = HERE.parents[2]
DEFAULTS = {"items": "2048", "batch": "128", "epochs": "2", "threads": "2", "workers": "2", "precision": "32-true"}
OF_INPUTS = ("catalogue", "images", "items")
PRECISIONS = ("32-true", "bf16-mixed")
EVERY = 0.5
"""Seconds between two looks at the memory: each walks the page tables, some milliseconds a gigabyte."""


def asked(arguments: list[str], *more: str) -> dict[str, str]:
    """The `key=value` arguments over `DEFAULTS`; `more`: other keys that are allowed."""
    options = dict(argument.split("=", 1) for argument in arguments)
    known = {*DEFAULTS, *OF_INPUTS, "rows", "tokenizer", *more}
    if unknown := sorted(set(options) - known):
        raise SystemExit(f"{', '.join(unknown)}: no such option; one of {', '.join(sorted(known))}")
    options = DEFAULTS | options
    if options["precision"] not in PRECISIONS:
        raise SystemExit(f"precision={options['precision']}: one of {', '.join(PRECISIONS)}")
    if int(options["epochs"]) < 2:
        raise SystemExit(f"epochs={options['epochs']}: the first one is not timed; take 2 or more")
    return options


def watched(script: Path, options: dict[str, str], interpreter: str = sys.executable) -> dict[str, object]:
    """What `script` prints as its last line, given `rows` and `tokenizer`, and `peak_rss_mb`."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        taken = [f"{key}={options[key]}" for key in OF_INPUTS if key in options]
        command = [sys.executable, str(HERE / "inputs.py"), f"folder={folder}", *taken]
        path = os.pathsep.join(filter(None, [str(TOP), os.environ.get("PYTHONPATH")]))
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": path})
        given = options | {"rows": str(folder / "rows.csv"), "tokenizer": str(folder / "tokenizer")}
        command = [interpreter, str(script), *(f"{key}={value}" for key, value in given.items())]
        found, peak = _run(command, folder, options["threads"])
    return {**found, "peak_rss_mb": round(peak / 1e6)}


def _run(command: list[str], folder: Path, threads: str) -> tuple[dict[str, object], int]:
    """Its last line, and the most bytes that it and its children held."""
    # Offline: what would be downloaded is an error at once. Threads for NumPy's and other libraries' pools too.
    own = {"OMP_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"}
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True, env=os.environ | own)
    ended, peak = threading.Event(), [0]

    def look() -> None:
        while not ended.wait(EVERY):
            peak[0] = max(peak[0], held(process.pid))

    watcher = threading.Thread(target=look)
    watcher.start()
    output, _ = process.communicate()
    ended.set()
    watcher.join()
    if process.returncode:
        raise SystemExit(process.returncode)
    return json.loads(output.splitlines()[-1]), peak[0]


def held(pid: int) -> int:
    """Bytes of a process, and of each of its children what is theirs alone: a forked one shares the rest with it."""
    try:
        process = psutil.Process(pid)
        total: int = process.memory_info().rss
        for child in process.children(recursive=True):
            total += _own(child)
    except psutil.NoSuchProcess:
        return 0
    return total


def _own(child: psutil.Process) -> int:
    try:
        own: int = child.memory_full_info().uss
    except psutil.NoSuchProcess:  # ended meanwhile
        return 0
    return own
