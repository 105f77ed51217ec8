"""Tagging with a bundle, without Hydra and without Lightning."""

from fashionmt.inference.engine import TaggingEngine, load_bundle
from fashionmt.inference.items import Item, ItemTags, Tag

__all__ = ["Item", "ItemTags", "Tag", "TaggingEngine", "load_bundle"]
