"""Which classes of several attributes go together, as the training rows have it: no tree is typed in.

A combination is one class of each attribute (a Shirt is Topwear is Apparel). Answers are chosen among the combinations
that occur (`fashionmt.decoding`), so none is impossible, and a rare exception stays possible where the data holds it.

N items, K combinations, A attributes of the taxonomy.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from fashionmt.attributes import MISSING
from fashionmt.errors import UserError

Combination = tuple[int, ...]
"""A class index of each attribute."""


@dataclass(frozen=True)
class Taxonomy:
    """The combinations of classes that an item may have. Every learned class stands in at least one."""

    attributes: tuple[str, ...]
    combinations: tuple[Combination, ...]
    """K rows of A class indices, ascending."""
    counts: tuple[int, ...]
    """How many training rows hold each; 0 for one that was completed, see `learn_taxonomy`."""

    @property
    def completed(self) -> list[Combination]:
        """The combinations that no training row holds in full."""
        return [row for row, count in zip(self.combinations, self.counts, strict=True) if count == 0]

    @cached_property
    def columns(self) -> dict[str, Tensor]:
        """Attribute -> its class in each combination, int64 (K,)."""
        with torch.inference_mode(False):  # kept, and a tensor made while tagging could not be used in training
            return dict(zip(self.attributes, torch.tensor(self.combinations).T.contiguous(), strict=True))

    @cached_property
    def _position(self) -> dict[Combination, int]:
        return {combination: i for i, combination in enumerate(self.combinations)}

    def index_of(self, classes: Mapping[str, Tensor]) -> Tensor:
        """The row of each item's combination, int64 (N,); `MISSING` where it is none of them, or not fully labelled.

        Args:
            classes: attribute -> int64 (N,).
        """
        rows = zip(*(classes[name].tolist() for name in self.attributes), strict=True)
        return torch.tensor([self._position.get(row, MISSING) for row in rows], dtype=torch.int64)

    def to_json(self) -> dict[str, Any]:
        """What the bundle stores."""
        combinations = [list(row) for row in self.combinations]
        return {"attributes": list(self.attributes), "combinations": combinations, "counts": list(self.counts)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any], classes: Mapping[str, int]) -> "Taxonomy":
        """The inverse of `to_json`. `classes`: attribute -> number of its classes. Raises `ValueError` where the
        table is not one of these classes, or where a class stands in no combination and could never be answered."""
        combinations = tuple(tuple(row) for row in stored["combinations"])
        made = cls(tuple(stored["attributes"]), combinations, tuple(stored["counts"]))
        made._check(classes)
        return made

    def _check(self, classes: Mapping[str, int]) -> None:
        names, rows = self.attributes, self.combinations
        if len(names) < 2 or len(set(names)) < len(names) or not classes.keys() >= set(names):
            raise ValueError("taxonomy: its attributes are not the tagger's")
        if any(len(row) != len(names) or any(type(index) is not int for index in row) for row in rows):
            raise ValueError(f"taxonomy: a combination is not {len(names)} class indices")
        if not rows or sorted(set(rows)) != list(rows):
            raise ValueError("taxonomy: no combinations, or not in ascending order")
        for name, column in zip(names, zip(*rows, strict=True), strict=True):
            if set(column) != set(range(classes[name])):
                raise ValueError(f"taxonomy: it does not hold every class of {name}, and no other")
        if len(self.counts) != len(rows) or any(type(count) is not int or count < 0 for count in self.counts):
            raise ValueError("taxonomy: its counts do not fit its combinations")


def learn_taxonomy(labels: Mapping[str, npt.NDArray[np.int64]], classes: Mapping[str, int]) -> Taxonomy:
    """The combinations that occur in the training rows. Raises `UserError` where no row is labelled in all attributes.

    A class may occur in rows alone that lack another label (or have one that is not learned). It must stay an
    answer, so the commonest of its incomplete combinations is completed from the full combination that agrees
    with most of it (the most frequent of those), and its count is 0.

    Args:
        labels: attribute of the taxonomy -> int64 (N,), the training rows; what is not in 0..C-1 is no label.
        classes: attribute -> C, the number of its learned classes, each of which occurs in the rows.
    """
    names = tuple(labels)
    known = [np.where(labels[name] < classes[name], labels[name], MISSING) for name in names]
    rows = Counter(zip(*(column.tolist() for column in known), strict=True))
    full = {row: count for row, count in rows.items() if MISSING not in row}
    if not full:
        wrong = f"no training row is labelled in all of {', '.join(names)}"
        raise UserError("data.taxonomy", wrong, "Name fewer attributes, or none with data.taxonomy=null")
    found = dict(full)
    for place, name in enumerate(names):
        for index in sorted(set(range(classes[name])) - {row[place] for row in found}):
            partial = max((row for row in rows if row[place] == index), key=lambda row: (rows[row], row))
            found[_complete(partial, full)] = 0
    combinations = tuple(sorted(found))
    return Taxonomy(names, combinations, tuple(found[row] for row in combinations))


def _complete(partial: Combination, full: Mapping[Combination, int]) -> Combination:
    """`partial` with its missing places filled from the full combination nearest to it."""

    def nearness(row: Combination) -> tuple[int, int, Combination]:
        return sum(one == other for one, other in zip(row, partial, strict=True)), full[row], row

    nearest = max(full, key=nearness)
    return tuple(other if one == MISSING else one for one, other in zip(partial, nearest, strict=True))
