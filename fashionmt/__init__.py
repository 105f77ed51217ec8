"""fashionmt: six attributes with an honest confidence for every item of a fashion catalogue.

`fashionmt.load_bundle(path).tag(items)` is the Python API, and `.similar(fashionmt.load_index(path), ...)` on the same
object; `train.py` and `predict.py` are the commands.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fashionmt.inference import Item as Item
    from fashionmt.inference import ItemTags as ItemTags
    from fashionmt.inference import TaggingEngine as TaggingEngine
    from fashionmt.inference import load_bundle as load_bundle
    from fashionmt.item_index import ItemIndex as ItemIndex
    from fashionmt.item_index import load_index as load_index

__version__ = "0.1.0"
__all__ = ["Item", "ItemIndex", "ItemTags", "TaggingEngine", "load_bundle", "load_index"]
OF_INDEX = ("ItemIndex", "load_index")


def __getattr__(name: str) -> Any:
    """Import torch and transformers only when the API is used: `--help` must not wait for them."""
    if name in __all__:
        import fashionmt.inference
        import fashionmt.item_index

        return getattr(fashionmt.item_index if name in OF_INDEX else fashionmt.inference, name)
    raise AttributeError(f"module 'fashionmt' has no attribute {name!r}")
