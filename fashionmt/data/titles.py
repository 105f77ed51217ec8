"""Titles as the model reads them: tokens for the text tower, weighted n-grams for the wide path."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from fashionmt.data.ngrams import NgramArrays, NgramVocabulary
from fashionmt.data.tokens import TokenArrays, encode_tokens


@dataclass(frozen=True)
class EncodedTitles:
    """Many titles, not yet padded."""

    tokens: TokenArrays
    ngrams: NgramArrays

    def there(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Which of the titles `rows` hold something to read, bool (len(rows),)."""
        there: npt.NDArray[np.bool_] = self.tokens.lengths[rows] > 0
        return there


@dataclass(frozen=True)
class TitleEncoder:
    """How a model reads titles. It travels in the bundle, so training and tagging cannot drift."""

    tokenizer: Tokenizer | None
    """None: the model reads no titles."""
    ngrams: NgramVocabulary | None
    """None: the model has no wide path."""

    def encode(self, titles: Sequence[str | None]) -> EncodedTitles:
        """Encode `titles`; a missing one, or one with nothing to read in it, has no tokens and no n-grams."""
        return EncodedTitles(self._tokens(titles), self._ngrams(titles))

    def encode_mapped(self, titles: Sequence[str | None], folder: Path) -> EncodedTitles:
        """As `encode`, on the disk: the n-grams of all titles are never in memory at once."""
        ngrams = self.ngrams.encode_mapped(titles, folder) if self.ngrams is not None else NgramArrays.none(len(titles))
        return EncodedTitles(self._tokens(titles).mapped(folder), ngrams)

    def _tokens(self, titles: Sequence[str | None]) -> TokenArrays:
        return TokenArrays.none(len(titles)) if self.tokenizer is None else encode_tokens(self.tokenizer, titles)

    def _ngrams(self, titles: Sequence[str | None]) -> NgramArrays:
        return NgramArrays.none(len(titles)) if self.ngrams is None else self.ngrams.encode(titles)

    def vocabulary_sizes(self) -> tuple[int, int]:
        """How many ids of tokens and of n-grams there are; 0 of what is not read."""
        tokens = self.tokenizer.get_vocab_size() if self.tokenizer is not None else 0
        return tokens, len(self.ngrams) if self.ngrams is not None else 0
