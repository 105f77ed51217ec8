"""Items without a model: vectors drawn, all else given."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow

from fashionmt.item_index import BundleMark, ItemIndex, Items, add_items, load_index
from fashionmt.item_index.description import Description
from fashionmt.item_index.segment import KEPT, schema

ATTRIBUTES = ("gender", "colour")
MARK = BundleMark("runs/a/bundle", "a" * 64)
OTHER = BundleMark("runs/b/bundle", "b" * 64)
SIZE = 8
LIKE = Description(MARK, SIZE, "fused", ATTRIBUTES)


def made_up(
    ids: Sequence[str],
    seed: int = 0,
    vectors: np.ndarray | None = None,
    titles: Sequence[str | None] | None = None,
    pictures: Sequence[str | None] | None = None,
    kept: Mapping[str, Sequence[str | None]] | None = None,
) -> Items:
    """Of an id, always the same vector and values, unless they are given. `pictures`: digests."""
    drawn = np.stack([vector_of(item, seed) for item in ids]) if vectors is None else vectors
    values = {
        "id": list(ids),
        "title": list(titles) if titles else [f"title {item}" for item in ids],
        "picture": [f"{item}.jpg" for item in ids],
        "picture_sha256": list(pictures) if pictures else [f"digest {item}" for item in ids],
        "gender": ["Women" if len(item) % 2 else "Men" for item in ids],
        "gender_confidence": [0.9] * len(ids),
        "colour": ["Red" if item[-1] in "02468" else "Blue" for item in ids],
        "colour_confidence": [None] * len(ids),
    }
    columns = kept or {}
    values |= {f"{KEPT}{name}": list(each) for name, each in columns.items()}
    return Items(drawn.astype(np.float32), pyarrow.Table.from_pydict(values, schema(ATTRIBUTES, list(columns))))


def vector_of(item: str, seed: int = 0) -> np.ndarray:
    """A unit vector by an id."""
    drawn = np.random.default_rng([seed, *item.encode()]).normal(size=SIZE)
    return (drawn / np.linalg.norm(drawn)).astype(np.float32)


def made_index(folder: Path, *batches: Items) -> ItemIndex:
    """An index with a segment for each batch."""
    add_items(folder, LIKE, batches, "test")
    return load_index(folder, MARK)
