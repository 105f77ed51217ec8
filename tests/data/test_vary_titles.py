"""Training titles: struck, dropped and swapped at the stated shares, by a draw that a resumed run repeats."""

from collections import Counter

import numpy as np
import pytest

from fashionmt.config import TitleVariationConfig
from fashionmt.data import TitleEncoder, learn_tokenizer, vary_titles
from fashionmt.data.ngrams import NgramVocabulary
from fashionmt.data.vary_titles import ALTERNATIVES, TitleVariation, drop_words, swap_words

TITLES = ["Nike Men Navy Blue Running Shoes", "Puma Women Grey T-shirt", None, "Navy", "Basics Unisex Red Cap Pack"]
WORDS = {
    "colour": frozenset({"navy", "blue", "gray", "red"}),
    "kind": frozenset({"shoe", "tshirt", "cap"}),
    "gender": frozenset({"man", "woman", "unisex"}),
}
ROWS = np.arange(len(TITLES))


@pytest.fixture(scope="module")
def encoder() -> TitleEncoder:
    known = [title for title in TITLES if title] * 2
    return TitleEncoder(learn_tokenizer(known, 500, 32), NgramVocabulary.learn(known, 1))


def _seen(encoder: TitleEncoder, config: TitleVariationConfig, title: str, draws: int = 300) -> Counter[str]:
    """The texts that a title becomes, by count."""
    variation = TitleVariation(encoder, [title] * draws, WORDS, config)
    draw = np.random.default_rng(0)
    return Counter(str(variation._vary(title, draw)) for _ in range(draws))


def test_nothing_varied_is_nothing_encoded_anew(encoder: TitleEncoder) -> None:
    assert TitleVariation(encoder, TITLES, WORDS, TitleVariationConfig()).encode(ROWS) == (None, None)
    assert not TitleVariationConfig().varies


def test_the_draw_depends_on_the_rows_and_their_order_alone(encoder: TitleEncoder) -> None:
    variation = TitleVariation(encoder, TITLES * 20, WORDS, TitleVariationConfig(strike=0.5, drop_words=0.5))
    rows = np.random.default_rng(1).permutation(100)
    first, again, other = (variation.encode(order)[0] for order in (rows, rows, rows[::-1]))
    assert first.tokens.ids.tolist() == again.tokens.ids.tolist()
    assert first.tokens.lengths.tolist() != other.tokens.lengths[::-1].tolist()


def test_half_the_strikes_are_of_every_attribute_and_half_of_one(encoder: TitleEncoder) -> None:
    seen = _seen(encoder, TitleVariationConfig(strike=1), "Nike Men Navy Blue Running Shoes", 600)
    assert set(seen) == {
        "Nike Running",
        "Nike Men Running Shoes",
        "Nike Men Navy Blue Running",
        "Nike Navy Blue Running Shoes",
    }
    assert seen["Nike Running"] == pytest.approx(300, abs=50)


def test_the_share_is_the_share_that_is_struck(encoder: TitleEncoder) -> None:
    seen = _seen(encoder, TitleVariationConfig(strike=0.3), "Nike Men Navy Blue Running Shoes", 600)
    assert seen["Nike Men Navy Blue Running Shoes"] == pytest.approx(420, abs=45)


def test_a_title_of_label_words_alone_stays(encoder: TitleEncoder) -> None:
    assert set(_seen(encoder, TitleVariationConfig(strike=1), "Navy Blue")) == {"Navy Blue"}


def test_a_missing_title_stays_missing(encoder: TitleEncoder) -> None:
    config = TitleVariationConfig(strike=1, drop_words=1, synonyms=1)
    found, struck = TitleVariation(encoder, TITLES, WORDS, config, struck=True).encode(ROWS)
    assert struck is not None
    assert found is not None
    assert struck.there(ROWS).tolist() == [True, True, False, True, True]
    assert found.there(ROWS).tolist() == [True, True, False, True, True]


def test_words_are_dropped_in_order_and_never_all() -> None:
    draw = np.random.default_rng(0)
    words = [f"w{i}" for i in range(10)]
    counts = []
    for _ in range(300):
        kept = drop_words(" ".join(words), draw).split()
        assert kept == sorted(kept, key=words.index)
        counts.append(len(kept))
    assert np.mean(counts) == pytest.approx(8, abs=0.3)
    assert {drop_words("one", draw) for _ in range(50)} == {"one"}


def test_synonyms_swap_whole_words_of_any_case() -> None:
    draw = np.random.default_rng(0)
    assert swap_words("Puma GREY Greyhound cap", draw) == "Puma gray Greyhound cap"
    assert {swap_words("Blue Handbag", draw) for _ in range(20)} == {"Blue purse"}
    assert swap_words("Nothing to change", draw) == "Nothing to change"
    assert all(word not in others for word, others in ALTERNATIVES.items())


@pytest.mark.parametrize("title", ["ERKEK BEYAZ T-SH\u0130RT", "Puma T\u017fhirt", "K\u0130DS"])
def test_a_word_that_is_one_of_them_but_for_a_letter_stays(title: str) -> None:
    """Without regard to case the regular expression takes these letters for i and s."""
    assert swap_words(title, np.random.default_rng(0)) == title


def test_no_synonym_adds_or_takes_a_colour() -> None:
    colours = {"grey", "gray", "multi", "multicoloured", "multicolor"}
    for word, others in ALTERNATIVES.items():
        assert (word in colours) == any(other in colours for other in others)


def test_struck_titles_stand_beside_whole_ones(encoder: TitleEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of them is one of the four ways to strike its title, half of them that of every attribute."""
    monkeypatch.setattr(vary_titles, "STRUCK_LOSES", 0.0)
    titles = ["Nike Men Navy Blue Running Shoes"] * 400
    found, struck = TitleVariation(encoder, titles, WORDS, TitleVariationConfig(), struck=True).encode(np.arange(400))
    assert struck is not None
    assert found is None
    expected = encoder.encode(
        ["Nike Running", "Nike Men Running Shoes", "Nike Men Navy Blue Running", "Nike Navy Blue Running Shoes"]
    )
    ids = {tuple(struck.tokens.ids[row][: struck.tokens.lengths[row]].tolist()) for row in range(400)}
    assert ids == {tuple(expected.tokens.ids[row][: expected.tokens.lengths[row]].tolist()) for row in range(4)}
    assert (struck.tokens.lengths == expected.tokens.lengths[0]).sum() == pytest.approx(200, abs=40)


def test_struck_titles_lose_other_words_too(encoder: TitleEncoder) -> None:
    words = [f"w{i}" for i in range(10)]
    titles = [" ".join([*words, "navy"])] * 300
    known = TitleEncoder(learn_tokenizer(titles, 500, 32), None)
    found, struck = TitleVariation(known, titles, WORDS, TitleVariationConfig(), struck=True).encode(np.arange(300))
    assert struck is not None
    assert found is None
    left = struck.tokens.lengths.mean()  # navy stays in two thirds of the half that loses one attribute's words
    assert left == pytest.approx(0.6 * (10 + 1 / 3), abs=0.3)
