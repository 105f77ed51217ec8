"""The baselines answer as their names say, from the training rows alone."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC
from tiny import tiny_dataset, tiny_prepared

from fashionmt.attributes import LabelSpace
from fashionmt.benchmark.baselines import fit_baseline, read_items
from fashionmt.data.prepare import PreparedData
from fashionmt.data.splits import Split
from fashionmt.data.tabular import NumericColumn, TabularEncoder

CLASSES = ("Blue", "Navy Blue", "Red", "White")
TRAIN = ["Blue shirt", "Sky shirt", "Navy-blue sock", "Red shoe", "Ruby shoe", "Scarlet sock", "White sock", None]
LABELS = [0, 0, 1, 2, 2, 2, 3, 2]
TEST = ["Shirt in navy and blue", "White and red shoe", "Red or white shoe", "REDS", "Greenish hat", None, "Navy sock"]


def prepared(years: Sequence[str] | None = None) -> PreparedData:
    """The last two training rows are one without a label and one of an unlearned class. `years`: a column more."""
    titles = [*TRAIN, "Blue", "Blue", *TEST]
    count, train = len(titles), len(TRAIN) + 2
    items = tiny_dataset(count, side=2).items
    labels = np.array([*LABELS, -1, 4, *[0] * len(TEST)])
    return tiny_prepared(
        replace(items, labels={"colour": labels}),
        Split(np.arange(train), np.array([], dtype=np.int64), np.arange(train, count)),
        {"colour": LabelSpace("colour", CLASSES, ("Plum",))},
        titles,
        tabular=TabularEncoder({"year": NumericColumn((), ())} if years is not None else {}),
        raw_tabular={"year": years} if years is not None else {},
    )


def answers(kind: str, data: PreparedData | None = None) -> list[str]:
    data = data or prepared()
    titles = [*data.raw_titles[: -len(TEST)], *TEST]
    predicted = fit_baseline(kind, data, seed=0)["colour"].predict(read_items(data, titles, data.split.test))
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


def test_the_linear_model_reads_other_columns_as_categories() -> None:
    """Titles that tell nothing, and a year that tells all."""
    told = {0: "2011", 1: "2012", 2: "2013", 3: "2014"}
    years = [*(told[label] for label in LABELS), "2011", "2011", "2014", "2013", "2012", "2011", "2014", "1999", "2013"]
    data = prepared(years)
    data.raw_titles[:] = ["same"] * len(data.raw_titles)
    shown = read_items(data, data.raw_titles, data.split.test)
    found = [CLASSES[index] for index in fit_baseline("linear", data, seed=0)["colour"].predict(shown)]
    assert found[:5] == ["White", "Red", "Navy Blue", "Blue", "White"]
    assert found[6] == "Red"
    assert set(fit_baseline("words", data, seed=0)["colour"].predict(shown)) == {2}
