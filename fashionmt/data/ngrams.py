"""Titles as weighted n-grams: the exact words and spellings that a linear path reads beside the text tower.

Weights are TF-IDF (Salton & Buckley 1988) as scikit-learn's `TfidfTransformer` defines it, over words and pairs of
words and over pieces of 2 to 5 letters within words.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fashionmt.data.mapped import mapped, mapped_ends
from fashionmt.data.ngram_hashes import ngram_hasher

BLOCK = 1024
"""Titles at a time: what is held of one while it is hashed is many times what is kept of it, and what is kept of its
words lies between that and pins it."""
PADDING = 0
In = TypeVar("In")


@dataclass(frozen=True)
class NgramArrays:
    """The n-grams of many titles, end to end: title i's are `ids[starts[i]:starts[i + 1]]`."""

    ids: npt.NDArray[np.int32]
    """(n-grams,), each 1 or more; a title has each of its n-grams once."""
    weights: npt.NDArray[np.float32]
    """(n-grams,)."""
    starts: npt.NDArray[np.int64]
    """(titles + 1,)."""

    def padded(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """Ids and weights of the titles `rows`, each (len(rows), G), `PADDING` and 0 past the end; G is at least 1."""
        first = self.starts[rows]
        lengths = self.starts[rows + 1] - first
        column = np.arange(max(1, int(lengths.max(initial=1))))
        there = column < lengths[:, None]
        source = (first[:, None] + column)[there]
        ids, weights = np.full(there.shape, PADDING, np.int64), np.zeros(there.shape, np.float32)
        ids[there], weights[there] = self.ids[source], self.weights[source]
        return ids, weights

    @classmethod
    def joined(cls, parts: Sequence["NgramArrays"]) -> "NgramArrays":
        """The titles of all `parts`, in order."""
        lengths = np.concatenate([np.diff(part.starts) for part in parts])
        starts = np.append(0, np.cumsum(lengths))
        return cls(np.concatenate([p.ids for p in parts]), np.concatenate([p.weights for p in parts]), starts)

    @classmethod
    def none(cls, count: int) -> "NgramArrays":
        """No n-gram at all, for a model that reads none."""
        return cls(np.zeros(0, np.int32), np.zeros(0, np.float32), np.zeros(count + 1, np.int64))


@dataclass(frozen=True)
class NgramVocabulary:
    """The n-grams that a model knows, by their hashes, and how much each one tells. Id i + 1 is `hashes[i]`."""

    hashes: npt.NDArray[np.int64]
    """(known,), ascending: as `fashionmt.data.ngram_hashes` has them."""
    idf: npt.NDArray[np.float32]
    """(known,)."""

    def __len__(self) -> int:
        """Known n-grams, and one for padding."""
        return len(self.hashes) + 1

    @classmethod
    def learn(cls, titles: Sequence[str], min_count: int) -> "NgramVocabulary":
        """The n-grams that `min_count` or more of `titles` hold."""
        hashes, titles_with = _counts(titles)
        kept = titles_with >= min_count
        idf = np.log((1 + len(titles)) / (1 + titles_with[kept])) + 1
        return cls(hashes[kept], idf.astype(np.float32))

    def encode(self, titles: Sequence[str | None]) -> NgramArrays:
        """The known n-grams of `titles`, the weights of each title of Euclidean norm 1; none of a missing title."""
        if len(titles) == 0 or len(self.hashes) == 0:  # scikit-learn refuses no titles
            return NgramArrays.none(len(titles))
        return NgramArrays.joined([self._encode(block) for block in _blocks(titles)])

    def encode_mapped(self, titles: Sequence[str | None], folder: Path) -> NgramArrays:
        """As `encode`, a block of titles at a time to the disk (`fashionmt.data.mapped`)."""
        if len(titles) == 0 or len(self.hashes) == 0:
            return NgramArrays.none(len(titles))
        blocks = (self._encode(block) for block in _blocks(titles))
        ids, weights, lengths = mapped_ends(((b.ids, b.weights, np.diff(b.starts)) for b in blocks), folder)
        return NgramArrays(ids, weights, mapped(np.append(0, np.cumsum(lengths)), folder))

    def word_ids(self, words: Sequence[str]) -> npt.NDArray[np.int64]:
        """The id of each word, lower-case, by itself, (words,); `PADDING` of one that is not known."""
        if len(self.hashes) == 0:
            return np.full(len(words), PADDING, np.int64)
        hashes = ngram_hasher().words(words)
        place = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return np.where(self.hashes[place] == hashes, place + 1, PADDING)

    def _encode(self, titles: Sequence[str | None]) -> NgramArrays:
        count = len(titles)
        hashes, starts = ngram_hasher()([title or "" for title in titles])
        place = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        known = self.hashes[place] == hashes
        title, place = np.repeat(np.arange(count), np.diff(starts))[known], place[known]
        weights = self.idf[place]
        weights /= np.sqrt(np.bincount(title, weights * weights, count))[title]
        starts = np.append(0, np.cumsum(np.bincount(title, minlength=count)))
        return NgramArrays((place + 1).astype(np.int32), weights, starts)


def _blocks(titles: Sequence[In]) -> Iterator[Sequence[In]]:
    return (titles[first : first + BLOCK] for first in range(0, len(titles), BLOCK))


def _counts(titles: Sequence[str]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """All n-grams' hashes, ascending, and how many titles hold each."""
    hashes, counts = np.zeros(0, np.int64), np.zeros(0, np.int64)
    for block in _blocks(titles):
        found, found_counts = np.unique(ngram_hasher()(block)[0], return_counts=True)
        hashes, place = np.unique(np.concatenate([hashes, found]), return_inverse=True)
        counts = np.bincount(place, np.concatenate([counts, found_counts])).astype(np.int64)
    return hashes, counts
