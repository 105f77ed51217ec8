"""What is told of the data before training."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fashionmt.data.findings import Findings
from fashionmt.data.splits import Split
from fashionmt.training.report import print_data, print_results, write_json


@pytest.mark.parametrize(("since", "told"), [(None, "2 test\n"), ("2019-12", "2 test (from 2019-12 on)\n")])
def test_the_parts_are_told_and_from_when_on_the_test_is(
    since: str | None, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    split = Split(np.arange(4), np.array([4]), np.array([5, 6]), since)
    print_data(SimpleNamespace(ids=["i"] * 7, split=split, findings=Findings()))  # type: ignore[arg-type]
    assert capsys.readouterr().err == f"7 items: 4 train, 1 validation, {told}"


@pytest.mark.parametrize("name", ["size [cm]", "a [/b]", "[red]"])
def test_an_attribute_is_called_as_it_is(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    scores = {"accuracy": 0.5, "macro_f1": None, "classes": 2, "items": 4}
    print_results({"attributes": {name: scores}, "exact_match": 0.25, "items": 4})
    assert name in capsys.readouterr().out


def test_several_processes_write_one_file_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each has a temporary file of its own."""
    renamed = []
    monkeypatch.setattr(Path, "replace", lambda path, target: renamed.append((path.name, Path(target).name)))
    for process in (7, 8):
        monkeypatch.setattr("os.getpid", lambda process=process: process)
        write_json(tmp_path / "figures.json", {})
    (one, target), (other, _) = renamed
    assert one != other
    assert target == "figures.json"
