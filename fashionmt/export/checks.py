"""What an exported model is held to before it is written: the bundle's tags, or its accuracy; and how fast it is."""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fashionmt.errors import UserError
from fashionmt.inference import Item, ItemTags, TaggingEngine

SAME_TAGS = 0.999
"""The least share of items that a float model tags as the bundle does."""
ACCURACY_LOSS = 0.002
"""The most that an attribute's accuracy may fall in int8."""
TURNS = 3
RATE_ITEMS = 512


@dataclass(frozen=True)
class Checks:
    """What was found, on the same items by both."""

    items: int
    same_tags: float
    """The share of items whose tags are all the same."""
    accuracy: Mapping[str, tuple[float, float]]
    """Attribute -> of the items with a label, the bundle's accuracy and the exported model's."""
    items_per_second: Mapping[str, float]
    """Runtime -> from pictures and titles to answers; `torch` is the bundle's own."""


def compare(bundle: TaggingEngine, exported: Mapping[str, TaggingEngine], items: Sequence[Item]) -> Checks:
    """`exported`: runtime -> the model in it; the first is compared. `items` hold labels where they are `given`."""
    asked = [replace(item, given={}) for item in items]
    truth, found = bundle.tag(asked), next(iter(exported.values())).tag(asked)
    same = sum(_answers(one) == _answers(other) for one, other in zip(truth, found, strict=True))
    accuracy = {
        name: (_right(name, truth, items), _right(name, found, items))
        for name in bundle.bundle.spaces
        if any(name in item.given for item in items)
    }
    return Checks(len(items), same / len(items), accuracy, _rates({"torch": bundle, **exported}, asked[:RATE_ITEMS]))


def demand_same_tags(checks: Checks) -> None:
    """Raises `UserError` where a float model tags otherwise than the bundle."""
    if checks.same_tags < SAME_TAGS:
        wrong = f"tags {checks.same_tags:.2%} of {checks.items} items as the bundle does, and {SAME_TAGS:.1%} are asked"
        raise UserError("the exported model", wrong, "Use runtime=torch with this bundle, and please report it")


def demand_accuracy(checks: Checks) -> None:
    """Raises `UserError` where int8 costs accuracy, or there is nothing to tell by."""
    if not checks.accuracy:
        wrong = "the catalogue holds no labels to check it by"
        raise UserError("export.precisions=[int8]", wrong, "Name one that does: catalogue=<file> images=<folder>")
    for name, (before, after) in checks.accuracy.items():
        if before - after > ACCURACY_LOSS:
            wrong = f"{name}'s accuracy is {after:.2%}, the bundle's {before:.2%}, on {checks.items} items"
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
