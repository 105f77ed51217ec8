"""Features that a frozen tower gives, computed once into a memory-mapped file and shared by runs and their jobs.

K rows that were computed, F features, B items of a batch.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fashionmt.data.picture_cache import NO_ROW
from fashionmt.storage import held, make_folder, publish, publishing

Floats = npt.NDArray[np.float32]
FOUND, MADE, DAMAGED = "read from the cache", "computed once", "computed anew, as their cache file is damaged"


@dataclass(frozen=True)
class FeatureCache:
    """Features, and which item has which."""

    values: Floats
    """Memory-mapped, (K, F)."""
    row: npt.NDArray[np.int64]
    """(items,): an item's row in `values`, or `NO_ROW`."""
    origin: str = FOUND
    """`FOUND`, `MADE` or `DAMAGED`."""

    def take(self, items: npt.NDArray[np.int64]) -> Floats:
        """Those of `items`, (B, F); 0 of an item that has none."""
        row = self.row[items]
        there = row != NO_ROW
        taken = np.zeros((len(items), self.values.shape[1]), np.float32)
        taken[there] = self.values[row[there]]
        return taken


def open_features(
    folder: Path, key: str, row: npt.NDArray[np.int64], compute: Callable[[], Iterable[Floats]]
) -> FeatureCache:
    """The features named `key`, from the cache in `folder` or computed now.

    `key`: a fingerprint of all that they depend on. `row`: as `FeatureCache` has it. `compute` gives them, all K rows
    in order, some at a time: (b, F) each. Of several processes that ask at once, one computes and the others wait.
    """
    make_folder(folder)
    stem = folder / f"features-{key[:16]}"
    with held(stem.with_suffix(".lock"), -1):
        found = _read(stem)
        if found is not None:
            return FeatureCache(found, row)
        origin = DAMAGED if _index(stem).exists() else MADE
        _write(stem, compute())
        written = _read(stem)
    if written is None:
        raise OSError(f"{_data(stem)} does not hold what was written")
    return FeatureCache(written, row, origin)


def _data(stem: Path) -> Path:
    return stem.with_suffix(".f32")


def _index(stem: Path) -> Path:
    """Its presence is the commit."""
    return stem.with_suffix(".json")


def _read(stem: Path) -> Floats | None:
    """None where there are none, or where the file is not what was written: it is read whole, which also brings it
    into memory."""
    try:
        known = json.loads(_index(stem).read_text(encoding="utf-8"))
        shape, expected = (int(known["rows"]), int(known["features"])), known["sha256"]
        with _data(stem).open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != expected:
                return None
        return np.memmap(_data(stem), np.float32, "r", shape=shape)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(stem: Path, parts: Iterable[Floats]) -> None:
    """Written, not mapped: on a full disk a write is an error, and a mapped page is a crash."""
    rows, features, digest = 0, 0, hashlib.sha256()
    with publishing(_data(stem)) as out:
        for part in parts:
            content = np.ascontiguousarray(part, np.float32).tobytes()
            rows, features = rows + len(part), part.shape[1]
            digest.update(content)
            out.write(content)
    described = {"rows": rows, "features": features, "sha256": digest.hexdigest()}
    publish(_index(stem), json.dumps(described).encode())
