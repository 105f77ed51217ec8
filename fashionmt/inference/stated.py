"""Which accuracy the accepted tags are to have, and whether validation showed how to reach it."""

from collections.abc import Collection
from dataclasses import dataclass

from fashionmt.decoding import Decoders

WHOLE = "all of them"
"""An item's tags, beside the attributes."""


@dataclass(frozen=True)
class Stated:
    """For one attribute, or for `WHOLE`."""

    accuracy: float
    """The share of accepted tags that is to be right."""
    reached: bool
    """False: the held-out items showed no threshold for it, and nothing is accepted."""


def stated(decoders: Decoders, views: Collection[str]) -> dict[str, Stated] | None:
    """Attribute, or `WHOLE` -> what is stated; None of a bundle without thresholds.

    `views`: what the items show. It is reached where one of them has a threshold.
    """
    each = [thresholds for view in views or [""] if (thresholds := decoders.of(view).thresholds) is not None]
    if not each:
        return None
    heads = {name: [thresholds.heads[name] for thresholds in each] for name in each[0].heads}
    return {
        name: Stated(same[0].target_accuracy, any(threshold.confidence is not None for threshold in same))
        for name, same in {**heads, WHOLE: [thresholds.item for thresholds in each]}.items()
    }
