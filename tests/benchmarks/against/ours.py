"""fashionmt itself, as the other systems here are run: the same rows, towers, picture size, batch and clock.

    python tests/benchmarks/against/ours.py [catalogue=<csv> images=<dir>] [items=2048] [batch=128] [epochs=2]
        [threads=2] [precision=32-true]

Training: `Trainer.fit` as `train.py` sets it up, on nearly all rows; the first epoch is left out, and so are the cache
of pictures, which is made before it, and validation. Tagging: from the table's file to `_SUCCESS`, pictures decoded,
after two batches of warm-up, the model in memory. Prints one JSON object, memory as `watched.held` counts it.
"""

import csv
import json
import sys
from pathlib import Path

import torch
from watched import asked, watched

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as for the other benchmarks

from speed_parts.settings import composed
from speed_parts.whole_training import train
from tagging import Tagged, bare, end_to_end, prepare, read_items

import fashionmt
from fashionmt.bundle import save_bundle
from fashionmt.config import TrainConfig
from fashionmt.data.sample import sample_catalogue
from fashionmt.inference import load_bundle
from fashionmt.paths import cache_dir
from fashionmt.training.concluding import evaluate
from fashionmt.training.fitting import device_of
from fashionmt.training.loading import load_data
from fashionmt.training.run_folder import RunFolder

FEW = 0.01
"""The share of rows for each of validation and test: the others train on all."""


def main() -> None:
    options = asked(sys.argv[1:])
    measured = measure(options) if "rows" in options else watched(Path(__file__), options)
    print(json.dumps(measured))


def measure(options: dict[str, str]) -> dict[str, object]:
    """Both rates."""
    torch.set_num_threads(int(options["threads"]))
    rows, batch, epochs = Path(options["rows"]), int(options["batch"]), int(options["epochs"])
    images = Path(options["images"]) if "images" in options else sample_catalogue(cache_dir()).images
    config = _config(rows, images, batch, options["precision"])
    data = load_data(config)
    trained = train(config, data, _new(Path("run")), epochs - 1)
    bundle, _ = evaluate(config, data, trained.module, device_of(config.trainer))
    save_bundle(bundle, Path("bundle"))
    engine = load_bundle("bundle", batch)
    tagged = Tagged(Path("bundle"), rows, images)
    items = read_items(tagged.job(engine, Path("items")))
    bare(engine, prepare(engine, items[: 2 * batch]))
    seconds, _ = end_to_end(engine, tagged, Path("tags"))
    with rows.open(newline="", encoding="utf-8") as file:
        count = sum(1 for _ in csv.DictReader(file))
    return {
        "system": "fashionmt",
        "train_items_per_second": round(trained.items / trained.seconds, 1),
        "tag_items_per_second": round(count / seconds, 1),
        "items": count,
        "batch_size": batch,
        "epochs": epochs,
        "threads": torch.get_num_threads(),
        "precision": options["precision"],
        "versions": {"torch": torch.__version__, "fashionmt": fashionmt.__version__},
    }


def _config(rows: Path, images: Path, batch: int, precision: str) -> TrainConfig:
    columns = ["data.columns.picture=image", "data.min_count=1", "similarity=null"]
    split = [f"data.split.{part}_fraction={FEW}" for part in ("test", "validation")]
    training = [f"optim.batch_size={batch}", f"trainer.precision={precision}", "trainer.accelerator=cpu"]
    config = composed("data=catalogue", "data.catalogue=rows", *columns, *split, *training)
    config.data.catalogue, config.data.images = str(rows), str(images)
    return config


def _new(root: Path) -> RunFolder:
    root.mkdir()
    return RunFolder(root)


if __name__ == "__main__":
    main()
