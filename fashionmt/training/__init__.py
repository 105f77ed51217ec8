"""Training, and the only place for Lightning."""

from fashionmt.training.run import run_training, settle
from fashionmt.training.run_folder import RunFolder

__all__ = ["RunFolder", "run_training", "settle"]
