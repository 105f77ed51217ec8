"""The baselines answer as their names say, from the training rows alone."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC
from tiny import tiny_dataset

from fashionmt.attributes import LabelSpace
from fashionmt.benchmark.baselines import fit_baseline
from fashionmt.data import Findings, PreparedData, TitleEncoder
from fashionmt.data.splits import Split

CLASSES = ("Blue", "Navy Blue", "Red", "White")
TRAIN = ["Blue shirt", "Sky shirt", "Navy-blue sock", "Red shoe", "Ruby shoe", "Scarlet sock", "White sock", None]
LABELS = [0, 0, 1, 2, 2, 2, 3, 2]
TEST = ["Shirt in navy and blue", "White and red shoe", "Red or white shoe", "REDS", "Greenish hat", None, "Navy sock"]


def prepared() -> PreparedData:
    """The last two training rows are one without a label and one of an unlearned class."""
    titles = [*TRAIN, "Blue", "Blue", *TEST]
    count, train = len(titles), len(TRAIN) + 2
    items = tiny_dataset(count, side=2).items
    labels = np.array([*LABELS, -1, 4, *[0] * len(TEST)])
    return PreparedData(
        items=replace(items, labels={"colour": labels}),
        ids=[str(i) for i in range(count)],
        split=Split(np.arange(train), np.array([], dtype=np.int64), np.arange(train, count)),
        spaces={"colour": LabelSpace("colour", CLASSES, ("Plum",))},
        titles=TitleEncoder(None, None),
        findings=Findings(),
        fingerprint="",
        raw_titles=titles,
    )


def answers(kind: str, data: PreparedData | None = None) -> list[str]:
    predicted = fit_baseline(kind, data or prepared(), seed=0)["colour"].predict(TEST)
    return [CLASSES[index] for index in predicted]


def test_the_majority_class_is_that_of_the_training_rows() -> None:
    assert answers("majority") == ["Red"] * len(TEST)


def test_the_label_of_most_words_wins_then_the_first_named_then_the_majority() -> None:
    assert answers("words") == ["Navy Blue", "White", "Red", "Red", "Red", "Red", "Red"]


def test_the_linear_model_is_tf_idf_and_a_linear_svm() -> None:
    words, pieces = TfidfVectorizer(ngram_range=(1, 2)), TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5))
    train, test = [title or "" for title in TRAIN], [title or "" for title in TEST]
    features = hstack([words.fit_transform(train), pieces.fit_transform(train)])
    model = LinearSVC(C=0.5, random_state=0).fit(features, LABELS)
    expected = model.predict(hstack([words.transform(test), pieces.transform(test)]))
    assert answers("linear") == [CLASSES[index] for index in expected]
    assert len(set(answers("linear"))) > 2


@pytest.mark.parametrize("kind", ["majority", "words", "linear"])
def test_test_rows_are_not_looked_at(kind: str) -> None:
    data = prepared()
    changed = prepared()
    for row in changed.split.test:
        changed.raw_titles[row] = "White white white"
        changed.items.labels["colour"][row] = 3
    assert answers(kind, changed) == answers(kind, data)
