"""What tagging gets right of a run's own test items: what was accepted, with article types given and without.

    python tests/benchmarks/tagging_quality.py run=<runs/train/...> catalogue=<csv> images=<dir>

The items are tagged by `tag_catalogue` from a catalogue that holds no labels, then from one that gives the article
types. Prints one JSON object; shares are of the items that have the label.
"""

import csv
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyarrow.parquet
from run_items import test_rows

from fashionmt.bundle import Bundle, read_bundle
from fashionmt.config import PredictConfig
from fashionmt.inference.run import tag_catalogue

GIVEN = "articleType"


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    run = Path(options["run"])
    bundle = read_bundle(run / "bundle")
    labels = {row[bundle.columns.id]: row for row in test_rows(run, bundle, options["catalogue"])}
    with tempfile.TemporaryDirectory() as folder:
        alone = _tagged(Path(folder) / "alone", options, labels, bundle, [])
        given = _tagged(Path(folder) / "given", options, labels, bundle, [GIVEN])
    parents = [
        name for name in (bundle.decoder.taxonomy.attributes if bundle.decoder.taxonomy else ()) if name != GIVEN
    ]
    result: dict[str, Any] = {"items": len(alone), "attributes": {}}
    for name in bundle.spaces:
        result["attributes"][name] = _shares(name, alone, labels) | {"right_with_type": _right(name, given, labels)}
    result["parents_right_with_type"] = {name: _right(name, given, labels) for name in parents}
    result["item"] = _item_shares(alone, labels, list(bundle.spaces))
    result["impossible_combinations"] = sum(_impossible(row, bundle) for row in alone)
    print(json.dumps(result, indent=1))


def _tagged(
    folder: Path, options: dict[str, str], labels: dict[str, Any], bundle: Bundle, given: list[str]
) -> list[dict[str, Any]]:
    """The output's rows."""
    folder.mkdir()
    columns = [bundle.columns.id, bundle.columns.title or "", *given]
    catalogue = folder / "items.csv"
    with catalogue.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(labels.values())
    config = PredictConfig(
        bundle=str(Path(options["run"]) / "bundle"),
        catalogue=str(catalogue),
        images=options["images"],
        output=str(folder / "tags"),
    )
    tag_catalogue(config)
    parts = sorted((folder / "tags").glob("part-*.parquet"))
    return [row for part in parts for row in pyarrow.parquet.read_table(part).to_pylist()]


def _known(name: str, rows: list[dict[str, Any]], labels: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """The rows whose item has a label, and the label."""
    return [(row, label) for row in rows if (label := labels[row["id"]][name].strip())]


def _right(name: str, rows: list[dict[str, Any]], labels: dict[str, Any]) -> float:
    known = _known(name, rows, labels)
    return round(sum(row[name] == label for row, label in known) / len(known), 4)


def _shares(name: str, rows: list[dict[str, Any]], labels: dict[str, Any]) -> dict[str, float | None]:
    known = _known(name, rows, labels)
    accepted = [(row, label) for row, label in known if row[f"{name}_decision"] == "accept"]
    right = sum(row[name] == label for row, label in accepted)
    return {
        "right": _right(name, rows, labels),
        "accepted": round(len(accepted) / len(known), 4),
        "accepted_right": round(right / len(accepted), 4) if accepted else None,
    }


def _item_shares(rows: list[dict[str, Any]], labels: dict[str, Any], names: list[str]) -> dict[str, float | None]:
    """Of the items with every label."""
    whole = [row for row in rows if all(labels[row["id"]][name].strip() for name in names)]
    right = {row["id"] for row in whole if all(row[name] == labels[row["id"]][name].strip() for name in names)}
    accepted = [row["id"] for row in whole if row["item_decision"] == "accept"]
    return {
        "right": round(len(right) / len(whole), 4),
        "accepted": round(len(accepted) / len(whole), 4),
        "accepted_right": round(sum(item in right for item in accepted) / len(accepted), 4) if accepted else None,
    }


def _impossible(row: dict[str, Any], bundle: Bundle) -> bool:
    if bundle.decoder.taxonomy is None:
        return False
    spaces = [bundle.spaces[name] for name in bundle.decoder.taxonomy.attributes]
    answer = tuple(
        space.classes.index(row[name]) for space, name in zip(spaces, bundle.decoder.taxonomy.attributes, strict=True)
    )
    return answer not in {tuple(each) for each in bundle.decoder.taxonomy.combinations}


if __name__ == "__main__":
    main()
