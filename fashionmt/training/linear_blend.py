"""A linear model of the titles, fitted by itself and taken into the wide path.

Trained beside the towers, the wide path learns what they leave; fitted alone, a linear SVM reads words that few titles
hold better than either. Their logits are added (stacking, Wolpert 1992), in shares chosen for each head on held-out
items. Both are linear in the same n-grams, so that the sum is again a wide path, and tagging costs nothing more.

N items, F n-gram ids, C classes of an attribute.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy.optimize import minimize
from scipy.sparse import csr_array
from sklearn.svm import LinearSVC
from torch import Tensor
from tqdm import tqdm

from fashionmt.data.prepare import PreparedData
from fashionmt.model import Tagger

Floats = npt.NDArray[np.float64]
REGULARISATION = 1.0
"""LinearSVC's C: 0.5 is the benchmark's, for features whose squares sum to 2; here they sum to 1."""
ABSENT = -1.0
"""The margin of a class that no title in training has: that of what an SVM is sure not to be."""
LARGEST = 10.0
"""Of a share."""


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
        own, share = choose_shares(logits[name], margins, labels[name])
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


def choose_shares(logits: Tensor, margins: Tensor, labels: Tensor) -> tuple[float, float]:
    """What logits (N, C) and margins (N, C) are multiplied by before they are added: the pair, none below 0, that gives
    the labels (N,) of held-out items the highest likelihood. 1 and 0 where none has a learned label, and where fewer
    answers would be right than without: likelihood is not what a head is judged by."""
    learned = (labels >= 0) & (labels < logits.shape[1])
    if not bool(learned.any()):
        return 1.0, 0.0
    both, true = torch.stack([logits[learned].double(), margins[learned]]), labels[learned]

    def loss(shares: Floats) -> tuple[float, Floats]:
        chosen = torch.from_numpy(shares).requires_grad_()
        value = F.cross_entropy(torch.einsum("k,knc->nc", chosen, both), true)
        value.backward()  # type: ignore[no-untyped-call]
        return float(value.detach()), np.asarray(chosen.grad)

    found = minimize(loss, np.array([1.0, 0.5]), jac=True, method="L-BFGS-B", bounds=[(0.01, LARGEST), (0, LARGEST)])
    own, share = (float(value) for value in found.x)
    right = [int((answers.argmax(1) == true).sum()) for answers in (both[0], own * both[0] + share * both[1])]
    return (own, share) if right[1] >= right[0] else (1.0, 0.0)


def _where_titled(titles: csr_array) -> npt.NDArray[np.bool_]:
    """(N, 1): which items have an n-gram that is known."""
    titled: npt.NDArray[np.bool_] = np.diff(titles.indptr) > 0
    return titled[:, None]
