"""The tagged rows of a part, of either format, as the summary reads them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fashionmt.attributes import LabelSpace
from fashionmt.inference.part_files import PartFiles
from fashionmt.inference.tag_table import DECISIONS, guarded, read_csv

ACCEPT = DECISIONS[True]


@dataclass(frozen=True, slots=True)
class Answer:
    """The tag of one attribute."""

    value: str
    confidence: float | None
    """None: it was given."""
    accepted: bool

    @property
    def doubt(self) -> float:
        """How probably a person changes it: 1 less the confidence. Where a given value is for review, 1: the model is
        sure of another, so either of the two is wrong, or does not know the value."""
        if self.confidence is None:
            return 0.0 if self.accepted else 1.0
        return 1.0 - self.confidence


@dataclass(frozen=True, slots=True)
class Row:
    """A tagged row."""

    row: int
    """From 0, over all input files."""
    id: str
    """Of a part in CSV: guarded."""
    answers: dict[str, Answer]
    """By attribute."""
    confidence: float | None
    """That all predicted tags are right; None where all were given."""
    reasons: str
    """Why a person should look; empty: nobody need."""
    inputs: str
    """What was read of it, `image+text` say."""


def read_rows(files: PartFiles, spaces: Mapping[str, LabelSpace]) -> Iterator[Row]:
    """In order. `spaces`: the bundle's; a class that stands guarded in a CSV file gets its own name back."""
    columns = ["row", "id", "item_confidence", "review_reasons", "inputs"]
    columns += [f"{name}{suffix}" for name in spaces for suffix in ("", "_confidence", "_decision")]
    is_csv = files.format == "csv"
    table = read_csv(files.tags, list(spaces), columns) if is_csv else files.read_tags(columns)
    found = {name: table.column(name).to_pylist() for name in columns}
    answers = {name: _answers(found, space, is_csv) for name, space in spaces.items()}
    reasons = (cell if isinstance(cell, str) else "; ".join(cell) for cell in found["review_reasons"])
    rows = zip(found["row"], found["id"], found["item_confidence"], reasons, found["inputs"], strict=True)
    for i, (row, item_id, confidence, why, inputs) in enumerate(rows):
        yield Row(row, item_id, {name: column[i] for name, column in answers.items()}, confidence, why, str(inputs))


def _answers(found: Mapping[str, list[str | float | None]], space: LabelSpace, is_csv: bool) -> list[Answer]:
    """Of one attribute, row by row."""
    name = space.attribute
    names = {guarded(each): each for each in space.classes} if is_csv else {}
    columns = (found[f"{name}{suffix}"] for suffix in ("", "_confidence", "_decision"))
    return [
        Answer(names.get(str(value), str(value)), None if sure is None else float(sure), decision == ACCEPT)
        for value, sure, decision in zip(*columns, strict=True)
    ]
