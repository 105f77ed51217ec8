"""How good a tagger is on a part of the catalogue: float32, in order, as tagging would answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from fashionmt.attributes import LabelSpace
from fashionmt.data import CatalogueDataset
from fashionmt.decoding import Decoder, Thresholds
from fashionmt.model import Tagger
from fashionmt.training.calibration import BINS, calibration_error
from fashionmt.training.datamodule import evaluation_loader
from fashionmt.training.metrics import TaggerMetrics
from fashionmt.training.outcomes import head_outcomes, item_outcomes


@dataclass(frozen=True)
class Answers:
    """What a tagger says of many items, and what they are, on the CPU."""

    logits: dict[str, Tensor]
    """attribute -> float (N, C)."""
    labels: dict[str, Tensor]
    """attribute -> int64 (N,)."""
    embedding: Tensor
    """float (N, D), the fused features."""


@torch.inference_mode()
def collect_answers(tagger: Tagger, dataset: CatalogueDataset, device: torch.device, batch_size: int) -> Answers:
    """The tagger's answers for every item of `dataset`, in order."""
    tagger = tagger.to(device).eval()
    logits: dict[str, list[Tensor]] = {}
    labels: dict[str, list[Tensor]] = {}
    embedding: list[Tensor] = []
    loader = evaluation_loader(dataset, batch_size)
    for batch in tqdm(loader, desc="evaluating", unit="batch", delay=2.0, disable=None, leave=False):
        output = tagger(batch.to(device))
        for name, value in output.logits.items():
            logits.setdefault(name, []).append(value.float().cpu())
            labels.setdefault(name, []).append(batch.labels[name])
        embedding.append(output.embedding.float().cpu())
    return Answers(_joined(logits), _joined(labels), torch.cat(embedding))


def _joined(columns: Mapping[str, list[Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat(parts) for name, parts in columns.items()}


def score(
    answers: Answers,
    spaces: Mapping[str, LabelSpace],
    decoder: Decoder | None = None,
    thresholds: Thresholds | None = None,
) -> dict[str, Any]:
    """What `metrics.json` holds of the decoded answers.

    Per attribute accuracy, macro-F1, expected calibration error, classes and items; exact match; items. With
    thresholds, per attribute and under `item`, as `Outcomes.under` gives it.
    """
    decoded = (decoder or Decoder())(answers.logits)
    metrics = TaggerMetrics(spaces)
    metrics.update(decoded.answers, answers.labels)
    found = metrics.compute()
    outcomes = head_outcomes(decoded, answers.labels)
    attributes: dict[str, dict[str, Any]] = {
        name: {
            "accuracy": found[f"accuracy/{name}"],
            "macro_f1": found[f"macro_f1/{name}"],
            "ece": calibration_error(outcomes[name].confidence, outcomes[name].right),
            "classes": len(spaces[name]),
            "items": len(outcomes[name].right),
        }
        for name in spaces
    }
    items = len(next(iter(answers.labels.values())))
    scores = {"attributes": attributes, "exact_match": found["exact_match"], "ece_bins": BINS, "items": items}
    if thresholds is not None:
        for name, row in attributes.items():
            row |= outcomes[name].under(thresholds.heads[name])
        scores["item"] = item_outcomes(decoded, answers.labels).under(thresholds.item)
    return scores
