"""Twenty times `kill -9` at random moments, and the output is the unbroken one. `python -m pytest -m slow` runs it."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

TOP = Path(__file__).resolve().parents[2]
KILLS, ROWS = 20, 12_000

pytestmark = pytest.mark.slow


def test_twenty_kills_lose_and_repeat_nothing(tmp_path: Path, trained: Path) -> None:
    lines = ["id,productDisplayName"]
    lines += [f'{row},"Blue' if row % 97 == 0 else f"{row},Blue Shirt {row % 50}" for row in range(ROWS)]
    (tmp_path / "items.csv").write_text("\n".join(lines) + "\n")
    options = ["catalogue=items.csv", "batch_size=16", "part_rows=64", f"bundle={trained / 'bundle'}"]
    command = [sys.executable, str(TOP / "predict.py"), *options]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run([*command, "output=whole"], cwd=tmp_path, check=True, capture_output=True, env=environment)
    random.seed(0)
    for _ in range(KILLS):
        process = subprocess.Popen(
            [*command, "output=killed"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        before = len(list(tmp_path.glob("killed/part-*")))
        for _ in range(600):
            if len(list(tmp_path.glob("killed/part-*"))) > before or process.poll() is not None:
                break
            time.sleep(0.05)
        time.sleep(random.random())
        process.kill()
        process.wait()
    subprocess.run([*command, "output=killed"], cwd=tmp_path, check=True, capture_output=True, env=environment)
    names = sorted(path.name for path in (tmp_path / "whole").iterdir())
    assert sorted(path.name for path in (tmp_path / "killed").iterdir()) == names
    for name in names:
        whole, killed = tmp_path / "whole" / name, tmp_path / "killed" / name
        if name.endswith(".parquet"):
            assert pd.read_parquet(whole).equals(pd.read_parquet(killed)), name
        elif name != "_manifest.json":
            assert whole.read_bytes() == killed.read_bytes(), name
