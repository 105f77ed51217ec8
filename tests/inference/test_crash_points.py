"""Stopped at any side effect a job goes on to the same output: every fifth is tried, and every one with `-m slow`."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest

from fashionmt import storage
from fashionmt.config import PredictConfig
from fashionmt.errors import ExitCode, TakenError, UserError
from fashionmt.inference.interrupt import StoppedError
from fashionmt.inference.manifest import read_manifest
from fashionmt.inference.quarantine import read_records
from fashionmt.inference.run import tag_catalogue

DRIVER = Path(__file__).with_name("crash_driver.py")
TOP = Path(__file__).resolve().parents[2]
ROWS = 11
STOPPED = [
    ("crash", 137, "parquet"),
    ("crash", 137, "csv"),
    ("disk_full", 5, "parquet"),
    ("transient", 5, "parquet"),
]


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    """Rows that are tagged, repaired and quarantined, the latter in two of three parts."""
    lines = ["id,productDisplayName", *(f"{row},Blue Shirt {row}" for row in range(ROWS))]
    lines[3], lines[10] = '2,"Blue', "9,"
    path = tmp_path / "items.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def job(catalogue: Path, trained: Path) -> dict[str, Any]:
    return {
        "bundle": str(trained / "bundle"),
        "catalogue": str(catalogue),
        "batch_size": 2,
        "part_rows": 4,
        "max_bad_fraction": 0.5,
    }


def read_output(folder: Path) -> dict[str, Any]:
    """Everything in an output folder that is to be the same."""
    found: dict[str, Any] = {"files": sorted(path.name for path in folder.iterdir())}
    for path in folder.iterdir():
        if path.suffix == ".parquet":
            found[path.name] = (
                pyarrow.parquet.read_table(path).to_pylist(),
                pyarrow.parquet.read_schema(path).metadata,
            )
        elif path.suffix == ".jsonl":
            found[path.name] = list(read_records(path))
        elif path.suffix != ".lock" and path.name != "_manifest.json":
            found[path.name] = path.read_bytes()
    manifest = read_manifest(folder)
    assert manifest is not None
    manifest.totals.pop("speed", None)
    return found | {"manifest": manifest}


@pytest.mark.parametrize(
    ("how", "code", "form", "step"),
    [
        ("crash", 137, "parquet", 5),
        *(pytest.param(*case, 1, marks=pytest.mark.slow) for case in STOPPED),
    ],
)
def test_stopped_at_any_side_effect_a_job_comes_out_the_same(
    job: dict[str, Any], tmp_path: Path, how: str, code: int, form: str, step: int
) -> None:
    job["format"] = form
    golden = tmp_path / "golden"
    tag_catalogue(PredictConfig(**job, output=str(golden)))
    (tmp_path / "job.json").write_text(json.dumps(job))
    command = [sys.executable, str(DRIVER), str(tmp_path / "job.json"), how, str(tmp_path), str(step)]
    environment = os.environ | {"PYTHONPATH": str(TOP)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    places = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(places) > 30 / step
    assert places[-1]["codes"] == [0]
    for place in places[:-1]:
        assert place["codes"][0] == code, place
        assert place["codes"][-1] == 0, place
        assert read_output(tmp_path / f"{place['place']:03}") == read_output(golden), place


# What others leave in the folder


@pytest.fixture
def golden(job: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """A whole output."""
    tag_catalogue(PredictConfig(**job, output=str(tmp_path / "golden")))
    return read_output(tmp_path / "golden")


@pytest.fixture
def damaged(job: dict[str, Any], golden: dict[str, Any], tmp_path: Path) -> Path:
    """The same output, to be damaged."""
    shutil.copytree(tmp_path / "golden", tmp_path / "out")
    return tmp_path / "out"


def repaired(job: dict[str, Any], folder: Path) -> tuple[dict[str, Any], int]:
    """The output after the same command, and how many rows it made."""
    done = tag_catalogue(PredictConfig(**job, output=str(folder)))
    return read_output(folder), done["rows_done_now"]


def test_a_part_that_is_cut_or_gone_or_lacks_its_quarantine_is_made_again(
    job: dict[str, Any], golden: dict[str, Any], damaged: Path
) -> None:
    part = damaged / "part-00001-of-00003.parquet"
    part.write_bytes(part.read_bytes()[:-10])
    assert repaired(job, damaged) == (golden, 4)
    part.unlink()
    assert repaired(job, damaged) == (golden, 4)
    (damaged / "quarantine-00000-of-00003.jsonl").unlink()
    assert repaired(job, damaged) == (golden, 4)
    (damaged / "quarantine-00001-of-00003.jsonl").write_text("planted\n")
    assert repaired(job, damaged) == (golden, 4)


@pytest.mark.parametrize(("part", "finished"), [(0, True), (0, False), (2, False)])
def test_a_part_whose_content_is_damaged_is_named_and_made_again(
    job: dict[str, Any], golden: dict[str, Any], damaged: Path, part: int, finished: bool
) -> None:
    """Of a finished job the first part alone is read, to be shown."""
    path = damaged / f"part-{part:05}-of-00003.parquet"
    content = bytearray(path.read_bytes())
    start = pyarrow.parquet.read_metadata(path).row_group(0).column(1)
    content[start.dictionary_page_offset + start.total_compressed_size - 2] ^= 0xFF
    path.write_bytes(content)
    if not finished:
        (damaged / "_SUCCESS").unlink()
    with pytest.raises(UserError, match=rf"{path.name}: damaged \(.*\)\. It was removed: run the same command again"):
        repaired(job, damaged)
    assert not (damaged / "_SUCCESS").exists()
    assert repaired(job, damaged) == (golden, 4 if part == 0 else 3)


def test_a_part_of_another_job_or_place_is_made_again(
    job: dict[str, Any], golden: dict[str, Any], damaged: Path, tmp_path: Path
) -> None:
    tag_catalogue(PredictConfig(**{**job, "batch_size": 4}, output=str(tmp_path / "other")))
    name = "part-00001-of-00003.parquet"
    shutil.copy(tmp_path / "other" / name, damaged / name)
    assert repaired(job, damaged) == (golden, 4)
    shutil.copy(damaged / "part-00000-of-00003.parquet", damaged / name)
    assert repaired(job, damaged) == (golden, 4)


def test_success_alone_is_no_success(job: dict[str, Any], golden: dict[str, Any], damaged: Path) -> None:
    for path in damaged.glob("part-*"):
        path.unlink()
    assert repaired(job, damaged) == (golden, ROWS)


def test_a_damaged_manifest_is_told(job: dict[str, Any], golden: dict[str, Any], damaged: Path) -> None:
    (damaged / "_manifest.json").write_text("{")
    with pytest.raises(UserError, match="damaged"):
        repaired(job, damaged)
    assert repaired({**job, "overwrite": True}, damaged) == (golden, ROWS)


def test_two_processes_do_not_make_the_same_shard(job: dict[str, Any], golden: dict[str, Any], damaged: Path) -> None:
    with storage.held(damaged / ".shard-0-of-1.lock", 0) as ours:
        assert ours
        with pytest.raises(TakenError, match="another process is at it"):
            repaired(job, damaged)
    assert repaired(job, damaged) == (golden, 0)


def test_whoever_stops_a_job_that_overwrites_is_told_how_it_goes_on() -> None:
    told = "The same command without overwrite=true goes on where it was"
    assert told in str(StoppedError(ExitCode.INTERRUPTED, "tagging", True))


# Real signals


class Command:
    """`predict.py` in a process of its own, on many rows."""

    def __init__(self, folder: Path, trained: Path) -> None:
        self.folder = folder
        lines = ["id,productDisplayName", *(f"{row},Blue Shirt {row}" for row in range(30_000))]
        (folder / "many.csv").write_text("\n".join(lines) + "\n")
        options = ["catalogue=many.csv", "output=out", "batch_size=8", "part_rows=64", f"bundle={trained / 'bundle'}"]
        # A test run in a shell's background hands down that SIGINT is ignored: heed it again.
        heed = "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); del sys.argv[0]"
        run = f"{heed}; runpy.run_path(sys.argv[0], run_name='__main__')"
        self.command = [sys.executable, "-c", run, str(TOP / "predict.py"), *options]

    def start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            self.command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
        )

    def parts(self) -> int:
        return len(list(self.folder.glob("out/part-*")))

    def wait_for_more(self, parts: int) -> None:
        for _ in range(600):
            if self.parts() > parts:
                return
            time.sleep(0.1)
        raise AssertionError("no part in a minute")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_job_where_it_goes_on(tmp_path: Path, trained: Path, number: int, code: int) -> None:
    command = Command(tmp_path, trained)
    for _ in range(2):
        before = command.parts()
        process = command.start()
        command.wait_for_more(before)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == code, errors
        assert errors.strip().splitlines()[-1] == "fashionmt: tagging: stopped. The same command goes on where it was."
        assert not list(tmp_path.glob("out/.*.tmp"))
        assert not (tmp_path / "out" / "_SUCCESS").exists()
