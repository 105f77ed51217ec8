"""The feature cache: computed once, by one process, never half there, and a damaged file is seen."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fashionmt.data.feature_cache import DAMAGED, FOUND, MADE, FeatureCache, Floats, open_features
from fashionmt.data.picture_cache import NO_ROW

KEY = "0123456789abcdef0123"
VALUES = np.random.default_rng(0).random((7, 3)).astype(np.float32)
ROW = np.array([0, 6, NO_ROW, 6])


class Counted:
    """Gives `VALUES` in two parts."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> Iterator[Floats]:
        self.times += 1
        yield VALUES[:4]
        yield VALUES[4:]


def opened(folder: Path, compute: Counted, key: str = KEY) -> FeatureCache:
    cache = open_features(folder, key, ROW, compute)
    assert np.array_equal(cache.values, VALUES)
    return cache


def test_features_are_computed_once(tmp_path: Path) -> None:
    compute = Counted()
    assert opened(tmp_path / "new", compute).origin == MADE
    again = opened(tmp_path / "new", compute)
    assert (again.origin, compute.times) == (FOUND, 1)
    assert isinstance(again.values, np.memmap)
    assert opened(tmp_path / "new", compute, "f" + KEY).origin == MADE
    assert compute.times == 2


def test_items_have_their_rows_and_zeros_where_they_have_none(tmp_path: Path) -> None:
    taken = opened(tmp_path, Counted()).take(np.array([3, 2, 0]))
    assert np.array_equal(taken, np.stack([VALUES[6], np.zeros(3), VALUES[0]]))


@pytest.mark.parametrize("damage", ["cut", "longer", "one bit", "gone", "index cut", "another index"])
def test_a_damaged_file_is_seen_and_made_again(tmp_path: Path, damage: str) -> None:
    compute = Counted()
    opened(tmp_path, compute)
    (data,), (index,) = tmp_path.glob("*.f32"), tmp_path.glob("*.json")
    content = data.read_bytes()
    match damage:
        case "cut":
            data.write_bytes(content[:-4])
        case "longer":
            data.write_bytes(content + bytes(4))
        case "one bit":
            data.write_bytes(content[:20] + bytes([content[20] ^ 1]) + content[21:])
        case "gone":
            data.unlink()
        case "index cut":
            index.write_bytes(index.read_bytes()[:10])
        case _:
            index.write_text("[]")
    assert opened(tmp_path, compute).origin == DAMAGED
    assert opened(tmp_path, compute).origin == FOUND
    assert compute.times == 2


def test_what_was_computed_before_a_failure_is_no_cache(tmp_path: Path) -> None:
    def fails() -> Iterator[Floats]:
        yield VALUES[:4]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_features(tmp_path, KEY, ROW, fails)
    assert [path.suffix for path in tmp_path.iterdir() if path.suffix != ".lock"] == []
    assert opened(tmp_path, Counted()).origin == MADE


def test_of_several_that_ask_at_once_one_computes(tmp_path: Path) -> None:
    compute = Counted()
    with ThreadPoolExecutor(8) as pool:
        caches = list(pool.map(lambda _: opened(tmp_path, compute), range(8)))
    assert compute.times == 1
    assert sorted(cache.origin for cache in caches) == sorted([MADE] + [FOUND] * 7)
