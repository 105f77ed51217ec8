"""Runs a tagging job again and again, each time stopped before another side effect, and then to its end.

By itself a program: it forks, and a process that has run other tests has threads that do not outlive a fork.
`python crash_driver.py <config.json> <how> <folder> <step>`; prints a line of JSON for each place.
"""

import errno
import json
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from fashionmt import storage
from fashionmt.config import PredictConfig
from fashionmt.errors import UserError
from fashionmt.inference import run as tagging
from fashionmt.inference.run import tag_catalogue

KILLED = 137
MOST = 400  # places; a job that has more, or that never ends, fails the test

Stop = Callable[[int, int], None]
"""Is told of the place and of the effect's number, both from 1."""


def crash(place: int, effect: int) -> None:
    """The process is gone."""
    if effect == place:
        os._exit(KILLED)


def disk_full(place: int, effect: int) -> None:
    """From here on nothing can be written."""
    if effect >= place:
        raise OSError(errno.ENOSPC, "No space left on device")


def transient(place: int, effect: int) -> None:
    """One input/output error."""
    if effect == place:
        raise OSError(errno.EIO, "Input/output error")


HOWS: dict[str, Stop] = {"crash": crash, "disk_full": disk_full, "transient": transient}


def run(config: dict[str, Any], stop: Stop | None, place: int) -> int:
    """The exit code of the job in a process of its own."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status)
    effects = 0

    def before(effect: str, path: Path) -> None:
        nonlocal effects
        effects += 1
        if stop is not None:
            stop(place, effects)

    storage.before = before
    try:
        tag_catalogue(PredictConfig(**config))
    except UserError as error:
        os._exit(int(error.code))
    except BaseException as error:  # a test that asks for a code sees another
        sys.stderr.write(f"{error!r}\n")
        os._exit(1)
    os._exit(0)


def main() -> None:
    """Every `step`th place, and each also with a crash while resuming."""
    config, stop, folder = json.loads(Path(sys.argv[1]).read_text()), HOWS[sys.argv[2]], Path(sys.argv[3])
    step = int(sys.argv[4])
    # Read once: the children, hundreds, have it from here.
    bundle, digest = tagging.read_bundle(Path(config["bundle"])), tagging.bundle_digest(Path(config["bundle"]))
    tagging.read_bundle, tagging.bundle_digest = lambda _, build: bundle, lambda _: digest  # type: ignore[assignment]
    for place in range(1, MOST, step):
        config["output"] = str(folder / f"{place:03}")
        codes = [run(config, stop, place)]
        if codes[0] == 0:
            print(json.dumps({"place": place, "codes": codes}))
            return
        if sys.argv[2] == "crash":
            codes.append(run(config, crash, 1 + place % 7))  # the resumed job dies as well, early on
        codes.append(run(config, None, 0))
        print(json.dumps({"place": place, "codes": codes}))
    raise SystemExit(f"not survived at {MOST} places")


if __name__ == "__main__":
    torch.set_num_threads(1)  # threads of OpenMP do not outlive a fork
    warnings.simplefilter("ignore", DeprecationWarning)
    main()
