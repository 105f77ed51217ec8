"""What is asked of the engine and what it answers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from fashionmt.errors import UserError, nearest
from fashionmt.inference.pictures import PictureSource
from fashionmt.problems import Problem


@dataclass(frozen=True)
class StoredPicture:
    """A picture by its name in the place where it lies."""

    source: PictureSource
    name: str

    def read(self) -> bytes:
        """Its encoded bytes. Raises `PictureRefused`."""
        return self.source.read(self.name)


Picture = Path | str | bytes | Image.Image | StoredPicture
"""A file, its encoded bytes, an opened picture, or a name and the place where it lies."""


@dataclass(frozen=True)
class Item:
    """An item to tag: a title, a picture, or both."""

    id: str = ""
    title: str | None = None
    image: Picture | None = None
    picture_problem: Problem | None = None
    """Why a picture that the item names is not handed over."""
    given: Mapping[str, str] = field(default_factory=dict)
    """Attribute -> its value, of those that are known already: kept, and the others answer as goes with them."""
    tabular: Mapping[str, str | None] = field(default_factory=dict)
    """Of the other columns that the model reads, `year` say, those that are known, as texts."""


def item_of(asked: Item | Mapping[str, Any]) -> Item:
    """An item as it is, or from a mapping with names of its fields. Raises `UserError` for other names."""
    if isinstance(asked, Item):
        return asked
    known = [each.name for each in fields(Item)]
    for name in asked:
        if name not in known:
            repair = f"{nearest(str(name), known)}Use {', '.join(known)}"
            raise UserError("item", f"has no field {name!r}", repair)
    return Item(**asked)


@dataclass(frozen=True)
class Tag:
    """A head's answer."""

    value: str
    confidence: float | None
    """In [0, 1]: the share of such answers that are right, as far as the bundle is calibrated; None for a value that
    was given."""
    accepted: bool = False
    """Its confidence is at or above the head's threshold, False where the bundle has none; or it was given, and the
    model does not contradict it. Of one that goes with a given value which the model contradicts: the model by itself
    would be accepted with the same."""
    alternatives: tuple[tuple[str, float], ...] = ()
    """The three most probable classes besides the answer, and their probabilities, falling. With a taxonomy one may
    be above the answer's own: the answers are the classes of the best combination."""
    given: bool = False
    """It was known already."""


@dataclass(frozen=True)
class ItemTags:
    """The engine's answer for one item."""

    id: str
    tags: dict[str, Tag]
    """Attribute -> answer; empty where the item could not be tagged."""
    inputs: tuple[str, ...]
    """What was read: of `image`, `text` and `tabular`."""
    picture_problem: Problem | None
    """Why its picture was not read, or None."""
    problem: Problem | None
    """Why the item could not be tagged, or None."""
    confidence: float | None = None
    """That all its predicted tags are right; None where none is predicted."""
    accepted: bool = False
    """This confidence is at or above the item's threshold."""
    review_reasons: tuple[str, ...] = ()
    """Why a person should look: `unknown` (an item like none in training), `low_confidence:<attribute>`,
    `no_threshold:<attribute>`, `contradicts:<attribute>=<the model's answer>`, `unknown_value:<attribute>`; none where
    all is accepted."""
    embedding: npt.NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    """(D,), where the engine was asked for it: what the heads read."""
    vector: npt.NDArray[np.float32] | None = field(default=None, compare=False, repr=False)
    """(E,), where the engine was asked for it: the unit vector by which it is compared with others."""
