"""The files that a command names: one, several, a pattern, a folder of pictures, or the standard input."""

import atexit
import glob
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from fashionmt.errors import UserError
from fashionmt.inference.pictures import check_pictures

STDIN = "-"


def input_files(catalogues: Sequence[str], stdin_format: str) -> dict[str, Path]:
    """What each file is called in messages and outputs -> the file, in the order of the names given, those of a pattern
    by their names. Raises `UserError` where there is none, or a folder."""
    _check_files(catalogues)
    if STDIN in catalogues:
        if len(catalogues) > 1:
            raise UserError("catalogue", "- beside other files", "Give the standard input by itself")
        return {"stdin": _spooled(stdin_format)}
    paths = [path for name in catalogues for path in _matched(name)]
    twice = sorted({str(path) for path in paths if paths.count(path) > 1})
    if twice:
        raise UserError("catalogue", f"names {', '.join(twice[:3])} twice", "Name each file once")
    return {str(path): path for path in paths}


def check_named(catalogues: Sequence[str], images: str | None) -> None:
    """Raise `UserError` for a file that is not there, or a folder beside other files: what can be known before a model
    is read, which takes seconds."""
    check_pictures(images)
    _check_files(catalogues)
    for name in catalogues:
        if name != STDIN and not glob.has_magic(name) and not Path(name).exists():
            raise UserError(name, "no such catalogue", "Check the path")


def _check_files(catalogues: Sequence[str]) -> None:
    for name in catalogues:
        if len(catalogues) > 1 and Path(name).is_dir():
            raise UserError(name, "a folder, beside other catalogues", "Tag a folder of pictures by itself")


def _matched(name: str) -> list[Path]:
    if Path(name).exists() or not glob.has_magic(name):
        return [Path(name)]
    found = sorted(Path(file) for file in glob.glob(name, recursive=True) if Path(file).is_file())
    if not found:
        raise UserError(f"catalogue={name}", "no file matches", "Check the pattern")
    return found


def _spooled(stdin_format: str) -> Path:
    """A copy of the standard input: parts are read from their own places, and a stream has none."""
    folder = Path(tempfile.mkdtemp(prefix="fashionmt-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / f"stdin.{stdin_format}"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    return path
