"""Embeddings on a plane: PCA, and UMAP where umap-learn is installed."""

import importlib.util
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA

MAX_ITEMS = 3000
MIN_ITEMS = 10
"""Fewer make no map."""


@dataclass(frozen=True)
class Map:
    """Items on a plane."""

    method: str
    points: npt.NDArray[np.float64]
    """(items, 2)."""
    axes: tuple[str, str]


def choose_items(count: int) -> npt.NDArray[np.int64]:
    """Up to `MAX_ITEMS` of `count` positions, ascending, the same at every call."""
    if count <= MAX_ITEMS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, MAX_ITEMS, replace=False))


def project(embedding: npt.NDArray[np.float32]) -> Iterator[Map]:
    """Maps of `embedding`, (items, D); none where the items are few or all alike."""
    if len(embedding) < MIN_ITEMS or embedding.shape[1] < 2 or not float(np.ptp(embedding, axis=0).max()) > 0:
        return
    pca = PCA(2, random_state=0)
    points = pca.fit_transform(embedding)
    first, second = (
        f"component {i + 1}, {share:.0%} of the variance" for i, share in enumerate(pca.explained_variance_ratio_)
    )
    yield Map("PCA", points, (first, second))
    if importlib.util.find_spec("umap") is not None:
        import umap

        with warnings.catch_warnings():  # numba's and its own, none of them for who reads the report
            warnings.simplefilter("ignore")
            reducer = umap.UMAP(n_neighbors=min(15, len(embedding) - 1), random_state=0, n_jobs=1)
            yield Map("UMAP", reducer.fit_transform(embedding), ("", ""))
