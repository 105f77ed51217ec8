"""Maps are the same at every call, and there is none where nothing could be seen."""

import importlib.machinery
import sys
import types
from typing import Any

import numpy as np
import pytest

from fashionmt.run_report.projection import MAX_ITEMS, choose_items, project


@pytest.fixture
def no_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)


def test_items_are_chosen_once_and_in_order() -> None:
    chosen = choose_items(10 * MAX_ITEMS)
    assert len(set(chosen.tolist())) == MAX_ITEMS
    assert (np.diff(chosen) > 0).all()
    assert (chosen == choose_items(10 * MAX_ITEMS)).all()
    assert choose_items(4).tolist() == [0, 1, 2, 3]


@pytest.mark.usefixtures("no_umap")
def test_pca_keeps_the_plane_that_the_items_lie_in() -> None:
    draw = np.random.default_rng(0)
    plane = draw.normal(size=(50, 2)) * [3, 1]
    turned = plane @ np.linalg.qr(draw.normal(size=(6, 6)))[0][:2]
    (mapped,) = project(turned.astype(np.float32))
    distances = [np.linalg.norm(points[:, None] - points, axis=-1) for points in (plane, mapped.points)]
    np.testing.assert_allclose(*distances, rtol=1e-4, atol=1e-4)
    assert [float(axis.split(", ")[1].split("%")[0]) for axis in mapped.axes] == pytest.approx([90, 10], abs=6)


@pytest.mark.parametrize(
    "embedding", [np.zeros((0, 4)), np.eye(5), np.ones((40, 4)), np.random.default_rng(0).normal(size=(40, 1))]
)
def test_few_or_equal_items_make_no_map(embedding: Any) -> None:
    assert list(project(embedding.astype(np.float32))) == []


def test_umap_draws_a_second_map_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reducer:
        def __init__(self, **options: Any) -> None:
            self.options = options

        def fit_transform(self, embedding: Any) -> Any:
            assert self.options["n_neighbors"] < len(embedding)
            return embedding[:, :2] * 2

    fake = types.ModuleType("umap")
    fake.__spec__ = importlib.machinery.ModuleSpec("umap", None)
    fake.UMAP = Reducer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "umap", fake)
    embedding = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
    maps = list(project(embedding))
    assert [mapped.method for mapped in maps] == ["PCA", "UMAP"]
    assert (maps[1].points == embedding[:, :2] * 2).all()
