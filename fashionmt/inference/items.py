"""What is asked of the engine and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

Picture = Path | str | bytes | Image.Image
"""A file, its encoded bytes, or an opened picture."""


@dataclass(frozen=True)
class Item:
    """An item to tag: a title, a picture, or both."""

    id: str = ""
    title: str | None = None
    image: Picture | None = None
    image_problem: str | None = None
    """Why a picture that the item names is not handed over."""
    tabular: Mapping[str, str | None] = field(default_factory=dict)
    """Of the other columns that the model reads, `year` say, those that are known, as texts."""


@dataclass(frozen=True)
class Tag:
    """A head's answer."""

    value: str
    confidence: float
    """In [0, 1]: the share of such answers that are right, as far as the bundle is calibrated."""
    accepted: bool = False
    """Its confidence is at or above the head's threshold; False where the bundle has none."""
    alternatives: tuple[tuple[str, float], ...] = ()
    """The three most probable classes besides the answer, and their probabilities, falling. With a taxonomy one may
    be above the answer's own: the answers are the classes of the best combination."""


@dataclass(frozen=True)
class ItemTags:
    """The engine's answer for one item."""

    id: str
    tags: dict[str, Tag]
    """Attribute -> answer; empty where the item could not be tagged."""
    inputs: tuple[str, ...]
    """What was read: of `image`, `text` and `tabular`."""
    image_problem: str | None
    """Why its picture was not read, or None."""
    problem: str | None
    """Why the item could not be tagged, or None."""
    accepted: bool = False
    """The confidence that all its tags are right is at or above the item's threshold."""
