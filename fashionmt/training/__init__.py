"""Training, and the only place for Lightning."""

from fashionmt.training.pretrain import print_pretrained, run_pretraining
from fashionmt.training.report import print_results
from fashionmt.training.run import run_training, settle
from fashionmt.training.run_folder import RunFolder
from fashionmt.training.tracking import PrunedError

__all__ = ["PrunedError", "RunFolder", "print_pretrained", "print_results", "run_pretraining", "run_training", "settle"]
