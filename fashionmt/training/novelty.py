"""From which energy on an item is called unknown: so that few known ones are, and what that finds of unknown ones.

The limit is what a stated share of the validation items exceeds. What it finds is measured by holding each class out in
its turn: the head with most classes loses that class, and so its own validation items are of a class that this head
does not have. The network has seen them in training all the same, and the other heads know what they are kinds of; a
class that is truly new may be found more often or less.

N items, C classes of an attribute.
"""

from collections.abc import Mapping

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor
from tqdm import tqdm

from fashionmt.batch import Batch
from fashionmt.data import CatalogueDataset
from fashionmt.model import Tagger
from fashionmt.novelty import VIEWED, Novelty, energy, view_of
from fashionmt.training.datamodule import evaluation_loader

FEWEST = 100
"""Items below which no limit is set: their highest percent would be one item."""
LEAST_SPREAD = 1e-3
"""Of energies: heads that answer by probabilities have none, whatever the item."""


def fit_novelty(
    tagger: Tagger, dataset: CatalogueDataset, device: torch.device, batch_size: int, share: float
) -> tuple[Novelty, dict[str, dict[str, float]]]:
    """The limits, from held-out items; and by view, as `measure` gives it, what they find.

    `share`: of items like these, those that may be called unknown.
    """
    limits, found = {}, {}
    for view in _views(tagger):
        logits, labels = _answers(view, tagger, dataset, device, batch_size)
        known = energy(logits)
        if len(known) < FEWEST or float(known.std()) < LEAST_SPREAD:
            continue
        limits[view] = float(known.quantile(1 - share, interpolation="higher"))
        found[view] = measure(logits, labels, limits[view])
    return Novelty(limits), found


def measure(logits: Mapping[str, Tensor], labels: Mapping[str, Tensor], limit: float) -> dict[str, float]:
    """`items`; the `share` of them that `limit` marks; of those whose class is held out, the share that it `found`, and
    the `auroc` between the two. `logits`: attribute -> float (N, C). `labels`: attribute -> int64 (N,)."""
    known = energy(logits)
    finest = max(logits, key=lambda name: logits[name].shape[1])
    own, classes = labels[finest], logits[finest].shape[1]
    rows = ((own >= 0) & (own < classes)).nonzero().squeeze(1)
    measured = {"items": len(known), "share": float((known > limit).double().mean())}
    if classes < 2 or not len(rows):
        return measured
    without = logits[finest][rows].float().scatter(1, own[rows].unsqueeze(1), -torch.inf)
    held_out = energy({name: without if name == finest else value[rows] for name, value in logits.items()})
    truth = np.repeat([0, 1], [len(known), len(held_out)])
    auroc = float(roc_auc_score(truth, torch.cat([known, held_out]).numpy()))
    return measured | {"found": float((held_out > limit).double().mean()), "auroc": auroc}


@torch.inference_mode()
def _answers(
    view: str, tagger: Tagger, dataset: CatalogueDataset, device: torch.device, batch_size: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Logits and labels of the items that have the inputs of `view`, shown by these alone."""
    tagger = tagger.to(device).eval()
    logits: dict[str, list[Tensor]] = {}
    labels: dict[str, list[Tensor]] = {}
    loader = evaluation_loader(dataset, batch_size)
    for batch in tqdm(loader, desc=f"known by {view}", unit="batch", delay=2.0, disable=None, leave=False):
        kept = _hide(batch, view)
        for name, value in tagger(batch.to(device)).logits.items():
            logits.setdefault(name, []).append(value.float().cpu()[kept])
            labels.setdefault(name, []).append(batch.labels[name][kept])
    return _joined(logits), _joined(labels)


def _joined(columns: Mapping[str, list[Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat(parts) for name, parts in columns.items()}


def _hide(batch: Batch, view: str) -> Tensor:
    """Hide what is not of `view`; returns which items have all that is, bool (B,)."""
    names = view.split("+")
    there = torch.ones_like(batch.has_image)
    for name, has in (("image", batch.has_image), ("text", batch.has_title)):
        if name in names:
            there &= has
        else:
            has &= False
    return there


def _views(tagger: Tagger) -> list[str]:
    read = [name for name in VIEWED if name in tagger.modalities]
    return list(dict.fromkeys([view_of(read), *read]))
