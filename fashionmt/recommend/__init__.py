"""Recommendations: who took what, a ranker of items for histories, its baselines, and lists for people."""

from fashionmt.recommend.predict import recommend
from fashionmt.recommend.train import run_recommending

__all__ = ["recommend", "run_recommending"]
