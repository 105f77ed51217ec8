"""A catalogue of items in memory, whose vectors tell their attributes, and events on it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import torch

from fashionmt.item_index import BundleMark, add_items
from fashionmt.item_index import Items as IndexItems
from fashionmt.item_index.description import Description
from fashionmt.item_index.segment import schema as segment_schema
from fashionmt.recommend.interactions import DAY, Interactions
from fashionmt.recommend.items import Items

GENDERS, TYPES, COLOURS = ("Men", "Women", "Unisex"), 8, 6
BEGIN = 1_600_000_000.0


def made_up_items(count: int = 60, size: int = 16, seed: int = 0, digest: str = "d" * 64) -> Items:
    """Their vectors are sums of one for each value, and some noise."""
    random = np.random.default_rng(seed)
    codes = {
        "gender": random.integers(0, len(GENDERS), count),
        "articleType": random.integers(0, TYPES, count),
        "baseColour": random.integers(0, COLOURS, count),
    }
    vectors = 0.3 * random.normal(size=(count, size))
    for code in codes.values():
        vectors += random.normal(size=(code.max() + 1, size))[code]
    attributes = pd.DataFrame({name: [f"{name}{value}" for value in code] for name, code in codes.items()})
    attributes["gender"] = [GENDERS[code] for code in codes["gender"]]
    unit = torch.nn.functional.normalize(torch.from_numpy(vectors).float(), dim=1)
    ids = [str(100 + row) for row in range(count)]
    return Items(ids, unit, attributes, np.arange(count), BundleMark("runs/train/bundle", digest))


def events_of(*events: tuple[str, int, float], users: Sequence[str] = ()) -> Interactions:
    """(user, item row, day) each."""
    names = list(dict.fromkeys([*users, *(user for user, _, _ in events)]))
    user = np.array([names.index(name) for name, _, _ in events], dtype=np.int64)
    item = np.array([row for _, row, _ in events], dtype=np.int64)
    return Interactions.of(names, user, item, np.array([BEGIN + day * DAY for _, _, day in events], dtype=np.float64))


def random_events(items: Items, users: int = 30, most: int = 12, days: int = 100, seed: int = 0) -> Interactions:
    """Without any rule."""
    random = np.random.default_rng(seed)
    events = []
    for user in range(users):
        for _ in range(random.integers(2, most)):
            events.append((f"u{user}", int(random.integers(0, len(items))), float(random.uniform(0, days))))
    return events_of(*events)


def write_index(folder: Path, items: Items) -> Path:
    """The same items as an index on the disk; those of an even row are in stock."""
    names = [str(name) for name in items.attributes.columns]
    columns = {
        "id": list(items.ids),
        "title": [f"product {product}" for product in items.products],
        "picture": [None] * len(items),
        "picture_sha256": [None] * len(items),
        "kept.stock": [str((row + 1) % 2) for row in range(len(items))],
    }
    for name in names:
        columns |= {name: items.attributes[name].tolist(), f"{name}_confidence": [1.0] * len(items)}
    table = pyarrow.Table.from_pydict(columns, segment_schema(names, ["stock"]))
    stored = IndexItems(items.vectors.numpy(), table)
    add_items(folder, Description(items.bundle, items.vectors.shape[1], "fused", names), [stored], "made up")
    return folder


def write_events(path: Path, events: Interactions, items: Items) -> Path:
    """As a CSV file."""
    frame = pd.DataFrame(
        {
            "user_id": [events.users[user] for user in events.user],
            "item_id": [items.ids[item] for item in events.item],
            "timestamp": events.time,
        }
    )
    frame.to_csv(path, index=False)
    return path
