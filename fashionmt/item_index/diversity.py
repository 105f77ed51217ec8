"""Maximal marginal relevance: hits that are near to the query and not all alike (Carbonell and Goldstein 1998, "The use
of MMR, diversity-based reranking for reordering documents and producing summaries", SIGIR).
"""

import numpy as np
import numpy.typing as npt


def mmr(
    relevance: npt.NDArray[np.float32], vectors: npt.NDArray[np.float32], weight: float, k: int
) -> npt.NDArray[np.int64]:
    """Which `k` of n candidates, in the order they are chosen: each time the one of the largest

        weight * relevance - (1 - weight) * the largest cosine with those chosen before,

    the first of equal ones. The first chosen has nothing before it, and 0 in the second place.

    Args:
        relevance: (n,), cosines with the query.
        vectors: (n, E), of length 1.
        weight: lambda, from 0 to 1.
    """
    chosen: list[int] = []
    nearest = np.zeros(len(relevance))
    value = weight * relevance.astype(np.float64)
    for _ in range(min(k, len(relevance))):
        marginal = value - (1 - weight) * nearest
        marginal[chosen] = -np.inf
        best = int(marginal.argmax())
        cosines = vectors.astype(np.float64) @ vectors[best].astype(np.float64)
        nearest = cosines if not chosen else np.maximum(nearest, cosines)
        chosen.append(best)
    return np.array(chosen, dtype=np.int64)
