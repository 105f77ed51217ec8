"""What a report is made of: plain arrays and texts.

N items of a held-out part, C classes that a head can answer with, D fused features, H x W picture pixels.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fashionmt.attributes import MISSING, LabelSpace

Picture = Callable[[int], npt.NDArray[np.uint8] | None]
"""Position of an item -> its pixels, uint8 (H, W, 3), RGB, or None where it has no picture."""


@dataclass(frozen=True)
class Head:
    """What one head answered, and what would have been right."""

    probabilities: npt.NDArray[np.floating[Any]]
    """(N, C), calibrated."""
    answers: npt.NDArray[np.int64]
    """(N,), from 0 to C-1. A joint decoding may answer with another class than the most probable one."""
    labels: npt.NDArray[np.int64]
    """(N,): index in `LabelSpace.every_class`, or `MISSING`."""

    @property
    def confidence(self) -> npt.NDArray[np.float64]:
        """The probability of each answer, (N,)."""
        return self.probabilities[np.arange(len(self.answers)), self.answers].astype(np.float64)

    @property
    def labelled(self) -> npt.NDArray[np.bool_]:
        """Which items have a label, (N,)."""
        labelled: npt.NDArray[np.bool_] = self.labels != MISSING
        return labelled

    @property
    def wrong(self) -> npt.NDArray[np.bool_]:
        """Which items have a label that was not answered, (N,)."""
        wrong: npt.NDArray[np.bool_] = self.labelled & (self.answers != self.labels)
        return wrong


@dataclass(frozen=True)
class HeldOut:
    """A part of the catalogue that trained no weight."""

    name: str
    """`validation` or `test`."""
    ids: Sequence[str]
    titles: Sequence[str | None]
    picture: Picture
    heads: Mapping[str, Head]
    """By attribute."""


@dataclass(frozen=True)
class ReportContent:
    """Everything a report shows."""

    title: str
    facts: Mapping[str, str]
    """What ran, to be shown as it stands."""
    metrics: Mapping[str, Any]
    """As in `metrics.json`. Calibration error and acceptance under the thresholds are shown where they are in it."""
    spaces: Mapping[str, LabelSpace]
    train_counts: Mapping[str, npt.NDArray[np.int64]]
    """Attribute -> training items of each of `LabelSpace.every_class`."""
    epochs: pd.DataFrame
    """What was logged in each epoch, by its number from 0; empty where nothing was."""
    validation: HeldOut
    test: HeldOut
    embedding: npt.NDArray[np.float32]
    """(N, D), the fused features of the test items."""
