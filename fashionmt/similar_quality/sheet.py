"""A contact sheet: some queries and what they find, to be looked at. They are drawn by a seed, not by their looks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fashionmt.data.picture_cache import NO_ROW
from fashionmt.data.prepare import PreparedData
from fashionmt.data.rows import Rows
from fashionmt.pages import data_uri, render
from fashionmt.similar_quality.evaluation import Evaluation, Figures

TEMPLATE = Path(__file__).with_name("sheet.html.jinja")


@dataclass(frozen=True)
class Card:
    """An item on the sheet."""

    id: str
    title: str | None
    picture: str | None
    """A data URI."""
    labels: str
    score: float | None = None
    """The cosine to the query; None of the query itself."""
    relevant: bool = False


@dataclass(frozen=True)
class Asked:
    """A query and what it found, best first."""

    query: Card
    hits: list[Card]


def draw_queries(evaluation: Evaluation, count: int, seed: int) -> list[int]:
    """Items that can be asked in every kind of query and have something to find."""
    fitting = np.logical_and.reduce(list(evaluation.readable.values()))
    fitting &= evaluation.judged.relevant.counts.numpy() > 0
    rows = np.flatnonzero(fitting)
    return sorted(np.random.default_rng(seed).choice(rows, min(count, len(rows)), replace=False).tolist())


class Sheet:
    """Cards of the items `rows` of a catalogue: positions count from 0 in these."""

    def __init__(self, data: PreparedData, rows: Rows, attributes: Sequence[str], evaluation: Evaluation) -> None:
        self.data, self.rows, self.attributes, self.evaluation = data, rows, attributes, evaluation

    def render(self, name: str, figures: Mapping[str, Figures], queries: Sequence[int], table: str) -> str:
        """The page. `name`: of the entrant; `figures`: by kind of query; `table`: shown at the end, as it is."""
        asked = {kind: [self._asked(query, found) for query in queries] for kind, found in figures.items()}
        return render(TEMPLATE, name=name, asked=asked, table=table, attributes=", ".join(self.attributes))

    def _asked(self, query: int, figures: Figures) -> Asked:
        relevant = self.evaluation.judged.relevant
        wanted = set(relevant.items[relevant.offsets[query] : relevant.offsets[query + 1]].tolist())
        found = zip(figures.found.rows[query].tolist(), figures.found.scores[query].tolist(), strict=True)
        hits = [self._card(row, score, row in wanted) for row, score in found if row >= 0]
        return Asked(self._card(query), hits)

    def _card(self, position: int, score: float | None = None, relevant: bool = False) -> Card:
        row = int(self.rows[position])
        items, spaces = self.data.items, self.data.spaces
        codes = {name: int(items.labels[name][row]) for name in self.attributes}
        labels = [spaces[name].every_class[code] for name, code in codes.items() if code >= 0]
        place = int(items.pictures.row[row])
        picture = data_uri(items.pictures.pixels[place]) if place != NO_ROW else None
        return Card(self.data.ids[row], self.data.raw_titles[row], picture, ", ".join(labels), score, relevant)
