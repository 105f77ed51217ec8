"""How often each class occurs in training, and what it weighs in the loss."""

import numpy as np

from fashionmt.config import LossConfig
from fashionmt.data.prepare import PreparedData
from fashionmt.training.class_weights import Counts, class_weights
from fashionmt.training.tracking import ClassWeights


def class_counts(data: PreparedData) -> dict[str, Counts]:
    """Attribute -> training items of each class that is learned, shape (C,)."""
    counts = {}
    for name, space in data.spaces.items():
        labels = data.items.labels[name][data.split.train]
        counts[name] = np.bincount(labels[(labels >= 0) & (labels < len(space))], minlength=len(space))
    return counts


def shown_weights(config: LossConfig, data: PreparedData) -> ClassWeights:
    """How often each class occurs in training, and what it weighs in the loss."""
    shown = {}
    for name, counts in class_counts(data).items():
        weights = class_weights(counts, config.class_weights, config.cap, config.beta)
        rows = zip(data.spaces[name].classes, counts, weights, strict=True)
        shown[name] = {label: (int(count), float(weight)) for label, count, weight in rows}
    return shown
