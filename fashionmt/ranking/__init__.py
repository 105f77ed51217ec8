"""Rankings: how they are made, and how good they are."""

from fashionmt.ranking.topk import TopK, top_k, top_k_among, top_k_of_scores

__all__ = ["TopK", "top_k", "top_k_among", "top_k_of_scores"]
