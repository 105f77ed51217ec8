"""Items like a query: what is asked, and what an index answers, with reasons."""

from fashionmt.inference.similar.answers import Hit, InputMatch, Query, SimilarItems, Wanted
from fashionmt.inference.similar.asked import Asked, ask
from fashionmt.inference.similar.find import find_similar, similar_to
from fashionmt.inference.similar.pictures import IndexPictures

__all__ = [
    "Asked",
    "Hit",
    "IndexPictures",
    "InputMatch",
    "Query",
    "SimilarItems",
    "Wanted",
    "ask",
    "find_similar",
    "similar_to",
]
