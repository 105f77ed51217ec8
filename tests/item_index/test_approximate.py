"""Approximate search: its recall is measured when it is made, its scores are exact, and it lives with torch."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from items_made_up import LIKE, MARK, made_index, made_up

pytest.importorskip("faiss")

from fashionmt.errors import UserError
from fashionmt.item_index import ItemIndex, add_items, load_index, search
from fashionmt.item_index.approximate import make_approximate

COUNT = 3000


def clustered(count: int, seed: int = 0) -> np.ndarray:
    """Unit vectors around forty centres, as items of a catalogue lie."""
    draw = np.random.default_rng(seed)
    vectors = np.random.default_rng(9).normal(size=(40, 8))[draw.integers(0, 40, count)]
    vectors = vectors + 0.3 * draw.normal(size=vectors.shape)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def index(tmp_path: Path) -> ItemIndex:
    made = made_index(tmp_path, made_up([str(i) for i in range(COUNT)], vectors=clustered(COUNT)))
    make_approximate(made.held, 0.98)
    return load_index(tmp_path, MARK)


def shares(index: ItemIndex, exact: ItemIndex, queries: torch.Tensor) -> float:
    found = search(index, queries, 10, duplicates=True)
    true = search(exact, queries, 10, duplicates=True)
    return float(np.mean([len(np.intersect1d(a.rows, b.rows)) / 10 for a, b in zip(found, true, strict=True)]))


def test_its_recall_is_the_stated_one(index: ItemIndex, tmp_path: Path) -> None:
    made = index.description.approximate
    assert made is not None
    assert made.recall >= 0.98
    assert 1 <= made.probes < made.lists == 256
    queries = torch.from_numpy(clustered(200, seed=4))
    exact = made_index(tmp_path / "exact", made_up([str(i) for i in range(COUNT)], vectors=clustered(COUNT)))
    assert shares(index, exact, queries) > 0.95
    true = search(exact, queries, 10, duplicates=True)
    for one, other in zip(search(index, queries, 10, duplicates=True), true, strict=True):
        both = np.intersect1d(one.rows, other.rows)
        scores = dict(zip(other.rows.tolist(), other.scores.tolist(), strict=True))
        kept = [s for r, s in zip(one.rows.tolist(), one.scores.tolist(), strict=True) if r in both]
        assert kept == [scores[row] for row in one.rows.tolist() if row in both]


def test_with_a_mask_and_for_many_it_is_exact(index: ItemIndex, tmp_path: Path) -> None:
    exact = made_index(tmp_path / "exact", made_up([str(i) for i in range(COUNT)], vectors=clustered(COUNT)))
    allowed = np.arange(COUNT) % 7 == 0
    queries = torch.from_numpy(clustered(3, seed=5))
    for k, mask in ((10, allowed), (2000, None)):
        found, true = search(index, queries, k, mask), search(exact, queries, k, mask)
        assert [each.rows.tolist() for each in found] == [each.rows.tolist() for each in true]


def test_items_that_are_added_are_found(index: ItemIndex) -> None:
    add_items(index.folder, LIKE, [made_up(["new"], vectors=clustered(1, seed=77))], "more")
    grown = load_index(index.folder)
    found = search(grown, torch.from_numpy(clustered(1, seed=77)), 1)[0]
    assert grown.ids[found.rows[0]] == "new"


def test_too_low_a_recall_is_refused(tmp_path: Path) -> None:
    """Vectors that lie nowhere in particular, in lists of which a quarter is looked through."""
    draw = np.random.default_rng(0).normal(size=(400, 8))
    vectors = draw / np.linalg.norm(draw, axis=1, keepdims=True)
    index = made_index(tmp_path, made_up([str(i) for i in range(400)], vectors=vectors))
    with pytest.raises(UserError, match=r"under 1\.0\. Lower similar\.recall, or leave approximate out"):
        make_approximate(index.held, 1.0)
    assert load_index(tmp_path).description.approximate is None


def test_a_damaged_file_is_refused(index: ItemIndex) -> None:
    path = index.folder / "approximate-00001.safetensors"
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(UserError, match=r"approximate-00001\.safetensors is truncated or was changed"):
        search(load_index(index.folder), index.vectors[:1], 3)


@pytest.mark.parametrize("first", ["torch", "faiss"])
def test_it_lives_in_one_process_with_torch(first: str) -> None:
    """Each brings threads of its own."""
    second = "faiss" if first == "torch" else "torch"
    script = f"""
import {first}, {second}, numpy
vectors = numpy.random.default_rng(0).normal(size=(2000, 16)).astype("float32")
index = faiss.IndexFlatIP(16)
index.add(vectors)
for _ in range(3):
    found = index.search(vectors[:50], 1)[1]
    products = torch.from_numpy(vectors) @ torch.from_numpy(vectors[:300]).T
    assert products.isfinite().all()
print(found.shape)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "(50, 1)\n"), done.stderr
