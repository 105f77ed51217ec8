"""Who is compared: each gives a ranking of the gallery for a query by the picture alone, the title alone, or both.

The gallery is the test items with all their inputs. One that reads pictures or titles alone compares these, whatever
else there is, and cannot be asked by the other.

N items, E numbers of a vector, k places.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import torch
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import TfidfVectorizer
from torch import Tensor

from fashionmt.ranking import TopK, top_k, top_k_of_scores

KINDS = ("picture", "title", "both")
"""Of queries: by what an item is shown."""
BLOCK = 500
"""Queries whose scores are held at once."""


class Entrant(Protocol):
    """Finds similar items."""

    @property
    def name(self) -> str:
        """As the table calls it."""
        ...

    @property
    def kinds(self) -> Sequence[str]:
        """The kinds of queries that it can be asked."""
        ...

    def search(self, kind: str, k: int, excluded: Sequence[Tensor]) -> TopK:
        """For each of the N items as a query the k best of them, but for the rows that are `excluded`."""
        ...


@dataclass(frozen=True)
class Vectors:
    """Compares vectors by their cosine."""

    name: str
    items: Tensor
    """The gallery: unit vectors, float32 (N, E)."""
    queries: Mapping[str, Tensor] = field(repr=False)
    """Kind of query -> unit vectors, float32 (N, E)."""

    @property
    def kinds(self) -> Sequence[str]:
        """See `Entrant`."""
        return list(self.queries)

    def search(self, kind: str, k: int, excluded: Sequence[Tensor]) -> TopK:
        """See `Entrant`."""
        return top_k(self.queries[kind], self.items, k, excluded=excluded)


class TitleWords:
    """Titles by their words and pairs of words, TF-IDF with 1 + log(count), learned from the training titles."""

    def __init__(self, train: Sequence[str | None], items: Sequence[str | None]) -> None:
        self.name = "TF-IDF of titles"
        vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, dtype=np.float32)
        vectorizer.fit([title or "" for title in train])
        self._titles = csr_array(vectorizer.transform([title or "" for title in items]))

    @property
    def kinds(self) -> Sequence[str]:
        """See `Entrant`."""
        return ["title", "both"]

    def search(self, kind: str, k: int, excluded: Sequence[Tensor]) -> TopK:
        """See `Entrant`."""
        found = [
            top_k_of_scores(
                torch.from_numpy((self._titles[first : first + BLOCK] @ self._titles.T).toarray()),
                k,
                excluded=excluded[first : first + BLOCK],
            )
            for first in range(0, self._titles.shape[0], BLOCK)
        ]
        return TopK(torch.cat([each.scores for each in found]), torch.cat([each.rows for each in found]))
