"""What labels of other items than training's are worth: thresholds fitted to one part of a run's test items, or of
these with the label words struck from their titles, and judged on the rest.

    python tests/benchmarks/recalibration.py run=<runs/train/...> catalogue=<csv> images=<dir> [labels=1000]
        [strike=true] [seed=0]

Families are dealt whole: `labels` items to `task=calibrate`, the others to judge by. Prints one JSON object: of the
items judged, what the bundle's own thresholds accept and how many of these are right, and what the new ones do.
"""

import csv
import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from run_items import test_rows

from fashionmt.bundle import Bundle, read_bundle
from fashionmt.calibrate import calibrate_bundle
from fashionmt.calibrate.labelled import Labelled, read_labelled
from fashionmt.config import PredictConfig
from fashionmt.data.label_words import label_words, strike
from fashionmt.data.splits import normalised_title
from fashionmt.decoding import Decoders
from fashionmt.inference.job import open_reader
from fashionmt.training.evaluation import score_decoded

BATCH = 128


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    run = Path(options["run"])
    bundle = read_bundle(run / "bundle")
    rows = test_rows(run, bundle, options["catalogue"])
    labelled, judged = _dealt(rows, bundle, int(options.get("labels", 1000)), int(options.get("seed", 0)))
    if options.get("strike") == "true":
        labelled, judged = (_struck(part, bundle) for part in (labelled, judged))
    with tempfile.TemporaryDirectory() as place:
        config = PredictConfig(
            bundle=str(run / "bundle"),
            catalogue=_written(labelled, Path(place) / "labelled.csv"),
            images=options["images"],
            output=str(Path(place) / "bundle"),
            batch_size=BATCH,
        )
        told = calibrate_bundle(config)
        config = replace(config, catalogue=_written(judged, Path(place) / "judged.csv"))
        others = read_labelled(open_reader(config, bundle), bundle, BATCH, 0.05)
        after = read_bundle(Path(place) / "bundle").decoders
    result = {
        "labelled": told["items"],
        "judged": len(others),
        "stated": {name: row["target_accuracy"] for name, row in told["after"]["attributes"].items()},
        "before": _scores(bundle.decoders, others),
        "by_folds": _brief(told["after"]),
        "after": _scores(after, others),
    }
    print(json.dumps(result, indent=1))


def _dealt(
    rows: list[dict[str, str]], bundle: Bundle, count: int, seed: int
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """Items of `count` or a few more, in whole families of the same title, and the others."""
    family = [normalised_title(row[bundle.columns.title or ""]) or row[bundle.columns.id] for row in rows]
    place = {name: at for at, name in enumerate(np.random.default_rng(seed).permutation(sorted(set(family))))}
    order = sorted(range(len(rows)), key=lambda row: place[family[row]])
    while count < len(order) and family[order[count]] == family[order[count - 1]]:
        count += 1
    return [rows[row] for row in order[:count]], [rows[row] for row in order[count:]]


def _struck(rows: list[dict[str, str]], bundle: Bundle) -> list[dict[str, str]]:
    words = label_words(name for space in bundle.spaces.values() for name in space.classes)
    title = bundle.columns.title or ""
    return [{**row, title: strike(row[title], words) or ""} for row in rows]


def _written(rows: list[dict[str, str]], path: Path) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def _scores(decoders: Decoders, items: Labelled) -> dict[str, Any]:
    decoded = decoders(items.whole.logits, items.whole.views)
    return _brief(score_decoded(decoded, items.whole.labels, items.spaces, decoders.whole.thresholds))


def _brief(scores: dict[str, Any]) -> dict[str, Any]:
    kept = ("accuracy", "accepted", "accepted_accuracy", "ece")
    rows = {**scores["attributes"], "item": scores["item"] | {"accuracy": scores["exact_match"]}}
    return {
        name: {key: row[key] if row.get(key) is None else round(row[key], 4) for key in kept if key in row}
        for name, row in rows.items()
    }


if __name__ == "__main__":
    main()
