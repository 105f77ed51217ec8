"""What tagging holds of memory, files and threads, at more and more rows.

    python tests/benchmarks/tagging_memory.py [rows=100000,1000000] [bad=false]

Trains a model of a few seconds on the sample, and tags so many rows with it, the same pictures again and again, in a
process of its own each. `bad=true`: no row can be tagged. Prints one JSON object: the most megabytes that the process
held, the most files and threads that it had open, rows a second.
"""

import json
import os
import subprocess
import sys
import tempfile
from itertools import cycle, islice
from pathlib import Path

from fashionmt.data.sample import sample_catalogue
from fashionmt.paths import cache_dir

TOP = Path(__file__).resolve().parents[2]
SMALL = [
    "model.text.hidden_size=16",
    "model.text.layers=1",
    "preprocess.height=24",
    "preprocess.width=18",
    "trainer.max_epochs=1",
    "trainer.precision=32-true",
    "report=false",
]
WATCHED = """
import json, resource, sys, threading, time, os
from fashionmt.config import PredictConfig
from fashionmt.inference.run import tag_catalogue
most = {"files": 0, "threads": 0}
def watch():
    while True:
        most["files"] = max(most["files"], len(os.listdir("/proc/self/fd")))
        most["threads"] = max(most["threads"], len(os.listdir("/proc/self/task")))
        time.sleep(0.2)
threading.Thread(target=watch, daemon=True).start()
bundle, catalogue, images, output = sys.argv[1:]
done = tag_catalogue(PredictConfig(bundle=bundle, catalogue=catalogue, images=images, output=output, batch_size=512,
                                   max_bad_fraction=1.0, early_stop=False))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
print(json.dumps({"rows": done["rows"], "tagged": done["tagged"], "megabytes": round(peak), **most,
                  "rows_per_second": done["rows_per_second"]}))
"""


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    bad = options.get("bad") == "true"
    with tempfile.TemporaryDirectory() as folder:
        drawn = sample_catalogue(cache_dir())
        bundle = train(Path(folder))
        found = []
        for count in options.get("rows", "100000,1000000").split(","):
            catalogue = Path(folder) / f"{count}.csv"
            write(catalogue, int(count), [] if bad else sorted(path.stem for path in drawn.images.glob("*.jpg")))
            command = [sys.executable, "-c", WATCHED, str(bundle), str(catalogue), str(drawn.images)]
            done = subprocess.run([*command, str(Path(folder) / count)], cwd=TOP, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(done.stderr)
            found.append(json.loads(done.stdout.splitlines()[-1]))
        print(json.dumps({"bad": bad, "runs": found}))


def train(folder: Path) -> Path:
    """A bundle of both inputs, as small as it can be."""
    command = [sys.executable, str(TOP / "train.py"), *SMALL, f"hydra.run.dir={folder / 'run'}"]
    subprocess.run(
        command, cwd=folder, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": str(TOP)}
    )
    return folder / "run/bundle"


def write(path: Path, rows: int, ids: list[str]) -> None:
    """Rows with a title, of the ids again and again; without ids: of nothing."""
    with path.open("w", encoding="utf-8") as file:
        file.write("id,productDisplayName\n")
        for i, item in enumerate(islice(cycle(ids or ["nowhere"]), rows)):
            file.write(f"{item},{f'Blue Shirt {i % 997}' if ids else ''}\n")


if __name__ == "__main__":
    main()
