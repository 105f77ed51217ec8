"""A linear model of the titles, fitted by itself and taken into the wide path.

Trained beside the towers, the wide path learns what they leave; fitted alone, a linear SVM reads words that few titles
hold better than either. Their logits are added, in shares chosen for each head on held-out items
(`fashionmt.training.stacking`). Both are linear in the same n-grams, so that the sum is again a wide path, and tagging
costs nothing more.

N items, F n-gram ids, C classes of an attribute.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array
from sklearn.svm import LinearSVC
from torch import Tensor
from tqdm import tqdm

from fashionmt.data.prepare import PreparedData
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

    weight: Floats
    """(F, C); 0 for padding."""
    bias: Floats
    """(C,)."""


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
    train, held_out = (title_matrix(data, rows) for rows in (data.split.train, data.split.validation))
    blended = dict(logits)
    heads = tqdm(data.spaces.items(), desc="linear model", unit="head", delay=2.0, disable=None, leave=False)
    for name, space in heads:
        linear = fit_linear(train, data.items.labels[name][data.split.train], len(space))
        if linear is None:
            continue
        margins = torch.from_numpy(held_out @ linear.weight + _where_titled(held_out) * linear.bias)
        own, share = choose_shares([logits[name], margins], labels[name], AS_IS)
        tagger.wide.absorb(name, own, share * torch.from_numpy(linear.weight), share * torch.from_numpy(linear.bias))
        blended[name] = (own * logits[name] + share * margins).to(logits[name])
    return blended


def title_matrix(data: PreparedData, rows: npt.NDArray[np.int64]) -> csr_array:
    """The n-gram weights of the titles `rows`, (N, F)."""
    ngrams = data.items.titles.ngrams
    ids, weights = ngrams.padded(rows)
    there = weights > 0
    # 32 bits: liblinear takes no others.
    starts = np.append(0, there.sum(axis=1).cumsum()).astype(np.int32)
    shape = (len(rows), data.titles.vocabulary_sizes()[1])
    return csr_array((weights[there].astype(np.float64), ids[there].astype(np.int32), starts), shape=shape)


def fit_linear(titles: csr_array, labels: npt.NDArray[np.int64], classes: int) -> Linear | None:
    """A linear SVM, one class against the rest, of the items that have a title and a learned label; None where these
    are not of two classes. `titles`: (N, F); `labels`: (N,)."""
    used = (labels >= 0) & (labels < classes) & _where_titled(titles)[:, 0]
    if len(np.unique(labels[used])) < 2:
        return None
    model = LinearSVC(C=REGULARISATION, random_state=0).fit(titles[used], labels[used])
    coefficients, intercept = model.coef_, np.broadcast_to(model.intercept_, len(model.coef_))
    if len(model.classes_) == 2:  # of two, scikit-learn keeps one
        coefficients, intercept = np.concatenate([-coefficients, coefficients]), np.append(-intercept, intercept)
    weight, bias = np.zeros((titles.shape[1], classes)), np.full(classes, ABSENT)
    weight[:, model.classes_], bias[model.classes_] = coefficients.T, intercept
    return Linear(weight, bias)


def _where_titled(titles: csr_array) -> npt.NDArray[np.bool_]:
    """(N, 1): which items have an n-gram that is known."""
    titled: npt.NDArray[np.bool_] = np.diff(titles.indptr) > 0
    return titled[:, None]
