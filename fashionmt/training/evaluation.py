"""How good a tagger is on a part of the catalogue: float32, in order, as tagging would answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from fashionmt.attributes import MISSING, LabelSpace
from fashionmt.data import CatalogueDataset
from fashionmt.model import Tagger
from fashionmt.training.datamodule import evaluation_loader
from fashionmt.training.metrics import TaggerMetrics


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
    joined = ({name: torch.cat(parts) for name, parts in columns.items()} for columns in (logits, labels))
    return Answers(*joined, torch.cat(embedding))


def score(answers: Answers, spaces: Mapping[str, LabelSpace]) -> dict[str, Any]:
    """What `metrics.json` holds: per attribute accuracy, macro-F1, classes, items; exact match; items."""
    metrics = TaggerMetrics(spaces)
    metrics.update({name: value.argmax(1) for name, value in answers.logits.items()}, answers.labels)
    found = metrics.compute()
    attributes = {
        name: {
            "accuracy": found[f"accuracy/{name}"],
            "macro_f1": found[f"macro_f1/{name}"],
            "classes": len(spaces[name]),
            "items": int((answers.labels[name] != MISSING).sum()),
        }
        for name in spaces
    }
    items = len(next(iter(answers.labels.values())))
    return {"attributes": attributes, "exact_match": found["exact_match"], "items": items}
