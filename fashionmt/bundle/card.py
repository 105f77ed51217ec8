"""The model card: what a person should know before using a bundle."""

from collections.abc import Mapping
from typing import Any

from fashionmt.bundle.content import Bundle
from fashionmt.shown import NAMES


def model_card(bundle: Bundle) -> str:
    """What a person should know before using it, in the manner of Mitchell et al. 2019 (arXiv:1810.03993)."""
    measured = bundle.metrics.get("measured_on", "test")
    lines = [
        "# A fashionmt bundle",
        "",
        f"Reads: {_reads(bundle)}. Answers: {', '.join(bundle.spaces)}.",
        "",
        f"| attribute | classes | accuracy on {measured} | macro-F1 | items | accepted, at an accuracy of |",
        "| --- | ---: | ---: | ---: | ---: | --- |",
    ]
    for name, row in bundle.metrics.get("attributes", {}).items():
        scores = f"{_share(row['accuracy'])} | {_share(row['macro_f1'])} | {row['items']}"
        lines.append(f"| {name} | {len(bundle.spaces[name])} | {scores} | {_accepted(row)} |")
    for view, scores in bundle.metrics.get("alone", {}).items():
        lines += ["", *_alone(view, scores, measured)]
    calibrated_on = bundle.provenance.get("calibrated_on", "validation")
    calibrated = f"calibrated on {calibrated_on}" if bundle.decoder.temperatures else "not calibrated"
    lines += ["", f"Confidences are {calibrated}. It knows only the classes of its training rows.", ""]
    if (taxonomy := bundle.decoder.taxonomy) is not None:
        lines += [f"Answers to {', '.join(taxonomy.attributes)} are combinations of its training rows.", ""]
    lines += [f"- {key}: {value}" for key, value in bundle.provenance.items()]
    return "\n".join([*lines, "", "Use: `fashionmt.load_bundle(folder).tag(items)`.", ""])


def _alone(view: str, scores: Mapping[str, Any], measured: str) -> list[str]:
    """What it is worth to an item that shows one input of two."""
    lines = [
        f"Of an item that has {NAMES[view]} alone (confidences and thresholds were fitted for such items):",
        "",
        f"| attribute | accuracy on {measured} | items | accepted, at an accuracy of |",
        "| --- | ---: | ---: | --- |",
    ]
    for name, row in scores["attributes"].items():
        lines.append(f"| {name} | {_share(row['accuracy'])} | {row['items']} | {_accepted(row)} |")
    return lines


def _reads(bundle: Bundle) -> str:
    read = [*(name for name in bundle.modalities if name != "tabular"), *bundle.tabular.columns]
    return " and ".join(read)


def _share(value: float | None) -> str:
    """None: no item has the label."""
    return "-" if value is None else f"{value:.4f}"


def _accepted(row: Mapping[str, Any]) -> str:
    """The share of answers that the threshold accepts, and how many of these are right."""
    if row.get("accepted_accuracy") is None:
        return f"none (aim {row['target_accuracy']:g})" if "target_accuracy" in row else "none"
    return f"{row['accepted']:.1%}, at {row['accepted_accuracy']:.4f} (aim {row['target_accuracy']:g})"
