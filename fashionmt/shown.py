"""Which inputs of an item are shown: what it is answered by, and how sure an answer is, are others for each set."""

from collections.abc import Sequence

PRIMARY = ("image", "text")
"""An item must have one of them to be read; what else a model reads, `tabular`, goes with them."""

NAMES = {"image": "the picture", "text": "the title"}
"""What people call them."""


def view_of(inputs: Sequence[str]) -> str:
    """The set of primary inputs among those that are shown: `image+text`, `image` or `text`; empty for none."""
    return "+".join(name for name in PRIMARY if name in inputs)
