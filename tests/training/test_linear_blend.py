"""The linear model is scikit-learn's, its share the best on held-out items, and the tagger answers with the sum."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.svm import LinearSVC
from tiny import tiny_config, tiny_dataset, tiny_prepared

from fashionmt.attributes import LabelSpace
from fashionmt.config import TabularColumnConfig, WidePathConfig
from fashionmt.data import NgramVocabulary, TitleEncoder, learn_tokenizer
from fashionmt.data.prepare import PreparedData
from fashionmt.data.splits import Split
from fashionmt.data.tabular import TabularEncoder
from fashionmt.model import Tagger, build_tagger
from fashionmt.training.answers import collect_answers
from fashionmt.training.linear_blend import ABSENT, AS_IS, Read, blend_linear, column_matrix, fit_linear
from fashionmt.training.stacking import choose_shares

CPU = torch.device("cpu")
COLOURS, KINDS = ("Blue", "Grey", "Red"), ("Shirt", "Shoe")


@pytest.fixture
def data() -> PreparedData:
    """Sixty items whose titles tell colour and kind, every ninth without a title; a label missing, one unlearned."""
    draw = np.random.default_rng(0)
    colour, kind = draw.integers(0, 3, 60), draw.integers(0, 2, 60)
    titles = [
        None if i % 9 == 8 else f"{COLOURS[colour[i]]} {KINDS[kind[i]]} {('slim', 'wide', 'long')[i % 3]}"
        for i in range(60)
    ]
    known = [title for title in titles if title]
    encoder = TitleEncoder(learn_tokenizer(known, 200, 12), NgramVocabulary.learn(known, 2))
    labels = {"colour": colour.copy(), "kind": kind.copy()}
    labels["colour"][3], labels["colour"][4] = -1, 3
    items = tiny_dataset(60).items
    return tiny_prepared(
        replace(items, titles=encoder.encode(titles), labels=labels),
        Split(np.arange(40), np.arange(40, 60), np.arange(60, 60)),
        {"colour": LabelSpace("colour", COLOURS, ("Plum",)), "kind": LabelSpace("kind", KINDS)},
        titles,
        encoder,
    )


@pytest.fixture
def dated(data: PreparedData) -> PreparedData:
    """The same, with a third attribute that the year and the brand tell, and titles do not; some items lack both."""
    draw = np.random.default_rng(1)
    year, brand = draw.integers(2010, 2014, 60), draw.integers(0, 3, 60)
    lacks = np.arange(60) % 7 == 6
    rows = [
        {"year": "" if gone else str(one), "brand": "" if gone else f"brand {other}"}
        for one, other, gone in zip(year, brand, lacks, strict=True)
    ]
    encoder = TabularEncoder.learn(
        rows, {"year": TabularColumnConfig(kind="numeric"), "brand": TabularColumnConfig(kind="categorical")}
    )
    season = np.where(brand == 2, 2, year >= 2012).astype(np.int64)
    items = replace(data.items, tabular=encoder.encode(rows), labels=data.items.labels | {"season": season})
    spaces = data.spaces | {"season": LabelSpace("season", ("Fall", "Summer", "Winter"))}
    return replace(data, items=items, spaces=spaces, tabular=encoder)


def tagger_of(data: PreparedData) -> Tagger:
    """With a wide path that has learned something."""
    torch.manual_seed(0)
    classes = {name: len(space) for name, space in data.spaces.items()}
    config = replace(tiny_config(wide=True), wide=WidePathConfig(columns=True))
    tagger = build_tagger(config, classes, data.titles.vocabulary_sizes(), data.tabular.sizes()).eval()
    assert tagger.wide is not None
    torch.nn.init.normal_(tagger.wide.weight.weight[1:])
    return tagger


def reference(data: PreparedData, name: str) -> Callable[[np.ndarray], np.ndarray]:
    """Rows -> margins, (rows, C), by scikit-learn on a dense matrix made title by title."""
    ngrams = data.items.titles.ngrams
    dense = np.zeros((60, data.titles.vocabulary_sizes()[1]))
    for row in range(60):
        own = slice(ngrams.starts[row], ngrams.starts[row + 1])
        dense[row, ngrams.ids[own]] = ngrams.weights[own]
    labels = data.items.labels[name][:40]
    used = [i for i in range(40) if data.raw_titles[i] and 0 <= labels[i] < len(data.spaces[name])]
    model = LinearSVC(C=1.0, random_state=0).fit(dense[used], labels[used])

    def margins(rows: np.ndarray) -> np.ndarray:
        found = model.decision_function(dense[rows])
        return found if found.ndim == 2 else np.stack([-found, found], axis=1)

    return margins


def test_the_tagger_answers_with_the_weighted_sum(data: PreparedData) -> None:
    tagger = tagger_of(data)
    before = collect_answers(tagger, data.dataset("validation"), CPU, 7)
    blended = blend_linear(tagger, data, before.logits, before.labels)
    after = collect_answers(tagger, data.dataset("validation"), CPU, 7)
    titled = np.array([data.raw_titles[row] is not None for row in data.split.validation])
    assert 0 < titled.sum() < 20
    for name in data.spaces:
        margins = reference(data, name)(data.split.validation) * titled[:, None]
        answers = [before.logits[name], torch.from_numpy(margins)]
        own, share = choose_shares(answers, before.labels[name], AS_IS)
        expected = own * before.logits[name] + share * torch.from_numpy(margins)
        assert share > 0.1
        torch.testing.assert_close(blended[name], after.logits[name], atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(after.logits[name].double(), expected.double(), atol=1e-4, rtol=1e-4)
        wrong = [(a.logits[name].argmax(1) != a.labels[name]).double().mean() for a in (before, after)]
        assert wrong[1] < wrong[0]


@pytest.mark.parametrize("name", ["colour", "kind"])
def test_the_linear_model_is_scikit_learns(data: PreparedData, name: str) -> None:
    read = Read.of(data, data.split.train, columns=False)
    linear = fit_linear(read, data.items.labels[name][data.split.train], len(data.spaces[name]))
    assert linear is not None
    rows = np.array([row for row in range(40) if data.raw_titles[row]])
    expected = reference(data, name)(rows)
    np.testing.assert_allclose(linear.margins(read.titles, read.columns)[rows], expected, atol=1e-6)
    assert not linear.titles[0].any()


def test_a_class_that_no_title_has_is_unlikely_and_one_class_alone_is_no_model() -> None:
    read = Read(csr_array(np.eye(6)), *[csr_array((6, 0))] * 2)
    linear = fit_linear(read, np.array([0, 2, 0, 2, 0, 2]), 3)
    assert linear is not None
    assert (linear.titles[:, 1] == 0).all()
    assert linear.bias[1] == ABSENT
    assert fit_linear(read, np.array([1, 1, 1, -1, 5, 1]), 3) is None


def test_a_tagger_without_a_wide_path_has_nothing_to_take_it_into(data: PreparedData) -> None:
    tagger = tagger_of(data)
    tagger.wide = None
    with pytest.raises(ValueError, match="no wide path"):
        blend_linear(tagger, data, {}, {})


def test_the_other_columns_are_read_and_may_lack(dated: PreparedData) -> None:
    tagger, validation = tagger_of(dated), dated.dataset("validation")
    before = collect_answers(tagger, validation, CPU, 7)
    blended = blend_linear(tagger, dated, before.logits, before.labels)
    after = collect_answers(tagger, validation, CPU, 7)
    for name in dated.spaces:
        torch.testing.assert_close(blended[name], after.logits[name], atol=1e-4, rtol=1e-4)
    titled = torch.tensor([dated.raw_titles[row] is not None for row in dated.split.validation])
    told = titled & torch.from_numpy(dated.items.tabular.there[dated.split.validation])
    right = after.logits["season"].argmax(1) == after.labels["season"]
    assert 5 < int(told.sum()) < int(titled.sum())
    assert bool(right[told].all())
    encoded = dated.tabular.encode([{"year": "", "brand": ""}] * 60)
    without = replace(dated, items=replace(dated.items, tabular=encoded)).dataset("validation")
    hidden = collect_answers(tagger, without, CPU, 7).logits["colour"].argmax(1)
    assert float((hidden == after.labels["colour"])[titled].double().mean()) > 0.9


def test_items_count_without_their_columns_for_the_share_that_is_hidden(dated: PreparedData) -> None:
    read = Read.of(dated, dated.split.train, columns=True)
    labels = dated.items.labels["season"][:40]
    linear = fit_linear(read, labels, 3, hidden=0.25)
    assert linear is not None
    used = np.array([row for row in range(40) if dated.raw_titles[row]])
    titles = read.titles.toarray()[used]
    shown = np.concatenate([titles, read.columns.toarray()[used]], axis=1)
    hidden = np.concatenate([titles, read.hidden.toarray()[used]], axis=1)
    model = LinearSVC(C=1.0, random_state=0).fit(
        np.concatenate([shown, hidden]), np.tile(labels[used], 2), np.repeat([0.75, 0.25], len(used))
    )
    for items, columns in ((shown, read.columns), (hidden, read.hidden)):
        found = linear.margins(read.titles, columns)[used]
        np.testing.assert_allclose(found, model.decision_function(items), atol=1e-4)


def test_a_column_is_pieces_of_numbers_and_one_of_each_category() -> None:
    numbers, categories = np.array([[1.0, 0.5], [0.0, 0.0]], np.float32), np.array([[2, 0], [0, 1]])
    found = column_matrix(numbers, categories, (3, 2)).toarray()
    assert found.tolist() == [[1.0, 0.5, 0, 0, 1, 1, 0], [0, 0, 1, 0, 0, 0, 1]]
    assert column_matrix(numbers, categories[:, :0], ()).toarray().tolist() == numbers.tolist()
    assert column_matrix(numbers[:, :0], categories, (3, 2)).shape == (2, 5)
