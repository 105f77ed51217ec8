"""The benchmark as its user meets it: one command, the rows that fail named at its end."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import SMALL, TOP

SIZE = [*SMALL, "data=sample", "limit_items=100", "benchmark.draws=20"]


def run(cache: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"FASHIONMT_CACHE": str(cache), "PYTHONPATH": str(TOP)}
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )


def test_a_multirun_goes_past_a_row_that_fails_and_names_it_at_the_end(tmp_path: Path, cache: Path) -> None:
    # 100 items are one block of 500 ids, which cannot be split.
    rows = "+experiment/benchmark=glob([block_linear,family_majority,family_words])"
    done = run(cache, tmp_path, str(TOP / "train.py"), "-m", rows, *SIZE)
    assert done.returncode == 2, done.stderr
    told = done.stderr.strip().splitlines()[-1]
    assert told.startswith("fashionmt: runs/benchmark: this row has failed: block_linear. block_linear: split")
    assert "Traceback" not in done.stderr
    assert (tmp_path / "runs/benchmark/family_words/benchmark.json").is_file()
    assert "label words" in (tmp_path / "runs/benchmark/table.md").read_text()
    assert [path.name for path in (tmp_path / "runs").iterdir() if path.name != "benchmark"] == ["sweep"]
