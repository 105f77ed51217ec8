"""Where things lie: the config folder of this installation, the cache of this user, the runs of this folder."""

import os
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent


def conf_dir() -> Path:
    """The folder of YAML configs: inside the package in a wheel, beside it in a checkout or editable install."""
    inside = PACKAGE / "conf"
    return inside if inside.is_dir() else PACKAGE.parent / "conf"


def cache_dir() -> Path:
    """The folder for what can be made again (decoded pictures, the sample catalogue); `FASHIONMT_CACHE` moves it."""
    if chosen := os.environ.get("FASHIONMT_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "fashionmt"


def newest_bundle(runs: Path) -> Path | None:
    """The bundle that was written last under `runs`, or None."""
    found = sorted(runs.glob("train/*/*/bundle/bundle.json"), key=lambda path: path.stat().st_mtime)
    return found[-1].parent if found else None
