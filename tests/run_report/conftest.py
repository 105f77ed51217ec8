"""A report's content of a few items, any part of which a test may change."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from fashionmt.attributes import LabelSpace
from fashionmt.run_report import Head, HeldOut, ReportContent

SPACES = {
    "colour": LabelSpace("colour", ("black", "blue", "red", "white"), ("plum",)),
    "season": LabelSpace("season", ("summer", "winter", "fall")),
}


def random_head(space: LabelSpace, count: int, seed: int = 0) -> Head:
    """Two answers in three are right; a few items have no label."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(-1, len(space.every_class), count)
    scores = draw.normal(size=(count, len(space)))
    known = np.flatnonzero((labels >= 0) & (labels < len(space)) & (draw.random(count) < 0.6))
    scores[known, labels[known]] += 2.5
    probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    return Head(probabilities.astype(np.float32), probabilities.argmax(1), labels)


def noise(position: int) -> npt.NDArray[np.uint8] | None:
    """A picture of noise; every fifth item has none."""
    if position % 5 == 3:
        return None
    return np.random.default_rng(position).integers(0, 256, (80, 60, 3), dtype=np.uint8)


def held_out(name: str, heads: Mapping[str, Head], **changes: Any) -> HeldOut:
    """Items named after their part."""
    count = len(next(iter(heads.values())).labels)
    ids, titles = [f"{name}-{i}" for i in range(count)], [f"Item {i}" if i % 7 else None for i in range(count)]
    return replace(HeldOut(name, ids, titles, noise, heads), **changes)


def epochs_of(attributes: list[str], epochs: int = 3) -> pd.DataFrame:
    """As a run's log has them."""
    rows: list[dict[str, float]] = []
    for epoch in range(epochs):
        scores = {f"val/{kind}/{name}": 0.5 for kind in ("accuracy", "macro_f1") for name in [*attributes, "mean"]}
        losses = {"train/loss": 2.0, "val/loss": 3.0}
        losses |= {f"train/loss/{name}": 1.0 + epoch for name in attributes}
        losses |= {f"val/loss/{name}": 1.5 for name in attributes}
        rows.append({**losses, **scores, "lr/0": 0.1 * epoch, "lr/1": 0.1 * epoch, "lr/2": 0.5})
    return pd.DataFrame(rows)


@pytest.fixture
def make_content() -> Callable[..., ReportContent]:
    """A content of `items` test items and as many of validation."""

    def make(spaces: Mapping[str, LabelSpace] = SPACES, items: int = 60, **changes: Any) -> ReportContent:
        parts = {
            name: held_out(
                name, {a: random_head(space, items, seed + i) for i, (a, space) in enumerate(spaces.items())}
            )
            for seed, name in ((0, "validation"), (100, "test"))
        }
        rows = {name: {"accuracy": 0.5, "macro_f1": 0.25, "classes": 4, "items": items} for name in spaces}
        content = ReportContent(
            title="a run",
            facts={"data": "drawn", "seed": "0"},
            metrics={"attributes": rows, "exact_match": 0.125, "items": items},
            spaces=spaces,
            train_counts={
                name: np.array([10 ** (i % 4) for i in range(len(space))] + [0] * len(space.unlearned))
                for name, space in spaces.items()
            },
            epochs=epochs_of(list(spaces)),
            embedding=np.random.default_rng(0).normal(size=(items, 8)).astype(np.float32),
            **parts,
        )
        return replace(content, **changes)

    return make
