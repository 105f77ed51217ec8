"""Contact sheets: items with their picture, title, label and answer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashionmt.attributes import LabelSpace
from fashionmt.pages import data_uri
from fashionmt.run_report.content import HeldOut
from fashionmt.run_report.suspects import Suspect

SHEET = 24
"""Items on a contact sheet."""


@dataclass(frozen=True)
class Card:
    """One item on a contact sheet."""

    id: str
    title: str | None
    pixels: npt.NDArray[np.uint8] | None
    """(H, W, 3), RGB."""
    label: str
    answer: str
    confidence: float

    @classmethod
    def of(cls, part: HeldOut, position: int, label: str, answer: str, confidence: float) -> "Card":
        """The card of an item of `part`."""
        return cls(part.ids[position], part.titles[position], part.picture(position), label, answer, confidence)

    @property
    def picture(self) -> str | None:
        """A data URI."""
        return None if self.pixels is None else data_uri(self.pixels)


def worst_mistakes(part: HeldOut, space: LabelSpace) -> list[Card]:
    """The most confident wrong answers, most confident first."""
    head = part.heads[space.attribute]
    wrong = np.flatnonzero(head.wrong)
    worst = wrong[np.argsort(-head.confidence[wrong], kind="stable")][:SHEET]
    names, classes = space.every_class, space.classes
    return [
        Card.of(part, int(i), names[head.labels[i]], classes[head.answers[i]], float(head.confidence[i])) for i in worst
    ]


def suspect_cards(suspects: Sequence[Suspect]) -> list[Card]:
    """The first of them."""
    return [Card.of(s.part, s.position, s.label, s.suggested, s.confidence) for s in suspects[:SHEET]]
