"""What HTML pages share: a look, escaping, figures as people read them, small pictures."""

from fashionmt.pages.numbers import count, percent
from fashionmt.pages.pictures import SIDE, data_uri
from fashionmt.pages.rendering import render

__all__ = ["SIDE", "count", "data_uri", "percent", "render"]
