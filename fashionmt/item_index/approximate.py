"""Approximate search by faiss, for catalogues where each query through all items is too long: the only file that knows
faiss.

Items lie in lists by the nearest of L centroids, and a query looks through the lists of its nearest centroids alone
(Sivic and Zisserman 2003, "Video Google"; Johnson, Douze and Jegou 2019, "Billion-scale similarity search with GPUs",
arXiv:1702.08734). What is kept is two plain tensors, the centroids and the list of each item: a faiss index file is
another program's memory written out, which a reader has to trust. So loading is one copy of the vectors.

N items, vectors of E numbers, Q queries.
"""

import hashlib
import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors
import safetensors.numpy
import torch
from torch import Tensor

from fashionmt.errors import UserError
from fashionmt.item_index.description import Approximate, Description, checked_bytes, damaged
from fashionmt.ranking import top_k
from fashionmt.storage import publish

AT = 10
"""Nearest items that recall is measured on."""
QUERIES = 1000
"""Items that it is measured with."""
TRAINED_ON = 64
"""Items for each centroid."""
SEED, ROUNDS = 20120512, 10
Lists = npt.NDArray[np.int64]
Vectors = npt.NDArray[np.float32]


class ApproximateSearch:
    """The lists of an index."""

    def __init__(self, vectors: Vectors, centroids: Vectors, lists: Lists, probes: int) -> None:
        """`lists`: int64 (N,), the centroid of each item."""
        faiss = _faiss()
        size = vectors.shape[1]
        self._coarse = faiss.IndexFlatIP(size)  # the index below does not keep it alive
        self._coarse.add(centroids)
        self._index = faiss.IndexIVFFlat(self._coarse, size, len(centroids), faiss.METRIC_INNER_PRODUCT)
        self._index.is_trained = True
        rows = np.arange(len(vectors), dtype=np.int64)
        pointers = [faiss.swig_ptr(np.ascontiguousarray(each)) for each in (vectors, rows, lists)]
        self._index.add_core(len(vectors), *pointers, None)
        self._index.nprobe = probes

    def candidates(self, queries: Vectors, k: int, probes: int | None = None) -> Lists:
        """int64 (Q, k): rows that are probably the nearest, in no order to rely on; -1 where there are fewer."""
        if probes is not None:
            self._index.nprobe = probes
        found: Lists = self._index.search(np.ascontiguousarray(queries), k)[1]
        return found


@dataclass(frozen=True, eq=False)
class Held:
    """What an index holds, as this file needs it."""

    folder: Path
    description: Description
    vectors: Tensor
    """float32 (N, E)."""
    order: Lists
    """(N,), the row of each item, counted through all segments: adding does not change it."""


def make_approximate(index: Held, least: float) -> Description:
    """Learn lists, look through as few as find the share `least` of the ten nearest, and write it down; returns the
    new description. Raises `UserError` where a quarter of the lists is not enough."""
    vectors = index.vectors.numpy()
    centroids = _centroids(vectors)
    lists = _assign(vectors, centroids)
    found = _measured(index, ApproximateSearch(vectors, centroids, lists, 1), len(centroids), least)
    rows = np.full(int(index.order.max(initial=-1)) + 1, -1, dtype=np.int32)
    rows[index.order] = lists
    content = safetensors.numpy.save({"centroids": centroids, "lists": rows})
    file = f"approximate-{len(index.description.segments):05}.safetensors"
    publish(index.folder / file, content)
    digest = hashlib.sha256(content).hexdigest()
    description = replace(index.description, approximate=replace(found, file=file, sha256=digest))
    description.write(index.folder)
    return description


def _measured(index: Held, searched: ApproximateSearch, lists: int, least: float) -> Approximate:
    """With as few probes as are enough, in powers of two."""
    count = len(index.vectors)
    queries = np.unique(np.linspace(0, count - 1, min(QUERIES, count), dtype=np.int64))
    asked = index.vectors[torch.from_numpy(queries)]
    exact = top_k(asked, index.vectors, AT, None, [torch.tensor([row]) for row in queries]).rows.numpy()
    probes = 1
    while True:
        recall = _recall(exact, searched.candidates(asked.numpy(), AT + 1, probes))
        if recall >= least:
            return Approximate("", "", lists, probes, round(recall, 4), len(queries))
        if 2 * probes > max(1, lists // 4):
            wrong = f"finds {recall:.3f} of the {AT} nearest in {probes} of {lists} lists, under {least}"
            repair = "Lower similar.recall, or leave approximate out: search is then exact"
            raise UserError("similar.approximate=true", wrong, repair)
        probes *= 2


def read_approximate(index: Held) -> ApproximateSearch | None:
    """None where search is exact. Items that were added since come into the lists here. Raises `UserError`."""
    kept = index.description.approximate
    if kept is None:
        return None
    try:
        stored = safetensors.numpy.load(checked_bytes(index.folder, kept.file, kept.sha256))
        centroids, known = stored["centroids"], stored["lists"].astype(np.int64)
        if centroids.shape != (kept.lists, index.description.size) or not np.isfinite(centroids).all():
            raise ValueError(f"{centroids.shape} centroids")
        if known.ndim != 1 or (known < -1).any() or (known >= kept.lists).any():
            raise ValueError("items of lists that are not there")
    except (KeyError, ValueError, safetensors.SafetensorError) as error:
        raise damaged(index.folder, f"{kept.file} holds no lists of it ({error!r:.100})") from error
    vectors = index.vectors.numpy()
    rows = np.full(max(len(known), int(index.order.max(initial=-1)) + 1), -1, dtype=np.int64)
    rows[: len(known)] = known
    lists = rows[index.order]
    added = np.flatnonzero(lists < 0)
    if len(added):
        lists[added] = _assign(vectors[added], centroids)
    return ApproximateSearch(vectors, centroids, lists, kept.probes)


def _centroids(vectors: Vectors) -> Vectors:
    """float32 (L, E), about four times the root of N of them."""
    faiss = _faiss()
    count = max(1, min(len(vectors), 2 ** round(np.log2(4 * np.sqrt(max(1, len(vectors)))))))
    means = faiss.Kmeans(
        *(vectors.shape[1], count),
        niter=ROUNDS,
        seed=SEED,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=TRAINED_ON,
    )
    means.train(vectors)
    centroids: Vectors = np.ascontiguousarray(means.centroids)
    return centroids


def _assign(vectors: Vectors, centroids: Vectors) -> Lists:
    coarse = _faiss().IndexFlatIP(centroids.shape[1])
    coarse.add(centroids)
    lists: Lists = coarse.search(np.ascontiguousarray(vectors), 1)[1][:, 0].astype(np.int64)
    return lists


def _recall(exact: Lists, found: Lists) -> float:
    """The share of the exact rows that are among those found."""
    hits = sum(int(np.isin(a[a >= 0], b).sum()) for a, b in zip(exact, found, strict=True))
    return hits / max(1, int((exact >= 0).sum()))


def _faiss() -> Any:
    if importlib.util.find_spec("faiss") is None:
        raise UserError("approximate search", "faiss is not installed", "Run pip install 'fashionmt[faiss]'")
    import faiss

    return faiss
