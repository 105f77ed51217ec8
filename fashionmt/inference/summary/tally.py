"""What became of the tags of one attribute, counted."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from fashionmt.inference.summary.rows import Answer


@dataclass
class Tally:
    """Every tag is in one of three."""

    accepted: int = 0
    """Predicted, and at or above the threshold."""
    given: int = 0
    """Known already, and the model does not object."""
    review: int = 0
    """The others."""
    predicted: Counter[str] = field(default_factory=Counter)
    """Class -> how often the model answered it. A given value is no prediction."""

    def add(self, answers: Iterable[Answer]) -> None:
        """Count them."""
        for answer in answers:
            if not answer.accepted:
                self.review += 1
            elif answer.confidence is None:
                self.given += 1
            else:
                self.accepted += 1
            if answer.confidence is not None:
                self.predicted[answer.value] += 1

    def share(self, count: int) -> float:
        """`count` of all tags."""
        return count / max(1, self.accepted + self.given + self.review)
