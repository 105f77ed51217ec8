"""Titles become token ids: a WordPiece vocabulary learned from the training titles, or a pretrained tokenizer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from tokenizers.decoders import WordPiece as WordPieceDecoder
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.trainers import WordPieceTrainer

from fashionmt.data.mapped import mapped

PAD = "[PAD]"
PADDINGS = (PAD, "<pad>")
UNKNOWN = "[UNK]"
BLOCK = 8192
"""Titles at a time: what the library holds of a title is many times its ids."""


def learn_tokenizer(titles: Iterable[str], vocabulary_size: int, max_tokens: int) -> Tokenizer:
    """A lower-casing WordPiece tokenizer whose vocabulary is learned from `titles`; it cuts at `max_tokens`.

    WordPiece as in Schuster & Nakajima 2012; normaliser and pre-tokeniser are BERT's (Devlin et al. 2019). The same
    titles give the same vocabulary.
    """
    learner = _untrained({})
    titles = list(titles)
    # The library numbers letters in the order of a hash table, another in each process, and breaks ties of its merges
    # by number. Handed over as special tokens they are numbered as given; the tokenizer made below forgets the name.
    letters = sorted({letter for title in titles for letter in learner.normalizer.normalize_str(title)} - {" "})
    given = [PAD, UNKNOWN, *letters, *(f"##{letter}" for letter in letters)]
    trainer = WordPieceTrainer(
        vocab_size=vocabulary_size, min_frequency=2, special_tokens=given, limit_alphabet=0, show_progress=False
    )
    learner.train_from_iterator(titles, trainer)
    tokenizer = _untrained(learner.get_vocab())
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _untrained(vocabulary: dict[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token=UNKNOWN))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.decoder = WordPieceDecoder()
    return tokenizer


def padding_id(tokenizer: Tokenizer) -> int:
    """The id that pads; RoBERTa's position embeddings depend on the right one."""
    return next((found for name in PADDINGS if (found := tokenizer.token_to_id(name)) is not None), 0)


@dataclass(frozen=True)
class TokenArrays:
    """Token ids of many titles, cut but not yet padded."""

    ids: npt.NDArray[np.int32]
    """(titles, longest), the padding id past the end."""
    lengths: npt.NDArray[np.int64]
    """(titles,), 0 where there is no title."""

    def padded(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Ids of the titles `rows`, and which of them are real, each (len(rows), T) of the longest; T is at least 1."""
        lengths = self.lengths[rows]
        longest = max(1, int(lengths.max(initial=1)))
        return self.ids[rows, :longest].astype(np.int64), np.arange(longest) < lengths[:, None]

    def mapped(self, folder: Path) -> "TokenArrays":
        """The same, on the disk (`fashionmt.data.mapped`)."""
        return TokenArrays(mapped(self.ids, folder), mapped(self.lengths, folder))

    @classmethod
    def none(cls, count: int) -> "TokenArrays":
        """No title at all, for a model that reads none."""
        return cls(np.zeros((count, 1), np.int32), np.zeros(count, np.int64))


def encode_tokens(tokenizer: Tokenizer, titles: Sequence[str | None]) -> TokenArrays:
    """Encode `titles`; a missing one, or one with nothing to read in it, has length 0."""
    ids, lengths = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    for first in range(0, len(titles), BLOCK):
        tokens = _tokens(tokenizer, titles[first : first + BLOCK])
        lengths.append(np.array([len(each) for each in tokens], np.int64))
        ids.append(np.fromiter(chain.from_iterable(tokens), np.int32))
    length = np.concatenate(lengths)
    padded = np.full((len(titles), max(1, int(length.max(initial=1)))), padding_id(tokenizer), np.int32)
    padded[np.arange(padded.shape[1]) < length[:, None]] = np.concatenate(ids)
    return TokenArrays(padded, length)


def _tokens(tokenizer: Tokenizer, titles: Sequence[str | None]) -> list[list[int]]:
    """Of each title, without padding."""
    encoded = tokenizer.encode_batch_fast([title or "" for title in titles])
    return [each.ids if title else [] for each, title in zip(encoded, titles, strict=True)]
