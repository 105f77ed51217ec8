"""Training, and the only place for Lightning."""

from fashionmt.training.run import resolve_precision, run_training
from fashionmt.training.run_folder import RunFolder

__all__ = ["RunFolder", "resolve_precision", "run_training"]
