"""Training items as a frozen tagger sees them: whole, by the picture alone, and by the title alone.

N items, V views.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm

from fashionmt.batch import TaggerOutput
from fashionmt.data import CatalogueDataset
from fashionmt.model import Tagger
from fashionmt.training.datamodule import evaluation_loader


@dataclass(frozen=True)
class ItemViews:
    """What a tagger says of N items in each of their views, on the CPU."""

    outputs: list[TaggerOutput]
    """Of each view, the whole item's first. An item that lacks picture or title shows the other in every view."""
    labels: dict[str, Tensor]
    """attribute -> int64 (N,)."""

    def __len__(self) -> int:
        return len(self.outputs[0].embedding)


@torch.inference_mode()
def collect_views(tagger: Tagger, dataset: CatalogueDataset, device: torch.device, batch_size: int) -> ItemViews:
    """Of every item of `dataset`, in order."""
    tagger = tagger.to(device).eval()
    parts: list[list[TaggerOutput]] = []
    labels: list[dict[str, Tensor]] = []
    loader = evaluation_loader(dataset, batch_size)
    for batch in tqdm(loader, desc="views of the items", unit="batch", delay=2.0, disable=None, leave=False):
        moved = batch.to(device)
        outputs = tagger.outputs_by_view(moved, tagger.features(moved))
        parts.append([_on_cpu(output) for output in outputs])
        labels.append(batch.labels)
    outputs = [_joined(view) for view in zip(*parts, strict=True)]
    return ItemViews(outputs, {name: torch.cat([part[name] for part in labels]) for name in labels[0]})


def _on_cpu(output: TaggerOutput) -> TaggerOutput:
    logits = {name: value.float().cpu() for name, value in output.logits.items()}
    return TaggerOutput(logits, output.embedding.float().cpu())


def _joined(parts: Sequence[TaggerOutput]) -> TaggerOutput:
    logits = {name: torch.cat([part.logits[name] for part in parts]) for name in parts[0].logits}
    return TaggerOutput(logits, torch.cat([part.embedding for part in parts]))
