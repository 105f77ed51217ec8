"""What counts where the title names no class: known words, shares from held-out items shown twice, the sum told."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny import one_thread, tiny_config, tiny_dataset, tiny_prepared

from fashionmt.attributes import LabelSpace
from fashionmt.config import WidePathConfig
from fashionmt.data import CatalogueDataset, NgramVocabulary, TitleEncoder, learn_tokenizer
from fashionmt.data.prepare import PreparedData
from fashionmt.data.splits import Split
from fashionmt.model import Tagger, build_tagger
from fashionmt.model.silent_titles import AS_IS
from fashionmt.training import silent_titles
from fashionmt.training.answers import collect_answers
from fashionmt.training.silent_titles import class_words, share_silent_titles
from fashionmt.training.stacking import choose_shares

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
    """Its wide path knows something; the shares are of what it says."""
    torch.manual_seed(0)
    config = replace(tiny_config(), wide=WidePathConfig(silent_titles=True))
    classes = {name: len(space) for name, space in data.spaces.items()}
    made = build_tagger(config, classes, data.titles.vocabulary_sizes()).eval()
    assert made.wide is not None
    torch.nn.init.normal_(made.wide.weight.weight[1:])
    return made


def answers(tagger: Tagger, dataset: CatalogueDataset) -> dict[str, torch.Tensor]:
    return collect_answers(tagger, dataset, CPU, 7).logits


def test_the_words_of_classes_are_known_as_titles_write_them() -> None:
    titles = ["blue NAVY shirt", "Grey shoe", "gray shoes red", "navy blue greyhound", "Grey t-shirt", "Gray red blue"]
    ngrams = NgramVocabulary.learn(titles, 2)
    table = class_words(titles, SPACES, ngrams)
    named = {name: set(table[:, place].nonzero()[:, 0].tolist()) for place, name in enumerate(SPACES)}
    assert named["colour"] == set(ngrams.word_ids(["navy", "blue", "grey", "gray", "red"]).tolist())
    assert named["kind"] == set()  # "shoe" and "shoes" are in one title each
    assert 0 not in named["colour"]
    assert ngrams.word_ids(["greyhound", "nothing", "shirt"]).tolist()[:2] == [0, 0]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(silent_titles, "FEWEST", 10)


@pytest.mark.parametrize("fewest", [10, 40])  # of silent titles there are less
def test_the_shares_are_the_likeliest_of_silent_and_of_struck_titles(
    tagger: Tagger, data: PreparedData, monkeypatch: pytest.MonkeyPatch, fewest: int
) -> None:
    monkeypatch.setattr(silent_titles, "FEWEST", fewest)
    rows = data.split.validation
    struck = data.retitled(rows, data.struck_titles(rows))
    assert tagger.wide is not None
    parts = []
    for dataset in (data.dataset("validation"), struck):
        batch = dataset[np.arange(len(rows))]
        wide = tagger.wide(batch.ngram_ids, batch.ngram_weights, batch.numbers, batch.categories)["colour"].detach()
        alone = answers(tagger, data.retitled(rows, [None] * len(rows)))["colour"]
        parts.append(torch.stack([answers(tagger, dataset)["colour"] - wide, wide, alone]))
    has_both = np.array([data.raw_titles[row] is not None for row in rows]) & (data.items.pictures.row[rows] >= 0)
    silent = [torch.from_numpy(has_both & (rows % 2 == 0)), torch.from_numpy(has_both)]
    counts = [int(which.sum()) for which in silent]
    assert 10 < counts[0] < 40 < counts[1] < len(rows)

    draw = torch.Generator().manual_seed(0)
    likely = (torch.tensor([3.0, 1.0, 5.0])[:, None, None] * parts[0]).sum(0).softmax(1)
    labels = torch.multinomial(likely, 1, generator=draw).squeeze(1)
    data.items.labels["colour"][rows] = labels
    before = answers(tagger, data.dataset("validation"))
    share_silent_titles(tagger, data, before, CPU, 7)
    found = answers(tagger, data.dataset("validation"))

    expected = choose_shares(
        list(torch.cat([part[:, which] for part, which in zip(parts, silent, strict=True)], dim=1)),
        torch.cat([labels[which] for which in silent]),
        AS_IS,
        torch.cat([torch.full((count,), 1 / max(count, fewest)) for count in counts]),
    )
    assert min(expected) > 0.1
    assert tagger.silent_titles is not None
    assert tagger.silent_titles.shares[:, 0].tolist() == pytest.approx(expected, abs=1e-4)
    told = torch.einsum("k,knc->nc", tagger.silent_titles.shares[:, 0], parts[0])
    expected_now = told.where(silent[0][:, None], before["colour"])
    torch.testing.assert_close(found["colour"], expected_now, atol=1e-5, rtol=1e-5)
    assert not torch.allclose(found["colour"], before["colour"])


@pytest.mark.usefixtures("few")
def test_where_every_title_names_a_class_the_shares_are_for_titles_to_come(tagger: Tagger, data: PreparedData) -> None:
    rows = data.split.validation
    data.items.labels["kind"][rows] = answers(tagger, data.retitled(rows, [None] * len(rows)))["kind"].argmax(1)
    before = answers(tagger, data.dataset("validation"))
    share_silent_titles(tagger, data, before, CPU, 7)
    assert torch.equal(answers(tagger, data.dataset("validation"))["kind"], before["kind"])
    assert tagger.silent_titles is not None
    assert tagger.silent_titles.shares[2, 1] > 0.1


def test_with_too_few_items_a_head_stays_as_it_is(tagger: Tagger, data: PreparedData) -> None:
    before = answers(tagger, data.dataset("validation"))
    share_silent_titles(tagger, data, before, CPU, 7)
    assert all(torch.equal(now, before[name]) for name, now in answers(tagger, data.dataset("validation")).items())
    assert tagger.silent_titles is not None
    assert tagger.silent_titles.shares.tolist() == [[1, 1], [1, 1], [0, 0]]


def test_a_tagger_that_does_not_tell_them_is_refused(data: PreparedData) -> None:
    plain = build_tagger(tiny_config(wide=True), {"colour": 3, "kind": 2}, data.titles.vocabulary_sizes())
    with pytest.raises(ValueError, match="silent titles"):
        share_silent_titles(plain, data, {}, CPU, 7)
