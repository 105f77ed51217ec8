"""Figures that take seconds to make and are asked for at every rendering: kept in a file while what made them is the
same."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fashionmt.training.report import write_json

METHOD = 2
"""Goes up whenever the same answers would give other figures."""


def kept(path: Path, made_of: Any, make: Callable[[], Any]) -> Any:
    """What `path` keeps, where it was made of the same; else what `make()` returns, kept there now.

    `made_of`: JSON that names all that goes in, files by `digest`. A file that is damaged is made again.
    """
    key = hashlib.sha256(json.dumps([METHOD, made_of], sort_keys=True).encode()).hexdigest()
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        if stored["made_of"] == key:
            return stored["figures"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    figures = make()
    write_json(path, {"made_of": key, "figures": figures})
    return figures


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
