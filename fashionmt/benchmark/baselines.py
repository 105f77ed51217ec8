"""What a system must beat to be worth its cost: three ways to answer from the title alone, fitted in seconds.

They see the training rows only, and nothing about them is chosen on validation or test. The linear one also reads the
other columns of the catalogue (`data.tabular`), each text as a category.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC

from fashionmt.attributes import LabelSpace
from fashionmt.data.label_words import label_words, title_words
from fashionmt.data.prepare import PreparedData
from fashionmt.data.rows import Rows

TITLE = "(title)"
"""The column of titles in what baselines read; the others are called as `data.tabular` calls them."""
Classes = npt.NDArray[np.int64]


class Classifier(Protocol):
    """Answers one attribute."""

    def predict(self, items: pd.DataFrame) -> Classes:
        """Class indices, shape (items,)."""
        ...


class Majority:
    """The most frequent class, whatever the title says."""

    def __init__(self, items: pd.DataFrame, classes: Classes, space: LabelSpace, seed: int) -> None:
        """`items`, `classes`: the labelled training items, N each."""
        self.model = DummyClassifier(strategy="most_frequent").fit(np.zeros((len(classes), 1)), classes)

    def predict(self, items: pd.DataFrame) -> Classes:
        """See `Classifier`."""
        return np.asarray(self.model.predict(np.zeros((len(items), 1))), dtype=np.int64)


class LabelWordRule:
    """The label of the most words that all stand in the title; of several, the one named first; else the majority."""

    def __init__(self, items: pd.DataFrame, classes: Classes, space: LabelSpace, seed: int) -> None:
        """As `Majority`."""
        self.words = [label_words([name]) for name in space.classes]
        self.otherwise = Majority(items, classes, space, seed)

    def predict(self, items: pd.DataFrame) -> Classes:
        """See `Classifier`."""
        answers = self.otherwise.predict(items)
        for row, title in enumerate(items[TITLE]):
            if (named := self._named(title_words(title))) is not None:
                answers[row] = named
        return answers

    def _named(self, places: Mapping[str, int]) -> int | None:
        found = [
            (-len(words), min(places[word] for word in words), index)
            for index, words in enumerate(self.words)
            if words and words <= places.keys()
        ]
        return min(found)[2] if found else None


class LinearModel:
    """TF-IDF of words, pairs of words and pieces of 2 to 5 letters, and a linear SVM with C = 0.5."""

    def __init__(self, items: pd.DataFrame, classes: Classes, space: LabelSpace, seed: int) -> None:
        """As `Majority`."""
        features = make_column_transformer(
            (TfidfVectorizer(ngram_range=(1, 2)), TITLE),
            (TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5)), TITLE),
            (OneHotEncoder(handle_unknown="ignore"), [name for name in items if name != TITLE]),
        )
        self.model: Any = make_pipeline(features, LinearSVC(C=0.5, random_state=seed))
        self.model.fit(items, classes)

    def predict(self, items: pd.DataFrame) -> Classes:
        """See `Classifier`."""
        return np.asarray(self.model.predict(items), dtype=np.int64)


KINDS: dict[str, Callable[[pd.DataFrame, Classes, LabelSpace, int], Classifier]] = {
    "majority": Majority,
    "words": LabelWordRule,
    "linear": LinearModel,
}


def fit_baseline(kind: str, data: PreparedData, seed: int) -> dict[str, Classifier]:
    """One classifier an attribute, fitted to the training rows that have a label of a learned class."""
    return {name: _fit(KINDS[kind], data, name, seed) for name in data.spaces}


def read_items(data: PreparedData, titles: Sequence[str | None], rows: Rows) -> pd.DataFrame:
    """What baselines read of the items `rows`, whose titles are `titles[row]`: texts, empty where there is none."""
    columns = {name: [data.raw_tabular[name][row].strip() for row in rows] for name in data.tabular.columns}
    return pd.DataFrame({TITLE: [titles[row] or "" for row in rows], **columns})


def _fit(
    kind: Callable[[pd.DataFrame, Classes, LabelSpace, int], Classifier], data: PreparedData, name: str, seed: int
) -> Classifier:
    space, labels = data.spaces[name], data.items.labels[name][data.split.train]
    learned = (labels >= 0) & (labels < len(space))
    items = read_items(data, data.raw_titles, data.split.train[learned])
    return kind(items, labels[learned], space, seed)
