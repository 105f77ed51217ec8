"""The commands about similar items: `task=index` and `task=similar`."""

from fashionmt.similar.find import find
from fashionmt.similar.make import make_index

__all__ = ["find", "make_index"]
