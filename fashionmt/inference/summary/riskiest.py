"""Which items are most probably wrong: the least confident ones, and those whose given values the model contradicts."""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fashionmt.attributes import LabelSpace
from fashionmt.inference.summary.rows import Row

SHEET = 48
"""Items that are shown."""


@dataclass
class Riskiest:
    """Keeps as many rows of either kind as are shown at most."""

    spaces: Mapping[str, LabelSpace]
    contradicted: list[Row] = field(default_factory=list)
    """Most contradictions first, then the least confident."""
    doubtful: list[Row] = field(default_factory=list)
    """The least confident first."""

    def add(self, rows: Iterable[Row]) -> None:
        """See more of them."""
        for row in rows:
            if self._contradictions(row):
                self.contradicted.append(row)
            elif row.confidence is not None:
                self.doubtful.append(row)
        self.contradicted = heapq.nsmallest(SHEET, self.contradicted, key=self._order)
        self.doubtful = heapq.nsmallest(SHEET, self.doubtful, key=self._order)

    def chosen(self) -> list[Row]:
        """Half of each kind, contradicted ones first; where one kind has fewer, the other has more."""
        few = min(len(self.contradicted), max(SHEET // 2, SHEET - len(self.doubtful)))
        return [*self.contradicted[:few], *self.doubtful[: SHEET - few]]

    def _contradictions(self, row: Row) -> int:
        """Given values that the model knows, and is sure are others."""
        return sum(
            answer.confidence is None and not answer.accepted and answer.value in self.spaces[name].classes
            for name, answer in row.answers.items()
        )

    def _order(self, row: Row) -> tuple[float, float, int]:
        return -self._contradictions(row), 1.0 if row.confidence is None else row.confidence, row.row
