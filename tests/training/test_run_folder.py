"""A run folder is claimed once, never written over, and resumed only while its run has not ended."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pytest

from fashionmt.errors import UserError
from fashionmt.training.run_folder import RunFolder


def test_everything_of_a_run_has_a_place_of_its_own_below_its_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    names = [name for name, value in vars(RunFolder).items() if isinstance(value, property)]
    places = [value for name in names if isinstance(value := getattr(folder, name), Path)]
    assert len(set(places)) == len(places) >= 7
    assert all(place.is_relative_to(tmp_path) and place != tmp_path for place in places)
    assert [field.name for field in fields(folder)] == ["root"]


def test_claiming_writes_the_config_into_a_new_folder(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "runs" / "train" / "now")
    folder.claim("seed: 1\ntitle: Röcke\n")
    assert folder.config.read_text(encoding="utf-8") == "seed: 1\ntitle: Röcke\n"


def test_an_existing_folder_without_a_run_may_be_claimed(tmp_path: Path) -> None:
    (tmp_path / "train.log").touch()
    RunFolder(tmp_path).claim("seed: 1\n")
    assert RunFolder(tmp_path).config.is_file()


def test_a_second_run_is_refused_and_the_first_keeps_its_config(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.claim("seed: 1\n")
    with pytest.raises(UserError, match=r"already holds a run.*resume=") as refused:
        folder.claim("seed: 2\n")
    assert "\n" not in str(refused.value)
    assert folder.config.read_text() == "seed: 1\n"


def test_of_many_that_claim_a_folder_at_once_one_gets_it(tmp_path: Path) -> None:
    def claims(number: int) -> bool:
        try:
            RunFolder(tmp_path / "run").claim(f"seed: {number}\n")
        except UserError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(claims, range(32))) == 1


def test_a_folder_without_a_run_cannot_be_resumed(tmp_path: Path) -> None:
    for root in (tmp_path, tmp_path / "gone"):
        with pytest.raises(UserError, match=r"^resume=.*holds no run"):
            RunFolder(root).check_resumable()


def test_a_run_that_has_ended_cannot_be_resumed_and_its_bundle_is_named(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.claim("seed: 1\n")
    folder.metrics.write_text("{}")
    with pytest.raises(UserError, match="has ended") as refused:
        folder.check_resumable()
    assert str(folder.bundle) in str(refused.value)


def test_a_run_that_has_not_ended_can_be_resumed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.claim("seed: 1\n")
    folder.check_resumable()
    folder.checkpoints.mkdir()
    folder.resume_checkpoint.touch()
    folder.check_resumable()


def test_an_epochs_values_are_gathered_from_its_rows_and_a_resumed_runs_come_last(tmp_path: Path) -> None:
    logs = {
        10: [{"epoch": 1, "val/loss": 2.0}, {"epoch": 1, "lr/0": 0.2}, {"test/exact_match": 0.5}],
        9: [{"epoch": 0, "val/loss": 3.0}, {"epoch": 0, "lr/0": 0.1}, {"epoch": 1, "val/loss": 9.0}],
    }
    for version, rows in logs.items():
        path = tmp_path / f"logs/version_{version}/metrics.csv"
        path.parent.mkdir(parents=True)
        pd.DataFrame(rows).to_csv(path, index=False)
        os.utime(path, (version, version))
    (tmp_path / "logs/version_11").mkdir()
    (tmp_path / "logs/version_11/metrics.csv").touch()
    assert RunFolder(tmp_path).read_epochs().to_dict("list") == {"val/loss": [3.0, 2.0], "lr/0": [0.1, 0.2]}


@pytest.mark.parametrize("rows", [[{"test/exact_match": 0.5}], [{"epoch": float("nan"), "val/loss": 1.0}]])
def test_a_run_without_a_whole_epoch_has_none(tmp_path: Path, rows: list[dict[str, float]]) -> None:
    assert RunFolder(tmp_path).read_epochs().empty
    (tmp_path / "logs/version_0").mkdir(parents=True)
    pd.DataFrame(rows).to_csv(tmp_path / "logs/version_0/metrics.csv", index=False)
    assert RunFolder(tmp_path).read_epochs().empty


def test_a_run_that_is_refused_leaves_its_folder_to_the_corrected_one(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.claim("seed: 1\n")
    (tmp_path / "logs/version_0").mkdir(parents=True)
    folder.split.touch()
    with pytest.raises(UserError, match="no such column"), folder.let_go_if_refused():
        raise UserError("catalogue", "no such column", "Name another")
    assert list(tmp_path.iterdir()) == []
    folder.claim("seed: 2\n")


def test_a_run_that_took_time_keeps_its_folder_whatever_ends_it(tmp_path: Path) -> None:
    """What is no refusal does too: its logs say what went wrong."""
    folder = RunFolder(tmp_path)
    folder.claim("seed: 1\n")
    with pytest.raises(RuntimeError), folder.let_go_if_refused():
        raise RuntimeError("bug")
    assert folder.config.is_file()
    folder.checkpoints.mkdir()
    folder.resume_checkpoint.touch()
    with pytest.raises(UserError), folder.let_go_if_refused():
        raise UserError("loss", "is no number", "Lower the learning rate")
    assert folder.config.is_file()
