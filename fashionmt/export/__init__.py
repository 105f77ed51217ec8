"""A bundle's model for other runtimes, checked before it is written."""

from fashionmt.export.run import export_bundle

__all__ = ["export_bundle"]
