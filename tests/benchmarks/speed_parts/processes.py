"""Commands run as a user's shell runs them: how long they take, and what they hold of memory."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from speed_parts.settings import TOP

POLLED = 0.02
"""Seconds between two looks at a process's memory."""


@dataclass(frozen=True)
class Ran:
    """A command that has ended well."""

    stdout: str
    seconds: float
    """From the process's start to its end."""
    peak_mb: float
    """The most that it held in memory, files that are mapped and can be read again included."""
    peak_anon_mb: float
    """The most without these (`RssAnon`)."""


def run(command: Sequence[str], folder: Path) -> Ran:
    """Run it in `folder`, on this checkout's package. Raises `SystemExit` where it fails."""
    environment = os.environ | {"PYTHONPATH": str(TOP)}
    with (folder / "stdout").open("w+") as out, (folder / "stderr").open("w+") as err:
        began = time.perf_counter()
        process = subprocess.Popen(list(command), cwd=folder, stdout=out, stderr=err, env=environment)
        peak = anon = 0.0
        while process.poll() is None:
            held = memory(process.pid)
            peak, anon = max(peak, held.get("VmHWM", 0)), max(anon, held.get("RssAnon", 0))
            try:
                process.wait(POLLED)
            except subprocess.TimeoutExpired:
                continue
        ended = time.perf_counter()
        if process.returncode:
            err.seek(0)
            raise SystemExit(f"{' '.join(command)[:200]}\n{err.read()[-2000:]}")
        out.seek(0)
        return Ran(out.read(), ended - began, peak, anon)


def python(*arguments: str | Path) -> list[str]:
    """The command of this interpreter."""
    return [sys.executable, *map(str, arguments)]


def memory(process: int | str) -> dict[str, float]:
    """Megabytes by the names of proc(5); empty for a process that is gone."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines if line.endswith(" kB"))
    return {name.rstrip(":"): int(kilobytes) / 1000 for name, kilobytes, _ in fields}
