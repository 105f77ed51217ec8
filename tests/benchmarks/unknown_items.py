"""How many items of classes that training never saw tagging marks `unknown`, and how many others it marks so wrongly.

    FASHIONMT_DATA=<folder> python tests/benchmarks/unknown_items.py [types=10] [limit_items=8000] [epochs=6] [seed=0]

Article types are drawn by seed among those of fifty items and more, and left out of the catalogue with all their items;
`experiment=fashion_products` is trained on what remains. Then up to 1,500 items of each side are tagged by both inputs,
by the title and by the picture alone: those left out, and the run's own test items. Prints one JSON object.
"""

import csv
import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fashionmt.data.tables import Table
from fashionmt.inference import Item, load_bundle

TOP = Path(__file__).resolve().parents[2]
TYPE, TITLE, LEAST, MOST = "articleType", "productDisplayName", 50, 1500
Row = dict[str, str]


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    draw = random.Random(int(options.get("seed", 0)))
    data = Path(os.environ["FASHIONMT_DATA"])
    rows = [row.values for row in Table(data / "styles.csv", TITLE).rows()]
    counts = Counter(row[TYPE] for row in rows)
    types = draw.sample(sorted(name for name, count in counts.items() if count >= LEAST), int(options.get("types", 10)))
    with tempfile.TemporaryDirectory() as folder:
        run = train(Path(folder), [row for row in rows if row[TYPE] not in types], data / "images", options)
        with (run / "split.csv").open(newline="") as file:
            test = {row["id"] for row in csv.DictReader(file) if row["split"] == "test"}
        asked = {
            "left_out": [row for row in rows if row[TYPE] in types],
            "test": [row for row in rows if row["id"] in test],
        }
        marked = {
            name: marks(run / "bundle", draw.sample(of, min(MOST, len(of))), data / "images")
            for name, of in asked.items()
        }
    print(json.dumps({"types": types, "marked_unknown": marked}, indent=1))


def train(folder: Path, rows: Sequence[Row], images: Path, options: dict[str, str]) -> Path:
    """The folder of a run on these rows."""
    catalogue, run = folder / "known.csv", folder / "run"
    with catalogue.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    command = [
        *(sys.executable, "train.py", "experiment=fashion_products", "report=false", f"hydra.run.dir={run}"),
        *(f"data.catalogue={catalogue}", f"data.images={images}"),
        f"limit_items={options.get('limit_items', 8000)}",
        f"trainer.max_epochs={options.get('epochs', 6)}",
    ]
    subprocess.run(command, check=True, cwd=TOP, stdout=sys.stderr)
    return run


def marks(bundle: Path, rows: Sequence[Row], images: Path) -> dict[str, float]:
    """Of the items, by what is read of them, the share that is marked; `items` of them."""
    engine = load_bundle(bundle)
    both = [Item(row["id"], row[TITLE], images / f"{row['id']}.jpg") for row in rows]
    views = {
        "image+text": both,
        "text": [replace(item, image=None) for item in both],
        "image": [replace(item, title=None) for item in both],
    }
    shares = {"items": float(len(both))}
    for view, items in views.items():
        tagged = [tags for tags in engine.tag(items) if tags.problem is None]
        shares[view] = round(sum("unknown" in tags.review_reasons for tags in tagged) / len(tagged), 4)
    return shares


if __name__ == "__main__":
    main()
