"""The hashes of titles' n-grams, as scikit-learn computes them, each word of theirs hashed once.

Titles share their words, and scikit-learn would hash them again for each (`tests/benchmarks/did_not_help.md` says what
that takes).
"""

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.int64]
HASHES = 2**31 - 1
MOST = 65_536
"""Words and pairs of words that are kept, and as many words by their pieces."""
OPTIONS: dict[str, Any] = {"n_features": HASHES, "norm": None, "alternate_sign": False, "binary": True}


class NgramHasher:
    """Words and pairs of words, below `HASHES`, and pieces of 2 to 5 letters within words, above. Several threads may
    ask it at once."""

    def __init__(self) -> None:
        # Imported here: it takes a second to load, and a model without a wide path needs none.
        from sklearn.feature_extraction.text import HashingVectorizer

        words, pieces = HashingVectorizer(ngram_range=(1, 2), **OPTIONS), HashingVectorizer(analyzer="char_wb")
        self._words: Callable[[str], list[str]] = words.build_analyzer()
        self._lower: Callable[[str], str] = pieces.build_preprocessor()
        self._hash_words = HashingVectorizer(analyzer=_itself, **OPTIONS).transform
        self._hash_pieces = HashingVectorizer(analyzer="char_wb", ngram_range=(2, 5), **OPTIONS).transform
        self._of_words: dict[str, Hashes] = {}
        self._of_pieces: dict[str, Hashes] = {}

    def __call__(self, titles: Sequence[str]) -> tuple[Hashes, Hashes]:
        """The hashes of all titles' n-grams end to end, each title's ascending and each once, (n-grams,), and where
        each title starts, (titles + 1,)."""
        words = [self._words(title) for title in titles]
        parts = [self._lower(title).split() for title in titles]
        of_words = _looked_up(self._of_words, words, self._hash_words, 0)
        of_parts = _looked_up(self._of_pieces, parts, self._hash_pieces, HASHES)
        found = [
            np.unique(np.concatenate([EMPTY, *(of_words[word] for word in mine), *(of_parts[part] for part in cut)]))
            for mine, cut in zip(words, parts, strict=True)
        ]
        starts = np.append(0, np.cumsum([len(hashes) for hashes in found], dtype=np.int64))
        return np.concatenate([EMPTY, *found]), starts

    def words(self, words: Sequence[str]) -> Hashes:
        """The hash of each word by itself, (words,)."""
        return self._hash_words(list(words)).indices.astype(np.int64) if words else EMPTY


EMPTY = np.zeros(0, np.int64)


def _looked_up(
    known: dict[str, Hashes], texts: Sequence[Iterable[str]], transform: Callable[[list[str]], Any], offset: int
) -> dict[str, Hashes]:
    """Text -> the hashes of its n-grams, of all `texts`; those that were not known are now."""
    # By `get`: another thread may forget what is kept meanwhile.
    found = {text: known.get(text) for one in texts for text in one}
    new = [text for text, hashes in found.items() if hashes is None]
    if new:
        table = transform(new)
        made = np.split(table.indices.astype(np.int64) + offset, table.indptr[1:-1])
        if len(known) + len(new) > MOST:
            known.clear()
        known.update(zip(new, made, strict=True))
        found.update(zip(new, made, strict=True))
    return found  # type: ignore[return-value]  # none is None now


def _itself(text: str) -> list[str]:
    return [text]


@cache
def ngram_hasher() -> NgramHasher:
    """The one of this process."""
    return NgramHasher()
