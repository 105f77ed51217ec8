"""Between our tensors and the arrays of other runtimes, by name."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import torch

from fashionmt.batch import Batch, TaggerOutput
from fashionmt.inference.runtimes.exported import EMBEDDING, LOGITS


def feeds_of(batch: Batch, inputs: Sequence[str]) -> dict[str, npt.NDArray[Any]]:
    """What a model asks of a batch, by the names of the batch's fields."""
    return {name: getattr(batch, name).numpy() for name in inputs}


def output_of(answers: Mapping[str, npt.NDArray[Any]]) -> TaggerOutput:
    """A model's answers, by the names of its outputs."""
    tensors = {name: torch.from_numpy(value) for name, value in answers.items()}
    logits = {name.removeprefix(LOGITS): value for name, value in tensors.items() if name.startswith(LOGITS)}
    return TaggerOutput(logits, tensors[EMBEDDING])
