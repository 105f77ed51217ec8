"""Accuracy and macro-F1 of every head, and the share of items that are right in all of them."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MeanMetric, SumMetric
from torchmetrics.classification import MulticlassAccuracy, MulticlassF1Score

from fashionmt.attributes import MISSING, LabelSpace

Labels = Mapping[str, Tensor]
"""Attribute -> int64 (B,)."""


class TaggerMetrics(nn.Module):
    """Metrics over a part of the catalogue, fed batch by batch; states stay on the device.

    Unlabelled items are skipped head by head. An item of a class that training could not learn counts, and is always
    a mistake; such a class enters macro-F1 with its 0. Macro-F1 averages over the classes that occur among labels or
    answers, as scikit-learn's `f1_score(average="macro")` does.
    """

    def __init__(self, spaces: Mapping[str, LabelSpace]) -> None:
        """`spaces`: attribute -> its label space."""
        super().__init__()
        self.spaces = dict(spaces)
        # Lists in the order of `spaces`: an attribute may bear a name that a module has already.
        self.accuracy = nn.ModuleList(_metric(MulticlassAccuracy, space, "micro") for space in spaces.values())
        self.macro_f1 = nn.ModuleList(_metric(MulticlassF1Score, space, "macro") for space in spaces.values())
        self.labelled = nn.ModuleList(SumMetric() for _ in spaces)
        self.exact_match = MeanMetric()

    def update(self, answers: Labels, labels: Labels) -> None:
        """Add a batch: the answered class and the true one, each by index in `LabelSpace.every_class`."""
        heads = zip(self.spaces, self.accuracy, self.macro_f1, self.labelled, strict=True)
        for name, accuracy, macro_f1, count in heads:
            accuracy.update(answers[name], labels[name])  # type: ignore[operator]
            macro_f1.update(answers[name], labels[name])  # type: ignore[operator]
            count.update((labels[name] != MISSING).sum())  # type: ignore[operator]
        right = [(answers[name] == labels[name]) | (labels[name] == MISSING) for name in self.spaces]
        labelled = torch.stack([labels[name] != MISSING for name in self.spaces]).any(0)
        self.exact_match.update(torch.stack(right).all(0)[labelled].float())

    def compute(self) -> dict[str, float]:
        """`accuracy/<attribute>`, `macro_f1/<attribute>`, their means over attributes, and `exact_match`. An attribute
        without a label has no figures and is in no mean; a mean over none is 0."""
        found: dict[str, float] = {}
        labelled = [bool(count.compute()) for count in self.labelled]  # type: ignore[operator]
        for kind, metrics in (("accuracy", self.accuracy), ("macro_f1", self.macro_f1)):
            heads = zip(self.spaces, metrics, labelled, strict=True)
            values = {name: float(metric.compute()) for name, metric, there in heads if there}  # type: ignore[operator]
            found |= {f"{kind}/{name}": value for name, value in values.items()}
            found[f"{kind}/mean"] = sum(values.values()) / max(1, len(values))
        return found | {"exact_match": float(self.exact_match.compute())}

    def reset(self) -> None:
        """Forget everything."""
        for metric in (*self.accuracy, *self.macro_f1, *self.labelled, self.exact_match):
            metric.reset()


def _metric(kind: Any, space: LabelSpace, average: str) -> Any:
    return kind(num_classes=max(2, len(space.every_class)), average=average, ignore_index=MISSING, validate_args=False)
