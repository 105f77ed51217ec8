"""A linear model of the titles, fitted by itself and taken into the wide path.

Trained beside the towers, the wide path learns what they leave; fitted alone, a linear SVM reads words that few titles
hold better than either. Their logits are added, in shares chosen for each head on held-out items
(`fashionmt.training.stacking`). Both are linear in the same n-grams, so that the sum is again a wide path, and tagging
costs nothing more. Where the catalogue has other columns, the linear model reads them as well (`model.wide.columns`):
as the towers do, it learns from items without them too (`model.drop_tabular`).

N items, F n-gram ids, M pieces of numbers and indices of categories of the other columns, C classes of an attribute.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array, hstack, vstack
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC
from torch import Tensor
from tqdm import tqdm

from fashionmt.data.prepare import PreparedData
from fashionmt.data.rows import Rows
from fashionmt.model import Tagger
from fashionmt.training.stacking import choose_shares

Floats = npt.NDArray[np.float64]
REGULARISATION = 1.0
"""LinearSVC's C: 0.5 is the benchmark's, for features whose squares sum to 2; here they sum to 1."""
ABSENT = -1.0
"""The margin of a class that no title in training has: that of what an SVM is sure not to be."""
AS_IS = (1.0, 0.0)
"""The shares of a head's own logits and of the margins that leave it as it was trained."""


@dataclass(frozen=True)
class Linear:
    """One head's linear model."""

    titles: Floats
    """(F, C); 0 for padding."""
    columns: Floats
    """(M, C)."""
    bias: Floats
    """(C,)."""

    def margins(self, titles: csr_array, columns: csr_array) -> Tensor:
        """Float (N, C); 0 where the title has no n-gram that is known."""
        beside = _where_titled(titles) * (columns @ self.columns + self.bias)
        return torch.from_numpy(titles @ self.titles + beside)


@dataclass(frozen=True)
class Read:
    """What linear models read of N items."""

    titles: csr_array
    """The n-grams' weights, (N, F)."""
    columns: csr_array
    """(N, M), laid out as `WideColumns.weight` is."""
    hidden: csr_array
    """(N, M): the same where no column tells anything."""

    @classmethod
    def of(cls, data: PreparedData, rows: Rows, columns: bool) -> "Read":
        """The items `rows`. `columns` False: M is 0."""
        titles, tabular = title_matrix(data, rows), data.items.tabular.take(rows)
        if not columns:
            return cls(titles, *[csr_array((len(rows), 0))] * 2)
        sizes = data.tabular.sizes()[1]
        nothing = np.zeros_like(tabular.numbers), np.zeros_like(tabular.categories)
        return cls(titles, column_matrix(tabular.numbers, tabular.categories, sizes), column_matrix(*nothing, sizes))


def blend_linear(
    tagger: Tagger, data: PreparedData, logits: Mapping[str, Tensor], labels: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Fit linear models to the training titles and take them into the tagger's wide path; returns `logits` as the
    tagger would give them now.

    Args:
        logits: attribute -> float (N, C), the tagger's, of the validation items.
        labels: attribute -> int64 (N,), theirs.
    """
    if tagger.wide is None:
        raise ValueError("no wide path")
    told = tagger.wide.columns is not None
    train, held_out = (Read.of(data, rows, told) for rows in (data.split.train, data.split.validation))
    blended = dict(logits)
    heads = tqdm(data.spaces.items(), desc="linear model", unit="head", delay=2.0, disable=None, leave=False)
    for name, space in heads:
        linear = fit_linear(train, data.items.labels[name][data.split.train], len(space), tagger.config.drop_tabular)
        if linear is None:
            continue
        margins = linear.margins(held_out.titles, held_out.columns)
        own, share = choose_shares([logits[name], margins], labels[name], AS_IS)
        parts = (linear.titles, linear.bias, linear.columns)
        tagger.wide.absorb(name, own, *(share * torch.from_numpy(part) for part in parts))
        blended[name] = (own * logits[name] + share * margins).to(logits[name])
    return blended


def title_matrix(data: PreparedData, rows: Rows) -> csr_array:
    """The n-gram weights of the titles `rows`, (N, F)."""
    ngrams = data.items.titles.ngrams
    ids, weights = ngrams.padded(rows)
    there = weights > 0
    starts = np.append(0, there.sum(axis=1).cumsum()).astype(np.int32)
    shape = (len(rows), data.titles.vocabulary_sizes()[1])
    return csr_array((weights[there].astype(np.float64), ids[there].astype(np.int32), starts), shape=shape)


def column_matrix(
    numbers: npt.NDArray[np.float32], categories: npt.NDArray[np.int64], sizes: tuple[int, ...]
) -> csr_array:
    """Other columns as a linear model reads them, (N, M): pieces of numbers, and a 1 for each category.

    Args:
        numbers: (N, P).
        categories: (N, K).
        sizes: how many indices each of the K columns has.
    """
    if not sizes:
        return csr_array(numbers.astype(np.float64))
    told = OneHotEncoder(categories=[np.arange(size) for size in sizes]).fit_transform(categories)
    return csr_array(hstack([numbers.astype(np.float64), told]))


def fit_linear(read: Read, labels: npt.NDArray[np.int64], classes: int, hidden: float = 0.0) -> Linear | None:
    """A linear SVM, one class against the rest, of the items that have a title and a learned label; None where these
    are not of two classes.

    Args:
        labels: (N,).
        hidden: what an item counts without its other columns, of 1 in all.
    """
    used = (labels >= 0) & (labels < classes) & _where_titled(read.titles)[:, 0]
    if len(np.unique(labels[used])) < 2:
        return None
    titles, columns, true = read.titles[used], read.columns[used], labels[used]
    counts = None
    if columns.shape[1] and hidden:
        counts = np.repeat([1 - hidden, hidden], len(true))
        titles, columns = vstack([titles, titles]), vstack([columns, read.hidden[used]])
        true = np.tile(true, 2)
    items = csr_array(hstack([titles, columns]))
    model = LinearSVC(C=REGULARISATION, random_state=0).fit(_narrow(items), true, sample_weight=counts)
    coefficients, intercept = model.coef_, np.broadcast_to(model.intercept_, len(model.coef_))
    if len(model.classes_) == 2:  # of two, scikit-learn keeps one
        coefficients, intercept = np.concatenate([-coefficients, coefficients]), np.append(-intercept, intercept)
    weight, bias = np.zeros((items.shape[1], classes)), np.full(classes, ABSENT)
    weight[:, model.classes_], bias[model.classes_] = coefficients.T, intercept
    return Linear(weight[: titles.shape[1]], weight[titles.shape[1] :], bias)


def _narrow(items: csr_array) -> csr_array:
    """With indices of 32 bits: liblinear takes no others."""
    items.indices, items.indptr = items.indices.astype(np.int32), items.indptr.astype(np.int32)
    return items


def _where_titled(titles: csr_array) -> npt.NDArray[np.bool_]:
    """(N, 1): which items have an n-gram that is known."""
    titled: npt.NDArray[np.bool_] = np.diff(titles.indptr) > 0
    return titled[:, None]
