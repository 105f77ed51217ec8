"""What a tagger says of many items: float32, in order, as tagging would answer.

N items, D fused features, C classes of an attribute.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from tqdm import tqdm

from fashionmt.batch import Batch, TaggerOutput
from fashionmt.data import CatalogueDataset
from fashionmt.model import Tagger
from fashionmt.shown import PRIMARY, view_of
from fashionmt.training.ordered_batches import evaluation_loader


@dataclass(frozen=True)
class Answers:
    """What a tagger says of N items, and what they are, on the CPU."""

    logits: dict[str, Tensor]
    """attribute -> float (N, C)."""
    labels: dict[str, Tensor]
    """attribute -> int64 (N,)."""
    embedding: Tensor
    """float (N, D), the fused features."""
    views: Sequence[str]
    """What each item showed, by `view_of`, (N,)."""

    def __len__(self) -> int:
        return len(self.views)

    def showing(self, view: str) -> Tensor:
        """Which items showed just that: bool (N,)."""
        return torch.tensor([shown == view for shown in self.views], dtype=torch.bool)

    def where(self, kept: Tensor) -> "Answers":
        """Those of some items. `kept`: bool (N,)."""
        logits = {name: value[kept] for name, value in self.logits.items()}
        labels = {name: value[kept] for name, value in self.labels.items()}
        views = [view for view, there in zip(self.views, kept.tolist(), strict=True) if there]
        return Answers(logits, labels, self.embedding[kept], views)


def collect_answers(tagger: Tagger, dataset: CatalogueDataset, device: torch.device, batch_size: int) -> Answers:
    """For every item of `dataset`, in order."""
    batches = evaluation_loader(dataset, batch_size)
    (answers,) = _answer(tagger, batches, len(batches), device, lambda batch: [tagger(batch)]).values()
    return answers


def collect_views(
    tagger: Tagger, dataset: CatalogueDataset, device: torch.device, batch_size: int, embeddings: bool = True
) -> dict[str, Answers]:
    """`answer_views` of every item of `dataset`, in order."""
    batches = evaluation_loader(dataset, batch_size)
    return answer_views(tagger, batches, device, embeddings, len(batches))


def answer_views(
    tagger: Tagger, batches: Iterable[Batch], device: torch.device, embeddings: bool = True, count: int | None = None
) -> dict[str, Answers]:
    """For every item: as it is and, of a tagger of pictures and titles, by the picture alone and by the title alone. By
    view; an item that lacks what it is to show shows what it has: `Answers.views`. Nothing of no batches.

    `embeddings` False: only the first view keeps them, the others' D is 0. `count`: of the batches, if it is known.
    """

    def answer(batch: Batch) -> list[TaggerOutput]:
        whole, *alone = tagger.outputs_by_view(batch, tagger.features(batch))
        kept = alone if embeddings else [replace(output, embedding=output.embedding[:, :0]) for output in alone]
        return [whole, *kept]

    return _answer(tagger, batches, count, device, answer)


@torch.inference_mode()
def _answer(
    tagger: Tagger,
    batches: Iterable[Batch],
    count: int | None,
    device: torch.device,
    answer: Callable[[Batch], Sequence[TaggerOutput]],
) -> dict[str, Answers]:
    """`answer`: a batch by the first view, or by all of them."""
    tagger = tagger.to(device).eval()
    read = [name for name in PRIMARY if name in tagger.modalities]
    views = [view_of(read), *read] if len(read) > 1 else read
    parts: dict[str, list[Answers]] = {}
    for batch in tqdm(batches, desc="evaluating", total=count, unit="batch", delay=2.0, disable=None, leave=False):
        has = _inputs(batch, read)
        # Of one view alone the others' names are left over.
        for view, output in zip(views, answer(batch.to(device)), strict=False):
            logits = {name: value.float().cpu() for name, value in output.logits.items()}
            shown = [view if each == views[0] else each for each in has]
            parts.setdefault(view, []).append(Answers(logits, batch.labels, output.embedding.float().cpu(), shown))
    return {view: _joined(each) for view, each in parts.items()}


def _inputs(batch: Batch, read: Sequence[str]) -> list[str]:
    """By `view_of`, what each item of a batch has of what is `read`."""
    there = {"image": batch.has_image.tolist(), "text": batch.has_title.tolist()}
    return [view_of([name for name in read if there[name][row]]) for row in range(len(batch))]


def _joined(parts: Sequence[Answers]) -> Answers:
    first = parts[0]
    return Answers(
        {name: torch.cat([part.logits[name] for part in parts]) for name in first.logits},
        {name: torch.cat([part.labels[name] for part in parts]) for name in first.labels},
        torch.cat([part.embedding for part in parts]),
        [view for part in parts for view in part.views],
    )
