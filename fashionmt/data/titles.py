"""Titles as the model reads them: tokens for the text tower, weighted n-grams for the wide path."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from fashionmt.data.mapped import mapped
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

    def mapped(self, folder: Path) -> "EncodedTitles":
        """The same, on the disk (`fashionmt.data.mapped`)."""
        tokens, ngrams = self.tokens, self.ngrams
        ids, weights = mapped(ngrams.ids, folder), mapped(ngrams.weights, folder)
        return EncodedTitles(
            TokenArrays(mapped(tokens.ids, folder), tokens.lengths), NgramArrays(ids, weights, ngrams.starts)
        )


@dataclass(frozen=True)
class TitleEncoder:
    """How a model reads titles. It travels in the bundle, so training and tagging cannot drift."""

    tokenizer: Tokenizer | None
    """None: the model reads no titles."""
    ngrams: NgramVocabulary | None
    """None: the model has no wide path."""

    def encode(self, titles: Sequence[str | None]) -> EncodedTitles:
        """Encode `titles`; a missing one, or one with nothing to read in it, has no tokens and no n-grams."""
        count = len(titles)
        tokens = encode_tokens(self.tokenizer, titles) if self.tokenizer is not None else TokenArrays.none(count)
        ngrams = self.ngrams.encode(titles) if self.ngrams is not None else NgramArrays.none(count)
        return EncodedTitles(tokens, ngrams)

    def vocabulary_sizes(self) -> tuple[int, int]:
        """How many ids of tokens and of n-grams there are; 0 of what is not read."""
        tokens = self.tokenizer.get_vocab_size() if self.tokenizer is not None else 0
        return tokens, len(self.ngrams) if self.ngrams is not None else 0
