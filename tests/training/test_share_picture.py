"""How much the picture counts where the title names no class: known words, shares from held-out items, the sum told."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from tiny import one_thread, tiny_config, tiny_dataset, tiny_prepared

from fashionmt.attributes import LabelSpace
from fashionmt.config import WidePathConfig
from fashionmt.data import NgramVocabulary, TitleEncoder, learn_tokenizer
from fashionmt.data.prepare import PreparedData
from fashionmt.data.splits import Split
from fashionmt.model import Tagger, build_tagger
from fashionmt.training import picture_share
from fashionmt.training.evaluation import Answers, collect_answers
from fashionmt.training.linear_blend import choose_shares
from fashionmt.training.picture_share import class_words, share_picture

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)
CPU = torch.device("cpu")
COLOURS, KINDS = ("Navy Blue", "Grey", "Red"), ("Tshirts", "Shoes")
SPACES = {"colour": LabelSpace("colour", COLOURS), "kind": LabelSpace("kind", KINDS)}
COUNT, TRAIN = 120, 40


@pytest.fixture
def data() -> PreparedData:
    """Every other title names its colour, and all name their kind; every ninth item has no title."""
    draw = np.random.default_rng(0)
    colour, kind = draw.integers(0, 3, COUNT), draw.integers(0, 2, COUNT)
    titles = [None if i % 9 == 8 else _title(i, COLOURS[colour[i]], KINDS[kind[i]]) for i in range(COUNT)]
    known = [title for title in titles if title]
    encoder = TitleEncoder(learn_tokenizer(known, 200, 12), NgramVocabulary.learn(known, 2))
    items = tiny_dataset(COUNT).items
    return tiny_prepared(
        replace(items, titles=encoder.encode(titles), labels={"colour": colour, "kind": kind}),
        Split(np.arange(TRAIN), np.arange(TRAIN, COUNT), np.arange(COUNT, COUNT)),
        SPACES,
        titles,
        encoder,
    )


def _title(number: int, colour: str, kind: str) -> str:
    return f"{colour if number % 2 else 'Fine'} {kind.rstrip('s')} {('slim', 'wide', 'long')[number % 3]}"


@pytest.fixture
def tagger(data: PreparedData) -> Tagger:
    torch.manual_seed(0)
    config = replace(tiny_config(), wide=WidePathConfig(picture_share=True))
    classes = {name: len(space) for name, space in data.spaces.items()}
    return build_tagger(config, classes, data.titles.vocabulary_sizes()).eval()


def _answered_by_picture(data: PreparedData, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the picture's colour the right one, whatever the network says."""
    labels = {name: torch.from_numpy(column[data.split.validation]) for name, column in data.items.labels.items()}
    logits = {
        "colour": torch.nn.functional.one_hot(labels["colour"], 3) * 2.0,
        "kind": torch.zeros(len(labels["kind"]), 2),
    }
    told = Answers(logits, labels, torch.zeros(0))
    monkeypatch.setattr(picture_share, "collect_answers", lambda *_: told)


def test_the_words_of_classes_are_known_as_titles_write_them() -> None:
    titles = ["blue NAVY shirt", "Grey shoe", "gray shoes red", "navy blue greyhound", "Grey t-shirt", "Gray red blue"]
    ngrams = NgramVocabulary.learn(titles, 2)
    table = class_words(titles, SPACES, ngrams)
    named = {name: set(table[:, place].nonzero()[:, 0].tolist()) for place, name in enumerate(SPACES)}
    assert named["colour"] == set(ngrams.word_ids(["navy", "blue", "grey", "gray", "red"]).tolist())
    assert named["kind"] == set()  # "shoe" and "shoes" are in one title each
    assert 0 not in named["colour"]
    assert ngrams.word_ids(["greyhound", "nothing", "shirt"]).tolist()[:2] == [0, 0]


def test_the_shares_are_the_likeliest_and_the_sum_is_told(
    tagger: Tagger, data: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_share, "FEWEST", 10)
    before = collect_answers(tagger, data.dataset("validation"), CPU, 7)
    _answered_by_picture(data, monkeypatch)
    found = share_picture(tagger, data, before.logits, CPU, 7)
    rows = data.split.validation
    has_both = np.array([data.raw_titles[row] is not None for row in rows]) & (data.items.pictures.row[rows] >= 0)
    unnamed = torch.from_numpy(has_both & (rows % 2 == 0))
    assert 10 < int(unnamed.sum()) < len(rows)
    alone = torch.nn.functional.one_hot(before.labels["colour"], 3).double() * 2
    own, added = choose_shares(before.logits["colour"][unnamed], alone[unnamed], before.labels["colour"][unnamed])
    assert added > 0.5
    assert tagger.picture_share.shares[:, 0].tolist() == pytest.approx([own, added])
    expected = (own * before.logits["colour"] + added * alone).where(unnamed[:, None], before.logits["colour"])
    torch.testing.assert_close(found["colour"].double(), expected.double())
    assert torch.equal(found["kind"], before.logits["kind"])  # every title names its kind
    assert tagger.picture_share.shares[:, 1].tolist() == [1, 0]


def test_what_is_told_is_what_the_tagger_answers_then(
    tagger: Tagger, data: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_share, "FEWEST", 10)
    monkeypatch.setattr(picture_share, "choose_shares", lambda *_: (0.5, 3.0))
    before = collect_answers(tagger, data.dataset("validation"), CPU, 7)
    found = share_picture(tagger, data, before.logits, CPU, 7)
    after = collect_answers(tagger, data.dataset("validation"), CPU, 7)
    assert not torch.allclose(before.logits["colour"], after.logits["colour"])
    for name in data.spaces:
        torch.testing.assert_close(found[name], after.logits[name], atol=1e-5, rtol=1e-5)


def test_with_too_few_items_a_head_stays_as_it_is(
    tagger: Tagger, data: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = collect_answers(tagger, data.dataset("validation"), CPU, 7)
    _answered_by_picture(data, monkeypatch)
    found: dict[str, Any] = share_picture(tagger, data, before.logits, CPU, 7)
    assert all(torch.equal(found[name], before.logits[name]) for name in data.spaces)
    assert tagger.picture_share.shares.tolist() == [[1, 1], [0, 0]]


def test_a_tagger_without_it_is_refused(data: PreparedData) -> None:
    plain = build_tagger(tiny_config(wide=True), {"colour": 3, "kind": 2}, data.titles.vocabulary_sizes())
    with pytest.raises(ValueError, match="no share"):
        share_picture(plain, data, {}, CPU, 7)
