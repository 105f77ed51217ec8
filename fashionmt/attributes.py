"""An attribute of a catalogue item and its label space: the classes a head can answer with, name <-> index."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

MISSING = -1
"""The label index of an item that is not labelled: masked in the loss, skipped by the metrics."""


@dataclass(frozen=True)
class LabelSpace:
    """The classes of one attribute, in index order, and those the catalogue holds but training could not learn.

    A class in `unlearned` has an index past the last logit, so the loss masks it and evaluation still counts
    every item of it as the mistake that it is.
    """

    attribute: str
    classes: tuple[str, ...]
    unlearned: tuple[str, ...] = ()
    missing: tuple[str, ...] = ("",)
    """What a catalogue writes where there is no label."""

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def every_class(self) -> tuple[str, ...]:
        """Learned classes first (the logits' order), then the unlearned ones."""
        return self.classes + self.unlearned

    @cached_property
    def index(self) -> dict[str, int]:
        """Class name -> index in `every_class`."""
        return {name: i for i, name in enumerate(self.every_class)}

    def encode(self, labels: Iterable[str | None]) -> npt.NDArray[np.int64]:
        """Indices in `every_class`, shape (items,); `MISSING` where a label is None. An unknown name is a KeyError."""
        return np.array([MISSING if name is None else self.index[name] for name in labels], dtype=np.int64)

    def stated(self, text: str) -> str | None:
        """The value that a text says, without the spaces around it; None where it says none."""
        value = text.strip()
        return None if value == "" or text in self.missing or value in self.missing else value

    def to_json(self) -> dict[str, Any]:
        """What the bundle stores: the classes a head answers with, and what is read as no label."""
        return {"attribute": self.attribute, "classes": list(self.classes), "missing": list(self.missing)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "LabelSpace":
        """The inverse of `to_json`."""
        missing = stored.get("missing", cls.missing)  # bundles of before it was stored have none
        return cls(stored["attribute"], tuple(stored["classes"]), missing=tuple(missing))
