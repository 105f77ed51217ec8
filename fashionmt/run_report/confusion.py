"""Which classes a head takes for which."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix

from fashionmt.attributes import LabelSpace
from fashionmt.run_report.content import Head

MOST_CONFUSED = 15
"""Classes in a heat map."""
WORST_PAIRS = 15


@dataclass(frozen=True)
class Pair:
    """A class that was answered as another one."""

    true: str
    answered: str
    count: int
    share: float
    """Of all items of the true class."""


@dataclass(frozen=True)
class Confusion:
    """Counts by true (rows) and answered class (columns), both in the order of `classes`."""

    classes: tuple[str, ...]
    counts: npt.NDArray[np.int64]
    """(classes, classes); classes that could not be learned come last, and their columns are 0."""

    @classmethod
    def of(cls, head: Head, space: LabelSpace) -> "Confusion":
        """Count the labelled items."""
        classes = space.every_class
        if not head.labelled.any():
            return cls(classes, np.zeros((len(classes), len(classes)), dtype=np.int64))
        labels, answers = head.labels[head.labelled], head.answers[head.labelled]
        return cls(classes, confusion_matrix(labels, answers, labels=np.arange(len(classes))))

    @property
    def mistakes(self) -> npt.NDArray[np.int64]:
        """`counts` without the diagonal."""
        return np.where(np.eye(len(self.classes), dtype=bool), 0, self.counts)

    def most_confused(self) -> npt.NDArray[np.int64]:
        """The classes of most mistakes, as the label or as the answer; worst first, those without any left out."""
        mistakes = self.mistakes
        errors = mistakes.sum(0) + mistakes.sum(1)
        return np.argsort(-errors, kind="stable")[: min(MOST_CONFUSED, np.count_nonzero(errors))]

    def worst_pairs(self, limit: int = WORST_PAIRS) -> list[Pair]:
        """The most frequent mistakes first."""
        totals = self.counts.sum(1)
        true, answered = np.nonzero(self.mistakes)
        counts = self.mistakes[true, answered]
        return [
            Pair(self.classes[true[k]], self.classes[answered[k]], int(counts[k]), float(counts[k] / totals[true[k]]))
            for k in np.argsort(-counts, kind="stable")[:limit]
        ]

    def never_answered(self) -> dict[str, int]:
        """Classes with labelled items and no answer at all -> how many items, most first."""
        totals = self.counts.sum(1)
        missed = np.flatnonzero((self.counts.sum(0) == 0) & (totals > 0))
        missed = missed[np.argsort(-totals[missed], kind="stable")]
        return {self.classes[i]: int(totals[i]) for i in missed}
