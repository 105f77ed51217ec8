"""What an exported model is held to before it is written: the bundle's tags, or its accuracy; and how fast it is."""

import statistics
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from fashionmt.errors import UserError
from fashionmt.inference import Item, ItemTags, TaggingEngine

SAME_TAGS = 0.999
"""The least share of items that a float model tags as the bundle does."""
ACCURACY_LOSS = 0.002
"""The most that an attribute's accuracy may fall in int8."""
LEAST_SHOWN = 0.1
"""The least share of items that show a picture, or a title, of a model that reads it."""
REPAIRS = {"image": "Name the folder: images=<folder>", "text": "Name their column: columns.title=<column>"}
OWN = "torch"
"""What computes the bundle itself."""
TURNS = 3
RATE_ITEMS = 512


@dataclass(frozen=True)
class Checks:
    """What was found, on the same items by both."""

    items: int
    same_tags: Mapping[str, float]
    """Runtime -> the share of items whose tags are all the same."""
    accuracy: Mapping[str, Mapping[str, float]]
    """Attribute -> runtime -> the accuracy on the items with a label; `torch` is the bundle's own."""
    items_per_second: Mapping[str, float]
    """Runtime -> from pictures and titles to answers; `torch` is the bundle's own."""
    unlabelled: Sequence[str] = ()
    """Attributes that no item has a label of."""


def demand_inputs(inputs: Sequence[Collection[str]], reads: Collection[str]) -> None:
    """Raises `UserError` where hardly an item shows what the model reads: int8 would be fitted to blank pictures, and
    held to what it says of them.

    `inputs`: what is shown by each of the items that the model is calibrated by, which are drawn as those are that it
    is checked by.
    """
    for name, thing in (("image", "pictures"), ("text", "titles")):
        shown = sum(name in item for item in inputs)
        if name in reads and shown < LEAST_SHOWN * len(inputs):
            wrong = f"{shown} of {len(inputs)} items drawn from it show one, and the model reads them"
            raise UserError(f"the catalogue's {thing}", wrong, REPAIRS[name])


def compare(bundle: TaggingEngine, exported: Mapping[str, TaggingEngine], items: Sequence[Item]) -> Checks:
    """`exported`: runtime -> the model in it. `items` hold labels where they are `given`."""
    asked = [replace(item, given={}) for item in items]
    engines = {OWN: bundle, **exported}
    found = {runtime: engine.tag(asked) for runtime, engine in engines.items()}
    same = {
        runtime: sum(_answers(one) == _answers(other) for one, other in zip(found[OWN], tags, strict=True)) / len(items)
        for runtime, tags in found.items()
        if runtime != OWN
    }
    accuracy = {
        name: {runtime: _right(name, tags, items) for runtime, tags in found.items()}
        for name in bundle.bundle.spaces
        if any(name in item.given for item in items)
    }
    unlabelled = [name for name in bundle.bundle.spaces if name not in accuracy]
    return Checks(len(items), same, accuracy, _rates(engines, asked[:RATE_ITEMS]), unlabelled)


def demand_same_tags(checks: Checks) -> None:
    """Raises `UserError` where a float model tags otherwise than the bundle."""
    for runtime, same in checks.same_tags.items():
        if same < SAME_TAGS:
            wrong = f"tags {same:.2%} of {checks.items} items as the bundle does, and {SAME_TAGS:.1%} are asked"
            repair = "Use runtime=torch with this bundle, and please report it"
            raise UserError(f"the exported model by {runtime}", wrong, repair)


def demand_accuracy(checks: Checks) -> None:
    """Raises `UserError` where int8 costs an attribute accuracy, or there is nothing to tell by."""
    if checks.unlabelled:
        wrong = f"the catalogue holds no labels of {', '.join(checks.unlabelled)} to check it by"
        raise UserError("export.precisions=[int8]", wrong, "Name one that does: catalogue=<file> images=<folder>")
    for name, by_runtime in checks.accuracy.items():
        runtime, after = min(by_runtime.items(), key=lambda each: each[1])
        if (before := by_runtime[OWN]) - after > ACCURACY_LOSS:
            wrong = f"{name}'s accuracy is {after:.2%} by {runtime}, the bundle's {before:.2%}, on {checks.items} items"
            repair = "Calibrate on more (export.calibration_items), or use export.precisions=[32-true]"
            raise UserError("export.precisions=[int8]", wrong, repair)


def _answers(tags: ItemTags) -> dict[str, str]:
    return {name: tag.value for name, tag in tags.tags.items()}


def _right(name: str, tagged: Sequence[ItemTags], items: Sequence[Item]) -> float:
    known = [(tags, item.given[name]) for tags, item in zip(tagged, items, strict=True) if name in item.given]
    return sum(tags.tags[name].value == label for tags, label in known if tags.problem is None) / len(known)


def _rates(engines: Mapping[str, TaggingEngine], items: Sequence[Item]) -> dict[str, float]:
    """Medians of several turns."""
    seconds: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(TURNS):
        for name, engine in engines.items():
            start = time.perf_counter()
            engine.tag(items)
            seconds[name].append(time.perf_counter() - start)
    return {name: round(len(items) / statistics.median(each), 1) for name, each in seconds.items()}
