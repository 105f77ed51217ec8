"""Titles as tokens: the same vocabulary every time, cut where asked, nothing where there is nothing."""

import json
import random
import subprocess
import sys

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from fashionmt.data import tokens
from fashionmt.data.tokens import PAD, UNKNOWN, TokenArrays, encode_tokens, learn_tokenizer, padding_id

COLOURS = ["Red", "Blue", "Green", "Teal", "Grey"]
KINDS = ["Shirt", "Shoe", "Watch", "Scarf", "Backpack"]
TITLES = [f"{colour} {kind} {word}" for colour in COLOURS for kind in KINDS for word in ("slim", "summer", "été")]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return learn_tokenizer(TITLES, 150, 8)


def test_the_vocabulary_is_the_same_in_every_process(tokenizer: Tokenizer) -> None:
    learn = f"from fashionmt.data.tokens import learn_tokenizer; print(learn_tokenizer({TITLES!r}, 150, 8).to_str())"
    run = subprocess.run([sys.executable, "-c", learn], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == json.loads(tokenizer.to_str())


def test_the_vocabulary_is_the_same_in_one_process_and_in_any_order_of_titles(tokenizer: Tokenizer) -> None:
    for seed in range(5):
        mixed = random.Random(seed).sample(TITLES, len(TITLES))
        assert learn_tokenizer(mixed, 150, 8).get_vocab() == tokenizer.get_vocab()


def test_words_of_many_titles_are_tokens_and_others_are_pieces(tokenizer: Tokenizer) -> None:
    assert tokenizer.encode("red SHIRT").tokens == ["red", "shirt"]
    pieces = tokenizer.encode("redder").tokens
    assert len(pieces) > 1
    assert "".join(piece.removeprefix("##") for piece in pieces) == "redder"
    assert pieces[0][:2] != "##"
    assert all(piece[:2] == "##" for piece in pieces[1:])


@pytest.mark.parametrize("title", ["😀", "靴", "zzz"])
def test_letters_that_no_training_title_had_are_unknown(tokenizer: Tokenizer, title: str) -> None:
    assert tokenizer.encode(f"red {title}").tokens == ["red", UNKNOWN]


def test_a_title_cannot_name_a_special_token(tokenizer: Tokenizer) -> None:
    assert padding_id(tokenizer) not in tokenizer.encode("red [PAD] shirt [UNK]").ids


def test_the_vocabulary_is_no_larger_than_asked_for() -> None:
    letters = len({letter for title in TITLES for letter in title.lower()})
    for size in (2 * letters + 10, 200):
        assert learn_tokenizer(TITLES, size, 8).get_vocab_size() <= size


@pytest.mark.parametrize("longest", [1, 4, 32])
def test_titles_are_cut_at_max_tokens_and_nowhere_else(longest: int) -> None:
    whole = learn_tokenizer(TITLES, 150, 1000)
    cut = learn_tokenizer(TITLES, 150, longest)
    for title in (*TITLES, "red " * 100, "x" * 10_000, "redder " * 3):
        assert cut.encode(title).ids == whole.encode(title).ids[:longest]


@pytest.mark.parametrize("block", [1, 2, 8192])
def test_encoded_titles_are_those_encoded_one_by_one(
    tokenizer: Tokenizer, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "BLOCK", block)
    titles = ["Red Shirt", None, "", "Blue", "Green watch summer slim teal", "\u200b", "Redder shirts " * 9]
    encoded = encode_tokens(tokenizer, titles)
    assert encoded.ids.shape == (7, 8)
    assert encoded.ids.dtype == np.int32
    for row, title in enumerate(titles):
        expected = tokenizer.encode(title).ids if title else []
        assert encoded.lengths[row] == len(expected)
        assert encoded.ids[row].tolist() == expected + [padding_id(tokenizer)] * (8 - len(expected))
    assert encoded.lengths.tolist() == [2, 0, 0, 1, 5, 0, 8]


@pytest.mark.parametrize("titles", [[], [None], [None, "", "\u200b"]])
def test_titles_without_a_token_still_have_a_column(tokenizer: Tokenizer, titles: list[str | None]) -> None:
    encoded = encode_tokens(tokenizer, titles)
    assert encoded.ids.shape == (len(titles), 1)
    assert (encoded.ids == padding_id(tokenizer)).all()
    assert encoded.lengths.tolist() == [0] * len(titles)
    none = TokenArrays.none(len(titles))
    assert none.lengths.tolist() == encoded.lengths.tolist()
    assert none.ids.shape == encoded.ids.shape


@pytest.mark.parametrize(
    ("vocabulary", "expected"),
    [
        ({PAD: 0, "a": 1}, 0),
        ({"<s>": 0, "<pad>": 1, "a": 2}, 1),  # RoBERTa
        ({"a": 0, "b": 1, PAD: 2}, 2),
        ({"a": 0, "b": 1}, 0),
    ],
)
def test_the_padding_id_is_the_tokenizers_own(vocabulary: dict[str, int], expected: int) -> None:
    own = Tokenizer(WordLevel(vocabulary, unk_token="a"))
    assert padding_id(own) == expected
    encoded = encode_tokens(own, ["a", None])
    assert encoded.ids[1, 0] == expected


def test_some_titles_are_padded_to_the_longest_of_them(tokenizer: Tokenizer) -> None:
    encoded = encode_tokens(tokenizer, ["Red Shirt", None, "Blue", "Green watch summer"])
    ids, mask = encoded.padded(np.array([2, 0, 2, 1]))
    assert (ids.dtype, mask.dtype) == (np.int64, np.bool_)
    assert ids.tolist() == [encoded.ids[i, :2].tolist() for i in (2, 0, 2, 1)]
    assert mask.tolist() == [[True, False], [True, True], [True, False], [False, False]]
    ids, mask = encoded.padded(np.array([1]))
    assert (ids.tolist(), mask.tolist()) == ([[padding_id(tokenizer)]], [[False]])
