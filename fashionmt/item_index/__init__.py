"""An index of items: their vectors, what is known of them, and search."""

from fashionmt.item_index.adding import Added, add_items, check_folder
from fashionmt.item_index.description import BundleMark, newest_index
from fashionmt.item_index.index import ItemIndex, check_bundle, load_index
from fashionmt.item_index.search import Ranked, search
from fashionmt.item_index.segment import Items

__all__ = [
    "Added",
    "BundleMark",
    "ItemIndex",
    "Items",
    "Ranked",
    "add_items",
    "check_bundle",
    "check_folder",
    "load_index",
    "newest_index",
    "search",
]
