"""The figures of a view, against scikit-learn and loops over the items."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, f1_score, precision_score, recall_score

from fashionmt.benchmark.metrics import Answers, score_view

CLASSES = {"colour": ["red", "blue", "navy", "plum"], "season": ["summer", "winter"]}
COUNT = 80
SURE = {"colour": 0.4, "season": 2.0, "item": 0.7}
"""What is as sure is accepted."""
THRESHOLDS = {
    "heads": {
        "colour": {"target_accuracy": 0.9, "confidence": 0.4},
        "season": {"target_accuracy": 0.99, "confidence": None},
    },
    "item": {"target_accuracy": 0.8, "confidence": 0.7},
}


@pytest.fixture
def table() -> pd.DataFrame:
    """80 items in 50 groups; some without a label, and plum is never answered."""
    draw = np.random.default_rng(0)
    columns: dict[str, Any] = {
        "view": ["title"] * COUNT,
        "id": [f"i{i}" for i in range(COUNT)],
        "group": [f"g{group}" for group in draw.integers(0, 50, COUNT)],
        "confidence": draw.random(COUNT),
        "possible": pd.array(np.where(np.arange(COUNT) < 10, None, draw.random(COUNT) < 0.8), dtype="boolean"),
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
        columns[f"{name}.accepted"] = pd.array(columns[f"{name}.confidence"] >= SURE[name], dtype="boolean")
        columns[f"{name}.title_names"] = draw.choice(["own", "other", "none"], COUNT)
    columns["accepted"] = pd.array(columns["confidence"] >= SURE["item"], dtype="boolean")
    return pd.DataFrame(columns)


@pytest.fixture
def scored(table: pd.DataFrame) -> dict[str, Any]:
    return score_view([Answers(table, THRESHOLDS)], without=["season", "no such"], draws=50)


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
    found = score_view([Answers(table.assign(**{"colour.confidence": np.nan}), None)], without=[], draws=10)
    assert found["attributes"]["colour"]["calibration_error"] is None
    assert found["exact_match_without"]["without"] == []
    assert found["attributes"]["colour"]["accepted"] is None
    assert found["accepted"] is None


@pytest.mark.parametrize("name", CLASSES)
def test_weighted_precision_recall_and_f1_are_scikit_learns(
    table: pd.DataFrame, scored: dict[str, Any], name: str
) -> None:
    labelled = table[table[f"{name}.true"].notna()]
    true, answered = labelled[f"{name}.true"], labelled[f"{name}.answered"]
    found = scored["attributes"][name]["weighted"]
    for part, score in {"precision": precision_score, "recall": recall_score, "f1": f1_score}.items():
        assert found[part] == pytest.approx(score(true, answered, average="weighted", zero_division=0))
    assert found["recall"] == pytest.approx(scored["attributes"][name]["accuracy"]["value"])


def test_impossible_answers_are_counted_where_they_were_looked_at(table: pd.DataFrame, scored: dict[str, Any]) -> None:
    looked_at = [value for value in table["possible"] if value is not pd.NA]
    assert scored["impossible"]["items"] == len(looked_at) == COUNT - 10
    assert scored["impossible"]["value"] == pytest.approx(looked_at.count(False) / len(looked_at))
    before = score_view([Answers(table.drop(columns="possible"), None)], without=[], draws=10)
    assert before["impossible"]["value"] is None


def test_what_a_threshold_accepts_is_that_of_a_loop(table: pd.DataFrame, scored: dict[str, Any]) -> None:
    labelled = [row for _, row in table.iterrows() if row["colour.true"] in CLASSES["colour"]]
    accepted = [row for row in labelled if row["colour.confidence"] >= 0.4]
    found = scored["attributes"]["colour"]["accepted"]
    assert found["stated"] == 0.9
    assert found["share"]["value"] == pytest.approx(len(accepted) / len(labelled))
    right = [row["colour.true"] == row["colour.answered"] for row in accepted]
    assert found["accuracy"]["value"] == pytest.approx(np.mean(right))
    assert found["accuracy"]["items"] == len(accepted)
    assert found["accuracy"]["low"] < found["accuracy"]["value"] < found["accuracy"]["high"]


def test_without_a_threshold_nothing_is_accepted(scored: dict[str, Any]) -> None:
    found = scored["attributes"]["season"]["accepted"]
    assert (found["share"]["value"], found["accuracy"]["value"]) == (0, None)


def test_an_item_is_accepted_at_once_and_right_as_in_exact_match(table: pd.DataFrame, scored: dict[str, Any]) -> None:
    accepted = table[table["confidence"] >= 0.7]
    alone = score_view([Answers(accepted, None)], without=[], draws=10)["exact_match"]
    found = scored["accepted"]
    assert found["accuracy"]["value"] == pytest.approx(alone["value"])
    assert found["share"]["value"] == pytest.approx(alone["items"] / scored["exact_match"]["items"])


def test_a_system_of_several_seeds_has_the_mean_of_their_figures(table: pd.DataFrame, scored: dict[str, Any]) -> None:
    other = table.assign(**{"colour.answered": "red", "possible": True, "confidence": 1.0})
    alone = score_view([Answers(other, THRESHOLDS)], without=["season"], draws=50)
    both = score_view([Answers(table, THRESHOLDS), Answers(other, THRESHOLDS)], without=["season"], draws=50)

    def check(one: Any, two: Any, mean: Any, place: str = "") -> None:
        """Every figure, wherever it stands."""
        for key, value in one.items():
            if isinstance(value, dict):
                check(value, two[key], mean[key], f"{place}.{key}")
            elif key in ("value", "precision", "recall", "f1", "calibration_error") and value is not None:
                assert mean[key] == pytest.approx((value + two[key]) / 2), place
                checked.append(place)

    checked: list[str] = []
    check(scored, alone, both)
    assert len(checked) == 28
    accuracy = both["attributes"]["colour"]["accuracy"]
    values = [one["attributes"]["colour"]["accuracy"]["value"] for one in (scored, alone)]
    assert accuracy["spread"] == pytest.approx(np.std(values, ddof=1))
    assert scored["attributes"]["colour"]["accuracy"]["spread"] is None
