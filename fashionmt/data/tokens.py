"""Titles become token ids: a WordPiece vocabulary learned from the training titles, or a pretrained tokenizer."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer
from tokenizers.decoders import WordPiece as WordPieceDecoder
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.trainers import WordPieceTrainer

PAD = "[PAD]"
PADDINGS = (PAD, "<pad>")
UNKNOWN = "[UNK]"


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

    @classmethod
    def none(cls, count: int) -> "TokenArrays":
        """No title at all, for a model that reads none."""
        return cls(np.zeros((count, 1), np.int32), np.zeros(count, np.int64))


def encode_tokens(tokenizer: Tokenizer, titles: Sequence[str | None]) -> TokenArrays:
    """Encode `titles`; a missing one, or one with nothing to read in it, has length 0."""
    encoded = [e.ids for e in tokenizer.encode_batch([title or "" for title in titles])]
    tokens = [ids if title else [] for ids, title in zip(encoded, titles, strict=True)]
    lengths = np.array([len(ids) for ids in tokens], dtype=np.int64)
    shape = (len(tokens), max(1, int(lengths.max(initial=1))))
    padded = np.full(shape, padding_id(tokenizer), dtype=np.int32)
    for row, ids in enumerate(tokens):
        padded[row, : len(ids)] = ids
    return TokenArrays(padded, lengths)
