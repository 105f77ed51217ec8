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
from fashionmt.data import NgramVocabulary, TitleEncoder, learn_tokenizer
from fashionmt.data.prepare import PreparedData
from fashionmt.data.splits import Split
from fashionmt.model import Tagger, build_tagger
from fashionmt.training.answers import collect_answers
from fashionmt.training.linear_blend import ABSENT, AS_IS, blend_linear, fit_linear, title_matrix
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


def tagger_of(data: PreparedData) -> Tagger:
    """With a wide path that has learned something."""
    torch.manual_seed(0)
    classes = {name: len(space) for name, space in data.spaces.items()}
    tagger = build_tagger(tiny_config(wide=True), classes, data.titles.vocabulary_sizes()).eval()
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
    titles = title_matrix(data, data.split.train)
    linear = fit_linear(titles, data.items.labels[name][data.split.train], len(data.spaces[name]))
    assert linear is not None
    rows = np.array([row for row in range(40) if data.raw_titles[row]])
    expected = reference(data, name)(rows)
    np.testing.assert_allclose((titles @ linear.weight + linear.bias)[rows], expected, atol=1e-6)
    assert not linear.weight[0].any()


def test_a_class_that_no_title_has_is_unlikely_and_one_class_alone_is_no_model() -> None:
    titles = csr_array(np.eye(6))
    linear = fit_linear(titles, np.array([0, 2, 0, 2, 0, 2]), 3)
    assert linear is not None
    assert (linear.weight[:, 1] == 0).all()
    assert linear.bias[1] == ABSENT
    assert fit_linear(titles, np.array([1, 1, 1, -1, 5, 1]), 3) is None


def test_a_tagger_without_a_wide_path_has_nothing_to_take_it_into(data: PreparedData) -> None:
    tagger = tagger_of(data)
    tagger.wide = None
    with pytest.raises(ValueError, match="no wide path"):
        blend_linear(tagger, data, {}, {})
