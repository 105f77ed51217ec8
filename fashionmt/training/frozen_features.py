"""Features of frozen towers, computed once: steps and evaluations then read them in place of pictures and titles.

They are computed in float32, as tagging computes them, whatever the run's precision. K distinct pictures, or titles, of
a catalogue; F features.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from rich.console import Console
from tqdm import tqdm

from fashionmt.config import PictureVariationConfig, TitleVariationConfig, TrainConfig
from fashionmt.data.dataset import ItemArrays
from fashionmt.data.feature_cache import Floats, open_features
from fashionmt.data.picture_cache import NO_ROW, decoded_fingerprint
from fashionmt.data.prepare import PreparedData
from fashionmt.data.rows import Rows
from fashionmt.model import FrozenPart, Tagger
from fashionmt.paths import cache_dir

UNITS = {"image": "pictures", "text": "titles"}


def with_frozen_features(config: TrainConfig, data: PreparedData, tagger: Tagger, device: torch.device) -> PreparedData:
    """`data` whose batches hold what the frozen towers make of them, from the cache or computed now on `device`; one
    line a tower says so on the screen. The same data where no tower is frozen."""
    parts = tagger.frozen_parts()
    if not parts:
        return data
    console = Console(stderr=True, highlight=False)
    tagger.to(device)
    caches = {}
    for name, part in parts.items():
        rows, row = distinct(name, data.items)
        key = _key(name, part, rows, config, data.items, device)
        compute = partial(_compute, name, part, rows, data.items, device, 4 * config.optim.batch_size)
        caches[name] = open_features(cache_dir(), key, row, compute)
        line = f"{name} tower is frozen: its features of {len(rows):,} {UNITS[name]} {caches[name].origin}"
        console.print(line + _not_cached(name, config), markup=False, soft_wrap=True)
    # Pictures that are varied are read all the same, by training.
    reads_pictures = "image" not in caches or config.augment.pictures.varies
    return replace(data, items=replace(data.items, frozen=caches, reads_pictures=reads_pictures))


def distinct(name: str, items: ItemArrays) -> tuple[Rows, Rows]:
    """Items that show each picture, or title, once, (K,); and of every item its place among them or `NO_ROW`.

    A picture that several items share counts once. Titles come by their length, so that a batch of them has little
    padding.
    """
    if name == "image":
        of_picture, there = items.pictures.row, np.flatnonzero(items.pictures.row != NO_ROW)
        _, first, place = np.unique(of_picture[there], return_index=True, return_inverse=True)
        rows = there[first]
    else:
        lengths = items.titles.tokens.lengths
        there = np.flatnonzero(lengths > 0)
        rows = there = there[np.argsort(lengths[there], kind="stable")]
        place = np.arange(len(there))
    row = np.full(len(items.pictures.row), NO_ROW, dtype=np.int64)
    row[there] = place
    return rows, row


def _key(name: str, part: FrozenPart, rows: Rows, config: TrainConfig, items: ItemArrays, device: torch.device) -> str:
    """SHA-256 of the tower, what it reads, and where it computes: CPUs and GPUs round differently."""
    digest = hashlib.sha256(json.dumps([name, part.fingerprint(), device.type]).encode())
    if name == "image":
        digest.update(decoded_fingerprint([items.pictures.digests[row] for row in rows], config.preprocess).encode())
    else:
        tokens = items.titles.tokens
        for array in (np.array(tokens.ids.shape[1]), tokens.lengths[rows], tokens.ids[rows]):
            digest.update(array.tobytes())
    return digest.hexdigest()


@torch.inference_mode()
def _compute(
    name: str, part: FrozenPart, rows: Rows, items: ItemArrays, device: torch.device, batch_size: int
) -> Iterator[Floats]:
    """Of `rows`, in order. What is frozen is in evaluation mode already."""
    what = f"features of the {name} tower"
    with tqdm(total=len(rows), desc=what, unit=f" {UNITS[name]}", delay=1.0, disable=None) as bar:
        for start in range(0, len(rows), batch_size):
            some = rows[start : start + batch_size]
            yield part.compute(items.gather(some).to(device)).float().cpu().numpy()
            bar.update(len(some))


def _not_cached(name: str, config: TrainConfig) -> str:
    """What training computes in every step all the same, and what to set where that takes too long."""
    if name == "image":
        varied = _set(config.augment.pictures, "augment.pictures")
        struck: list[str] = []
    else:
        varied = _set(config.augment.titles, "augment.titles")
        struck = ["model.struck_weight=0"] if config.model.struck_weight > 0 else []
    told = ((f"varied {UNITS[name]}", varied), ("titles with struck words", struck))
    lines = [f"those of {what} in every step (avoided by {' '.join(keys)})" for what, keys in told if keys]
    return f"; training computes {' and '.join(lines)}" if lines else ""


def _set(config: PictureVariationConfig | TitleVariationConfig, prefix: str) -> list[str]:
    return [f"{prefix}.{key}=0" for key, value in vars(config).items() if value > 0]
