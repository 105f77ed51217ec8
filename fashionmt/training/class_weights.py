"""Weights of the classes of one head, so that rare ones are heard.

K classes, n_c training items of class c, n in all. Every scheme but `none` and `inverse` is scaled to a mean of 1
over the classes that occur; then no weight may pass `cap`. A class without items weighs 0.
"""

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.int64]
"""Training items of each class, shape (K,)."""
Weights = npt.NDArray[np.float64]
"""Shape (K,)."""


def class_weights(counts: Counts, scheme: str, cap: float, beta: float) -> Weights:
    """The weight of each class.

    Args:
        counts: n_c, shape (K,).
        scheme: `none`: 1. `inverse`: n / (K n_c), scikit-learn's "balanced" (King & Zeng 2001).
            `sqrt_inverse`: its square root (Mahajan et al. 2018, arXiv:1805.00932, sampling by 1/sqrt(n_c)).
            `effective_number`: (1 - beta) / (1 - beta^n_c), one over the effective number of items (Cui et al. 2019,
            arXiv:1901.05555, the class-balanced term of section 4, scaled as there).
        cap: the greatest weight allowed.
        beta: of `effective_number`.
    """
    there = counts > 0
    occurring = counts[there].astype(np.float64)
    weights = np.zeros(len(counts))
    if scheme == "none":
        weights[there] = 1.0
    elif scheme == "inverse":
        weights[there] = occurring.sum() / (len(occurring) * occurring)
    elif scheme == "sqrt_inverse":
        weights[there] = _mean_one(occurring**-0.5)
    else:
        weights[there] = _mean_one((1 - beta) / (1 - beta**occurring))
    return weights.clip(max=cap)


def _mean_one(weights: Weights) -> Weights:
    scaled: Weights = weights / weights.mean()
    return scaled
