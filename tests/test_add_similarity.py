"""A bundle gets a head that the run's own training would give it; the run itself is left as it is."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tiny import one_thread

from fashionmt.add_similarity import main
from fashionmt.bundle import read_bundle
from fashionmt.errors import UserError
from fashionmt.finished_run import read_run

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)


def _add(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["add_similarity", *map(str, arguments)])
    main()


def test_it_is_the_head_that_the_run_itself_learned(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (trained / "bundle/bundle.json").read_bytes()
    _add(monkeypatch, trained, tmp_path / "new")
    own, added = read_bundle(trained / "bundle").similarity, read_bundle(tmp_path / "new").similarity
    assert own is not None
    assert added is not None
    assert list(added.temperatures) == list(own.temperatures) == ["articleType", "baseColour", "gender"]
    # The run's batches are of another size, so products add up in another order.
    assert torch.allclose(added.weight, own.weight, atol=1e-2)
    assert (trained / "bundle/bundle.json").read_bytes() == before
    weights = load_file(trained / "bundle/model.safetensors")
    again = load_file(tmp_path / "new/model.safetensors")
    assert all(torch.equal(again[name], weights[name]) for name in weights)


def test_its_settings_can_be_others(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _add(monkeypatch, trained, tmp_path / "new", "--alike", "season", "--size", 4, "--epochs", 1)
    head = read_bundle(tmp_path / "new").similarity
    assert head is not None
    assert list(head.temperatures) == ["season"]
    assert head.size == 4 + 4


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--alike", "season,cut"], "no attribute 'cut'. Use some of articleType"),
        (["--epochs", "0"], "similarity.epochs=0: out of range"),
        (["--catalogue", "elsewhere.csv"], "data=catalogue"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    trained: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    told: str,
) -> None:
    with pytest.raises(SystemExit) as left:
        _add(monkeypatch, trained, tmp_path / "new", *arguments)
    assert left.value.code == 2
    assert told in capsys.readouterr().err.splitlines()[-1]
    assert not (tmp_path / "new").exists()


def test_a_folder_is_never_written_over(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        _add(monkeypatch, trained, tmp_path)
    assert "is there already" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# The run


def test_a_run_is_read_with_its_data_as_they_were(trained: Path) -> None:
    run = read_run(trained)
    assert {name: space.classes for name, space in run.data.spaces.items()} == {
        name: space.classes for name, space in run.bundle.spaces.items()
    }
    parts = {name: [run.data.ids[row] for row in rows] for name, rows in run.data.split.parts().items()}
    kept = [line.split(",") for line in (trained / "split.csv").read_text().splitlines()[1:]]
    assert all(id in parts[part] for id, part in kept)
    assert sum(map(len, parts.values())) == len(kept)


def test_what_is_no_finished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no finished run"):
        read_run(tmp_path)


def test_rows_that_were_split_otherwise_are_refused(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    split = tmp_path / "run/split.csv"
    split.write_text(split.read_text().replace(",test", ",train", 1))
    with pytest.raises(UserError, match="this one splits them otherwise"):
        read_run(tmp_path / "run")


def test_a_catalogue_that_has_changed_is_refused(trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "run")
    report = json.loads((tmp_path / "run/data_report.json").read_text())
    (tmp_path / "run/data_report.json").write_text(json.dumps(report | {"fingerprint": "0" * 64}))
    with pytest.raises(UserError, match="the catalogue has changed"):
        read_run(tmp_path / "run")
