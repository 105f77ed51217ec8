"""Training, and the only place for Lightning."""

from fashionmt.training.pretrain import print_pretrained, run_pretraining
from fashionmt.training.run import run_training, settle
from fashionmt.training.run_folder import RunFolder

__all__ = ["RunFolder", "print_pretrained", "run_pretraining", "run_training", "settle"]
