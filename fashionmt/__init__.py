"""fashionmt: six attributes with an honest confidence for every item of a fashion catalogue.

`fashionmt.load_bundle(path).tag(items)` is the Python API; `train.py` and `predict.py` are the commands.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fashionmt.inference import Item as Item
    from fashionmt.inference import ItemTags as ItemTags
    from fashionmt.inference import TaggingEngine as TaggingEngine
    from fashionmt.inference import load_bundle as load_bundle

__version__ = "0.1.0"
__all__ = ["Item", "ItemTags", "TaggingEngine", "load_bundle"]


def __getattr__(name: str) -> Any:
    """Import torch and transformers only when the API is used: `--help` must not wait for them."""
    if name in __all__:
        import fashionmt.inference

        return getattr(fashionmt.inference, name)
    raise AttributeError(f"module 'fashionmt' has no attribute {name!r}")
