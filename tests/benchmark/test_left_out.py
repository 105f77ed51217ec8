"""A row that cannot be shown does not take the others with it, and is named; a copy is no seed more."""

import errno
import shutil
from pathlib import Path

import pytest
from made_up import WriteRow

from fashionmt.benchmark.folder import RowFolder, read_failures, read_result
from fashionmt.benchmark.lines import read_lines
from fashionmt.benchmark.row import row_recorded
from fashionmt.benchmark.table import write_tables
from fashionmt.config import BenchmarkConfig
from fashionmt.errors import ExitCode, ResourceError, RowFailedError, UserError


def rendered(folder: Path) -> str:
    return write_tables(folder)[0].read_text()


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("benchmark.json", b""),
        ("benchmark.json", b"[]"),
        ("benchmark.json", b"{}"),
        ("benchmark.json", b"\xff\xfe"),
        ("predictions.parquet", b""),
        ("predictions.parquet", None),
    ],
)
def test_a_damaged_row_is_named_and_the_others_are_shown(
    write_row: WriteRow, tmp_path: Path, file: str, content: bytes | None
) -> None:
    write_row("sound")
    path = write_row("other") / file
    path.write_bytes(path.read_bytes()[:-50] if content is None else content)
    told = rendered(tmp_path).split("## Rows left out\n")[1]
    assert "| other |" in told
    assert f"{file}: damaged. Remove the folder, and run the row again." in told
    assert [line.name for line in read_lines(tmp_path)[0]] == ["sound"]


def test_sound_rows_are_all_shown(write_row: WriteRow, tmp_path: Path) -> None:
    write_row("net")
    write_row("net", seed=1)
    assert "Rows left out" not in rendered(tmp_path)


def test_a_copy_of_a_row_is_no_seed_more(write_row: WriteRow, tmp_path: Path) -> None:
    """Whichever comes first by name; the one that is called as the row is shown."""
    folder = write_row("net")
    for name in ("a_copy", "z_copy"):
        shutil.copytree(folder, tmp_path / name)
    (line,), _ = read_lines(tmp_path)
    assert [row.folder.name for row in line.rows] == ["net"]
    told = rendered(tmp_path).split("## Rows left out\n")[1]
    assert "| a_copy | a copy of net |" in told
    assert "| z_copy | a copy of net |" in told
    shutil.rmtree(folder)
    (line,), _ = read_lines(tmp_path)
    assert [row.folder.name for row in line.rows] == ["a_copy"]


def test_a_row_tells_its_own_error_beside_a_damaged_one(write_row: WriteRow, tmp_path: Path) -> None:
    (write_row("other") / "benchmark.json").write_text("")
    with pytest.raises(RowFailedError) as told, row_recorded(BenchmarkConfig(row="net", folder=str(tmp_path)), 0):
        raise UserError("catalogue", "is not there", "Name another")
    assert told.value.reason == "catalogue: is not there. Name another."


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserError("catalogue", "is not there", "Name another"), ExitCode.USER_ERROR),
        (ResourceError("cache", "is full", "Free some"), ExitCode.RESOURCES),
        (MemoryError(), ExitCode.RESOURCES),
        (OSError(errno.ENOSPC, "No space left on device"), ExitCode.RESOURCES),
        (ZeroDivisionError(), ExitCode.OUR_FAULT),
    ],
)
def test_a_row_that_fails_ends_its_command_as_any_other(tmp_path: Path, error: Exception, code: ExitCode) -> None:
    with pytest.raises(RowFailedError) as told, row_recorded(BenchmarkConfig(row="net", folder=str(tmp_path)), 0):
        raise error
    assert told.value.code == code


def test_a_damaged_failure_is_one_still(write_row: WriteRow, tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/failed.json").write_text("{")
    assert read_failures(tmp_path) == [{"row": "net", "reason": "failed.json is damaged"}]
    assert "| net | failed.json is damaged |" in rendered(tmp_path)


def test_a_damaged_row_that_is_run_again_says_so(tmp_path: Path) -> None:
    (tmp_path / "net").mkdir()
    (tmp_path / "net/benchmark.json").write_text("{")
    with pytest.raises(UserError, match=r"benchmark\.json: damaged\. Remove the folder"):
        read_result(RowFolder(tmp_path / "net"))
