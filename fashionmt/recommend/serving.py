"""What lists are made with: the index, the ranker or the mean, the histories, and whoever is asked for."""

import hashlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from fashionmt.config import PredictConfig
from fashionmt.errors import UserError
from fashionmt.inference.quarantine import Record
from fashionmt.item_index import ItemIndex, load_index, newest_index
from fashionmt.item_index.description import NAME
from fashionmt.item_index.filters import mask_of_filters, mask_of_stock
from fashionmt.recommend.asked import Asked, bad_rows, everyone, read_asked, with_events_of
from fashionmt.recommend.interactions import Filters, Interactions, read_interactions
from fashionmt.recommend.items import Items, Rows
from fashionmt.recommend.learned import Learned
from fashionmt.recommend.lists import Recommender
from fashionmt.recommend.ranker import Ranker, RankerSizes
from fashionmt.recommend.ranker_folder import FACTS, WEIGHTS, load_ranker, newest_ranker, ranker_folder
from fashionmt.recommend.trends import NUMBERS

RUNS = Path("runs")
MEAN = "mean"
LENGTH = 50
"""Of a history, for the mean."""


@dataclass(frozen=True, eq=False)
class Serving:
    """Opened."""

    recommender: Recommender
    events: Interactions
    had: Interactions
    """Of the same users: with what does not count in a history, but was had."""
    users: Rows
    """(U,): of each who is asked for, the index in the events."""
    asked: Asked
    now: float
    """When the newest event was: a list does not change with the day on which it is made."""
    records: Sequence[Record]
    """Rows that cannot be read, of both files."""
    rows: int
    """Events and users that could be."""
    files: Sequence[Path]
    index_digest: str
    model_digest: str


def open_serving(config: PredictConfig) -> Serving:
    """Raises `UserError` where something is not there or does not fit."""
    options = config.recommend
    if options.interactions is None:
        repair = "Set recommend.interactions=<file of user_id, item_id, timestamp>"
        raise UserError("recommend.interactions", "not set, and histories are what is recommended by", repair)
    folder = Path(config.index) if config.index is not None else newest_index(RUNS)
    if folder is None:
        raise UserError("index", "none below runs/index", "Make one with task=index, or set index=<folder>")
    index = load_index(folder)
    items = Items.of(index)
    path = Path(options.interactions)
    filters = Filters(vars(options.columns), options.events, options.least_weight)
    read = read_interactions(path, items.rows, filters, "recommend.columns")
    asked = everyone(read.events)
    if options.users is not None:
        asked = read_asked(Path(options.users), options.columns.user, [str(name) for name in items.attributes.columns])
    if not asked.users:
        raise UserError(str(options.users or path), "names no user", "Give it rows")
    events, users = with_events_of(read.events, asked.users)
    had, _ = with_events_of(read.had, asked.users)
    known_times = events.time[~np.isnan(events.time)]
    recommender, model_digest = _recommender(config, index, items, events)
    _tell(f"interactions: {path} ({read.columns.shown()})")
    for line in [*read.findings.lines(), *asked.findings.lines()]:
        _tell(f"  {line}")
    return Serving(
        recommender,
        events,
        had,
        users,
        asked,
        float(known_times.max()) if len(known_times) else 0.0,
        [*bad_rows(path, read.bad), *asked.records],
        len(read.events.user) + len(asked.users),
        [path, *([Path(options.users)] if options.users is not None else [])],
        hashlib.sha256((folder / NAME).read_bytes()).hexdigest(),
        model_digest,
    )


def _recommender(
    config: PredictConfig, index: ItemIndex, items: Items, events: Interactions
) -> tuple[Recommender, str]:
    """With the digest of its ranker."""
    options = config.recommend
    allowed = mask_of_filters(index, options.filters)
    if options.in_stock is not None:
        allowed &= mask_of_stock(index, options.in_stock)
    if not allowed.any():
        raise UserError("recommend.filters", "no item of the index may be recommended", "Leave some out")
    folder = None if options.model == MEAN else ranker_folder(options.model) if options.model else newest_ranker()
    rest = torch.from_numpy(allowed), options.k, options.seen, options.duplicates
    if folder is None:
        _tell("ranker: the mean of the history" + ("" if options.model else ", as there is none below runs/recommend"))
        counts = torch.from_numpy(np.bincount(events.item, minlength=len(items)).astype(np.float32))
        return Recommender(items, _mean(items), counts, *rest, LENGTH), MEAN
    saved = load_ranker(folder, items)
    _tell(f"ranker: {folder}" + (", learned from SYNTHETIC, made-up people" if saved.synthetic else ""))
    numbers, counts = saved.numbers(items)
    scorer = Learned.of("", saved.ranker, items.vectors, saved.own_rows(items), numbers)
    digest = hashlib.sha256((folder / FACTS).read_bytes() + (folder / WEIGHTS).read_bytes()).hexdigest()
    return Recommender(items, scorer, counts, *rest, saved.ranker.sizes.length), digest


def _mean(items: Items) -> Learned:
    """A ranker as it begins: the mean of the history."""
    ranker = Ranker(RankerSizes(items.vectors.shape[1], LENGTH, 1, 1, 0, False))
    nothing = torch.zeros(0, dtype=torch.int64)
    return Learned.of("", ranker, items.vectors, nothing, torch.zeros(len(items), len(NUMBERS)))


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
