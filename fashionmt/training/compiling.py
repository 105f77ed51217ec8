"""`trainer.compile`: the towers as kernels that torch.compile writes for this machine."""

import os
import shutil

import torch
from torch import nn

from fashionmt.errors import UserError
from fashionmt.model import Tagger

COMPILERS = ("g++", "clang++", "c++")


def check_compiler(device: torch.device) -> None:
    """Raise `UserError` where torch.compile would find no C++ compiler, which it needs for a processor."""
    if device.type == "cpu" and not any(map(shutil.which, (os.environ.get("CXX", ""), *COMPILERS))):
        raise UserError("trainer.compile=true", "there is no C++ compiler here", "Install g++, or leave it out")


def compile_towers(tagger: Tagger) -> None:
    """In place, when each is first called; what is between and after them is small. Weights keep their names."""
    for tower in (tagger.image, tagger.text):
        if tower is not None:
            assert isinstance(tower, nn.Module)
            tower.compile()
