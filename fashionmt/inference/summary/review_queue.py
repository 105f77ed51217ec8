"""The rows for review, those first whose labels teach most: `review_queue.csv`."""

import csv
import heapq
import io
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fashionmt.inference.summary.rows import Row
from fashionmt.inference.tag_table import guarded

LIMIT = 10_000
"""Rows of the queue."""
COLUMNS = ("place", "row", "id", "expected_mistakes", "review_reasons", "inputs")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that a person should look at."""

    row: Row
    value: float
    """How many of its tags a person is expected to change."""
    attribute: str
    """Of its most doubtful tag."""

    @classmethod
    def of(cls, row: Row) -> "Candidate":
        """The value is the uncertainty of the answers, "least confidence" (Lewis & Gale 1994, arXiv:cmp-lg/9407020;
        Settles 2009, "Active Learning Literature Survey", 3.1), summed over the attributes. As confidences are
        calibrated, the sum is a number of tags."""
        doubts = {name: answer.doubt for name, answer in row.answers.items()}
        return cls(row, round(sum(doubts.values()), 6), max(doubts, key=lambda name: doubts[name]))

    @property
    def answer(self) -> str:
        """Its most doubtful tag."""
        return self.row.answers[self.attribute].value


def best(candidates: Iterable[Candidate], limit: int = LIMIT) -> list[Candidate]:
    """The first `limit` of the queue, in its order.

    The k-th row whose greatest doubt is about the same answer counts 1/k: what is like what was looked at teaches less
    (diminishing returns within a group: Lin & Bilmes 2011, "A Class of Submodular Functions for Document
    Summarization", 4.2). Rows can be left out as they come: `best` of the best so far and of new ones is the best of
    all, as more rows only push a row back.
    """
    groups: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for each in sorted(candidates, key=lambda each: (-each.value, each.row.row)):
        groups[each.attribute, each.answer].append(each)
    ranked = (
        (-each.value / place, each.row.row, each) for group in groups.values() for place, each in enumerate(group, 1)
    )
    return [each for *_, each in heapq.nsmallest(limit, ranked)]


def to_csv(queue: Sequence[Candidate], attributes: Sequence[str]) -> bytes:
    """For a spreadsheet: no cell a formula. A value that was given has no confidence."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*COLUMNS, *(f"{name}{suffix}" for name in attributes for suffix in ("", "_confidence"))])
    for place, each in enumerate(queue, 1):
        row = each.row
        answers = [row.answers[name] for name in attributes]
        tags = [cell for answer in answers for cell in (guarded(answer.value), answer.confidence)]
        writer.writerow([place, row.row, guarded(row.id), each.value, guarded(row.reasons), row.inputs, *tags])
    return text.getvalue().encode()
