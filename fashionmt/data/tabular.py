"""Columns of the catalogue as the model reads them: categories as indices, numbers as places among the training rows'.

N rows, P pieces of all numeric columns, K categorical columns.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from fashionmt.config import TabularColumnConfig
from fashionmt.data.mapped import mapped

UNKNOWN = 0
"""The index of a category that is missing, or that training did not learn."""
Texts = Mapping[str, str | None]
"""Input -> the text in its column, None where there is no such column."""


@dataclass(frozen=True)
class TabularArrays:
    """Many rows, encoded."""

    numbers: npt.NDArray[np.float32]
    """(N, P)."""
    categories: npt.NDArray[np.int64]
    """(N, K), `UNKNOWN` or above."""
    there: npt.NDArray[np.bool_]
    """(N,): whether any column of the row tells something."""

    @classmethod
    def none(cls, count: int) -> Self:
        """Of `count` rows without any such column."""
        return cls(np.zeros((count, 0), np.float32), np.zeros((count, 0), np.int64), np.zeros(count, np.bool_))

    def take(self, rows: npt.NDArray[np.int64]) -> "TabularArrays":
        """The rows `rows`, in that order."""
        return TabularArrays(self.numbers[rows], self.categories[rows], self.there[rows])

    def mapped(self, folder: Path) -> "TabularArrays":
        """The same, on the disk (`fashionmt.data.mapped`)."""
        return TabularArrays(mapped(self.numbers, folder), mapped(self.categories, folder), mapped(self.there, folder))


@dataclass(frozen=True)
class NumericColumn:
    """A number as its place among the training rows': piecewise linear between their quantiles (Gorishniy et al. 2022,
    arXiv:2203.05556), and whether there is one at all."""

    missing: tuple[str, ...]
    edges: tuple[float, ...]
    """Rising."""

    @classmethod
    def learn(cls, texts: Sequence[str | None], config: TabularColumnConfig) -> Self:
        """From the training rows' texts."""
        empty = cls(tuple(config.missing), ())
        known = [number for text in texts if (number := empty.number(text)) is not None]
        if not known:
            return empty
        # Quantiles that occur, not between: years stay whole.
        edges = np.unique(np.quantile(known, np.linspace(0, 1, config.bins + 1), method="inverted_cdf"))
        return cls(tuple(config.missing), tuple(map(float, edges)))

    @property
    def size(self) -> int:
        """Pieces of a number, and one more that says it is there."""
        return max(1, len(self.edges))

    def number(self, text: str | None) -> float | None:
        """None for what is missing or no finite number."""
        if text is None or text in self.missing:
            return None
        try:
            number = float(text)
        except ValueError:
            return None
        return number if math.isfinite(number) else None

    def encode(self, texts: Sequence[str | None]) -> npt.NDArray[np.float32]:
        """(N, size): 1 and the filled shares of each piece; zeros where the number is missing."""
        numbers = np.array([math.nan if (n := self.number(text)) is None else n for text in texts], dtype=np.float64)
        there = np.isfinite(numbers)[:, None]
        low, high = np.array(self.edges[:-1]), np.array(self.edges[1:])
        filled = np.clip((np.nan_to_num(numbers)[:, None] - low) / (high - low), 0, 1)
        return (np.concatenate([np.ones_like(filled, shape=(len(numbers), 1)), filled], axis=1) * there).astype(
            np.float32
        )

    def unread(self, text: str | None) -> bool:
        """Whether `text` says something that the model cannot read."""
        return text is not None and text not in self.missing and self.number(text) is None


@dataclass(frozen=True)
class CategoricalColumn:
    """A category as its index among those of the training rows."""

    missing: tuple[str, ...]
    categories: tuple[str, ...]

    @classmethod
    def learn(cls, texts: Sequence[str | None], config: TabularColumnConfig) -> Self:
        """From the training rows' texts."""
        counts = Counter(text for text in texts if text is not None and text not in config.missing)
        known = sorted(text for text, count in counts.items() if count >= config.min_count)
        return cls(tuple(config.missing), tuple(known))

    @property
    def size(self) -> int:
        """How many indices there are."""
        return len(self.categories) + 1

    @cached_property
    def index(self) -> dict[str, int]:
        """Category -> its index: a catalogue may have thousands of brands, and every item is looked up."""
        return {text: i for i, text in enumerate(self.categories, start=1)}

    def encode(self, texts: Sequence[str | None]) -> npt.NDArray[np.int64]:
        """(N,): from 1 on, or `UNKNOWN`."""
        return np.array([UNKNOWN if text is None else self.index.get(text, UNKNOWN) for text in texts], dtype=np.int64)

    def unread(self, text: str | None) -> bool:
        """Whether `text` says something that the model cannot read."""
        return text is not None and text not in self.missing and text not in self.index


Column = NumericColumn | CategoricalColumn
KINDS: dict[str, type[Column]] = {"numeric": NumericColumn, "categorical": CategoricalColumn}


@dataclass(frozen=True)
class TabularEncoder:
    """How a model reads a catalogue's columns. It travels in the bundle, so training and tagging cannot drift."""

    columns: Mapping[str, Column]
    """By input. Empty: the model reads none."""

    @classmethod
    def learn(cls, rows: Sequence[Texts], configs: Mapping[str, TabularColumnConfig]) -> Self:
        """From the training rows."""
        return cls(
            {name: KINDS[config.kind].learn([row[name] for row in rows], config) for name, config in configs.items()}
        )

    def encode(self, rows: Sequence[Texts]) -> TabularArrays:
        """Encode rows. A column that a row does not have is missing."""
        texts = {name: [row.get(name) for row in rows] for name in self.columns}
        nothing = TabularArrays.none(len(rows))
        numbers = [column.encode(texts[name]) for name, column in self._of(NumericColumn)]
        categories = [column.encode(texts[name]) for name, column in self._of(CategoricalColumn)]
        arrays = TabularArrays(
            np.concatenate([nothing.numbers, *numbers], axis=1),
            np.column_stack([nothing.categories, *categories]),
            nothing.there,
        )
        there = (arrays.numbers != 0).any(axis=1) | (arrays.categories != UNKNOWN).any(axis=1)
        return TabularArrays(arrays.numbers, arrays.categories, there)

    def sizes(self) -> tuple[int, tuple[int, ...]]:
        """(P, how many indices each of the K categorical columns has)."""
        return (
            sum(column.size for _, column in self._of(NumericColumn)),
            tuple(column.size for _, column in self._of(CategoricalColumn)),
        )

    def unread(self, row: Texts) -> Iterator[tuple[str, str]]:
        """(what is the matter, what became of it) of each column that says what the model cannot read."""
        for name, column in self.columns.items():
            if column.unread(row.get(name)):
                wrong = "that are no number" if isinstance(column, NumericColumn) else "that training did not learn"
                yield f"{name} values {wrong}", "read as not known"

    def _of(self, kind: type[Column]) -> list[tuple[str, Any]]:
        return [(name, column) for name, column in self.columns.items() if isinstance(column, kind)]

    def to_json(self) -> dict[str, Any]:
        """What the bundle stores."""
        kinds = {kind: name for name, kind in KINDS.items()}
        return {name: {"kind": kinds[type(column)], **asdict(column)} for name, column in self.columns.items()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """The inverse of `to_json`. Raises ValueError, KeyError or TypeError for what no encoder wrote."""
        return cls({name: _column(name, dict(column)) for name, column in stored.items()})


def _column(name: str, stored: dict[str, Any]) -> Column:
    kind = KINDS[stored.pop("kind")]
    column = kind(**{key: tuple(value) for key, value in stored.items()})
    if not all(isinstance(text, str) for text in column.missing):
        raise ValueError(f"{name}: missing texts that are no texts")
    if isinstance(column, CategoricalColumn):
        if not all(isinstance(text, str) for text in column.categories):
            raise ValueError(f"{name}: categories that are no texts")
    elif not np.isfinite(column.edges).all() or not (np.diff(column.edges) > 0).all():
        raise ValueError(f"{name}: edges that do not rise")
    return column
