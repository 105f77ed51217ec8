"""The figures of a view, against scikit-learn and loops over the items."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score

from fashionmt.benchmark.metrics import score_view

CLASSES = {"colour": ["red", "blue", "navy", "plum"], "season": ["summer", "winter"]}
COUNT = 80


@pytest.fixture
def table() -> pd.DataFrame:
    """80 items in 50 groups; some without a label, and plum is never answered."""
    draw = np.random.default_rng(0)
    columns: dict[str, Any] = {
        "view": ["title"] * COUNT,
        "id": [f"i{i}" for i in range(COUNT)],
        "group": [f"g{group}" for group in draw.integers(0, 50, COUNT)],
    }
    for name, classes in CLASSES.items():
        true = [classes[i] if i >= 0 else None for i in draw.integers(-1, len(classes), COUNT)]
        guess = [classes[i] for i in draw.integers(0, min(3, len(classes)), COUNT)]
        kept = draw.random(COUNT) < 0.5
        columns[f"{name}.true"] = true
        columns[f"{name}.answered"] = [
            own if own not in (None, "plum") and keep else other
            for own, other, keep in zip(true, guess, kept, strict=True)
        ]
        columns[f"{name}.confidence"] = draw.random(COUNT)
        columns[f"{name}.title_names"] = draw.choice(["own", "other", "none"], COUNT)
    return pd.DataFrame(columns)


@pytest.fixture
def scored(table: pd.DataFrame) -> dict[str, Any]:
    return score_view(table, without=["season", "no such"], draws=50)


@pytest.mark.parametrize("name", CLASSES)
def test_accuracy_and_macro_f1_are_scikit_learns(table: pd.DataFrame, scored: dict[str, Any], name: str) -> None:
    labelled = table[table[f"{name}.true"].notna()]
    true, answered = labelled[f"{name}.true"], labelled[f"{name}.answered"]
    found = scored["attributes"][name]
    assert found["accuracy"]["value"] == pytest.approx(accuracy_score(true, answered))
    assert found["macro_f1"]["value"] == pytest.approx(f1_score(true, answered, average="macro", zero_division=0))
    assert found["accuracy"]["items"] == found["macro_f1"]["items"] == len(labelled)
    assert found["accuracy"]["low"] < found["accuracy"]["value"] < found["accuracy"]["high"]


@pytest.mark.parametrize(
    ("part", "names"), [("own", ["own"]), ("other", ["other"]), ("none", ["none"]), ("not_own", ["other", "none"])]
)
def test_accuracy_by_what_the_title_names(
    table: pd.DataFrame, scored: dict[str, Any], part: str, names: list[str]
) -> None:
    rows = table[table["colour.true"].notna() & table["colour.title_names"].isin(names)]
    found = scored["attributes"]["colour"]["accuracy_by_title"][part]
    assert found["items"] == len(rows)
    assert found["value"] == pytest.approx((rows["colour.true"] == rows["colour.answered"]).mean())


def test_exact_match_counts_items_that_are_labelled_and_skips_what_is_not(
    table: pd.DataFrame, scored: dict[str, Any]
) -> None:
    right = []
    for _, item in table.iterrows():
        labelled = [name for name in CLASSES if item[f"{name}.true"] in CLASSES[name]]
        if labelled:
            right.append(all(item[f"{name}.true"] == item[f"{name}.answered"] for name in labelled))
    assert scored["exact_match"]["value"] == pytest.approx(np.mean(right))
    assert scored["exact_match"]["items"] == len(right)
    without = scored["exact_match_without"]
    assert without["without"] == ["season"]
    assert without["value"] == pytest.approx(scored["attributes"]["colour"]["accuracy"]["value"])


def test_calibration_error_is_that_of_a_loop_over_15_bins(table: pd.DataFrame, scored: dict[str, Any]) -> None:
    rows = table[table["colour.true"].notna()]
    confidence = rows["colour.confidence"].to_numpy()
    right = (rows["colour.true"] == rows["colour.answered"]).to_numpy()
    bins = np.minimum((confidence * 15).astype(int), 14)
    gaps = [abs(confidence[bins == b].mean() - right[bins == b].mean()) * (bins == b).mean() for b in set(bins)]
    assert scored["attributes"]["colour"]["calibration_error"] == pytest.approx(sum(gaps), abs=1e-6)


def test_a_system_without_confidences_has_no_calibration_error(table: pd.DataFrame) -> None:
    found = score_view(table.assign(**{"colour.confidence": np.nan}), without=[], draws=10)
    assert found["attributes"]["colour"]["calibration_error"] is None
    assert found["exact_match_without"]["without"] == []
