"""Rows of one system become one line; what is made of their answers is made once, and anew when these change."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from made_up import WriteRow

from fashionmt.benchmark import lines as lines_module
from fashionmt.benchmark.lines import Line, read_lines


def by_name(folder: Path) -> dict[str, Line]:
    return {line.name: line for line in read_lines(folder)[0]}


def share_right(folder: Path, name: str, view: str = "title") -> float:
    table = pd.read_parquet(folder / "predictions.parquet").query("view == @view")
    return float((table[f"{name}.true"] == table[f"{name}.answered"]).mean())


def answer_all(folder: Path, name: str, value: str) -> None:
    table = pd.read_parquet(folder / "predictions.parquet")
    table.assign(**{f"{name}.answered": value}).to_parquet(folder / "predictions.parquet")


def test_seeds_of_a_row_are_one_line_of_their_mean(write_row: WriteRow, tmp_path: Path) -> None:
    folders = [write_row("net", seed=seed) for seed in (0, 2, 10)]
    write_row("other")
    found = by_name(tmp_path)
    assert set(found) == {"net", "other"}
    assert found["net"].label == "net, mean of 3 seeds"
    assert [row.result["seed"] for row in found["net"].rows] == [0, 2, 10]
    rights = [share_right(folder, "colour") for folder in folders]
    accuracy = found["net"].views["title"]["attributes"]["colour"]["accuracy"]
    assert accuracy["value"] == pytest.approx(np.mean(rights))
    assert accuracy["spread"] == pytest.approx(np.std(rights, ddof=1))
    assert found["other"].label == "other"


@pytest.mark.parametrize(
    "changes",
    [
        {"data_fingerprint": "b"},
        {"recipe": "b"},
        {"split": {"kind": "family", "block_size": 500, "seed": 1}},
        {"size": {"train": 70, "validation": 10, "test": 60, "limit_items": 80, "epochs": 3}},
    ],
)
def test_rows_of_other_data_splits_and_sizes_stay_apart(
    write_row: WriteRow, tmp_path: Path, changes: dict[str, Any]
) -> None:
    write_row("net")
    write_row("net", seed=1, **changes)
    assert sorted(line.label for line in read_lines(tmp_path)[0]) == ["net", "net, seed 1"]


def test_rows_whose_answers_are_gone_stay_apart(write_row: WriteRow, tmp_path: Path) -> None:
    write_row("net")
    (write_row("net", seed=1) / "predictions.parquet").unlink()
    assert sorted(line.label for line in read_lines(tmp_path)[0]) == ["net", "net, seed 1"]


def test_an_older_row_is_scored_anew_from_its_answers(write_row: WriteRow, tmp_path: Path) -> None:
    folder = write_row("net", format=1)
    path = folder / "benchmark.json"
    kept = json.loads(path.read_text())
    now = json.loads(json.dumps(kept["views"]))
    kept["views"]["title"]["attributes"]["colour"] = {"accuracy": "of an older kind"}
    path.write_text(json.dumps(kept))
    assert by_name(tmp_path)["net"].views == now
    (folder / "predictions.parquet").unlink()
    assert by_name(tmp_path)["net"].views == kept["views"]


def test_figures_are_made_once_and_anew_when_answers_change(
    write_row: WriteRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = write_row("net"), write_row("net", seed=1)
    before = by_name(tmp_path)["net"].views
    with monkeypatch.context() as patch:
        patch.setattr(lines_module, "score_view", lambda *_: pytest.fail("made again"))
        assert by_name(tmp_path)["net"].views == before
    answer_all(second, "colour", "red")
    after = by_name(tmp_path)["net"].views["title"]["attributes"]["colour"]["accuracy"]["value"]
    assert after == pytest.approx((share_right(first, "colour") + share_right(second, "colour")) / 2)
    shutil.rmtree(second)
    write_row("net", seed=3)
    assert [row.result["seed"] for row in by_name(tmp_path)["net"].rows] == [0, 3]
    (first / "figures.json").write_text('{"made_of": ')
    third = share_right(tmp_path / "net-seed3", "colour")
    again = by_name(tmp_path)["net"].views["title"]["attributes"]["colour"]["accuracy"]["value"]
    assert again == pytest.approx((share_right(first, "colour") + third) / 2)


def test_differences_are_made_once_and_anew_when_either_changes(
    write_row: WriteRow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = write_row("net", ("both", "title")), write_row("linear")

    def told() -> float:
        found = by_name(tmp_path)
        compared = found["net"].against(found["linear"], {"both": "title"})["both"]
        return float(compared["attributes"]["colour"]["difference"]["value"])

    def expected() -> float:
        return share_right(ours, "colour", "both") - share_right(theirs, "colour")

    assert told() == pytest.approx(expected())
    with monkeypatch.context() as patch:
        patch.setattr(lines_module, "all_differences", lambda *_: pytest.fail("made again"))
        told()
    answer_all(theirs, "colour", "blue")
    assert told() == pytest.approx(expected())
    answer_all(ours, "colour", "plum")
    assert told() == pytest.approx(expected())
    assert by_name(tmp_path)["net"].fits(by_name(tmp_path)["linear"])
    (theirs / "predictions.parquet").unlink()
    assert not by_name(tmp_path)["net"].fits(by_name(tmp_path)["linear"])
