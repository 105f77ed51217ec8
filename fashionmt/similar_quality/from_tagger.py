"""The entrants that a bundle makes: what it compares items by, each of its towers, and pictures without any learning.

N items, B of a batch.
"""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from fashionmt.batch import Batch
from fashionmt.bundle import Bundle
from fashionmt.data import CatalogueDataset
from fashionmt.model.colour_statistics import colour_statistics
from fashionmt.model.image_tower import ImageTower
from fashionmt.similar_quality.entrants import Vectors
from fashionmt.similarity import item_vectors
from fashionmt.training.ordered_batches import evaluation_loader

BATCH = 256
SHOWN_BY = {"image": ("picture", "both"), "text": ("title", "both")}
"""Modality -> the kinds of queries that show it."""
MOMENTS = 6
"""Of colour statistics, the last, which are no histogram."""
Columns = dict[tuple[str, str], Tensor]
"""(entrant, kind of query) -> unit vectors, float (B, E)."""


@torch.inference_mode()
def vectors_of(bundle: Bundle, items: CatalogueDataset, seed: int = 0) -> list[Vectors]:
    """The entrants. `items`: the N items. `seed`: of the untrained tower's weights."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    bundle.tagger.to(device).eval()
    untrained = untrained_tower(bundle, seed)
    found: dict[tuple[str, str], list[Tensor]] = {}
    for batch in tqdm(evaluation_loader(items, BATCH), desc="embedding", unit="batch", disable=None, leave=False):
        columns = _ours(bundle, batch.to(device))
        if bundle.tagger.image is not None:
            columns |= _of_pixels(batch, untrained)
        for key, value in columns.items():
            found.setdefault(key, []).append(value.float().cpu())
    table = {key: torch.cat(parts) for key, parts in found.items()}
    names = list(dict.fromkeys(name for name, _ in table))
    return [
        Vectors(name, table[name, "both"], {kind: value for (other, kind), value in table.items() if other == name})
        for name in names
    ]


def untrained_tower(bundle: Bundle, seed: int) -> ImageTower | None:
    """The bundle's image tower as it is before any training, of random weights; None of one from elsewhere."""
    config = bundle.config.image
    if config is None:
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ImageTower(replace(config, pretrained=False, weights=None, train="all")).eval()


def _ours(bundle: Bundle, batch: Batch) -> Columns:
    """What it compares items by, and the towers' features."""
    features = bundle.tagger.features(batch)
    outputs = bundle.tagger.outputs_by_view(batch, features)
    shown = [name for name in features if name in SHOWN_BY]
    views = ["both", *(SHOWN_BY[name][0] for name in shown)]
    by_kind = dict(zip(views, outputs if len(outputs) > 1 else outputs * 2, strict=True))
    columns: Columns = {}
    if bundle.similarity is not None:
        columns = {("similarity head", kind): item_vectors(bundle.similarity, out) for kind, out in by_kind.items()}
    columns |= {("fused embedding", kind): item_vectors(None, out) for kind, out in by_kind.items()}
    for name in shown:
        unit = F.normalize(features[name].float())
        columns |= {(f"{name} tower alone", kind): unit for kind in SHOWN_BY[name]}
    return columns


def _of_pixels(batch: Batch, untrained: ImageTower | None) -> Columns:
    """Histograms of foreground colours, by their Bhattacharyya coefficient; and a tower that has learned nothing."""
    histograms = colour_statistics(batch.pixels)[:, :-MOMENTS].sqrt()
    columns: Columns = {("colour histogram", kind): histograms for kind in SHOWN_BY["image"]}
    if untrained is not None:
        features = F.normalize(untrained(batch.pixels).float())
        columns |= {("image tower, untrained", kind): features for kind in SHOWN_BY["image"]}
    return columns
