"""A file that a catalogue names is looked for below a folder and nowhere else, in training and in tagging."""

import os
from pathlib import Path

from fashionmt.problems import Code, Problem


def find_contained(root: Path, name: str) -> Path | Problem:
    """The path below `root` that `name` stands for, or why there is none. Whether a file lies there is not looked at.

    Args:
        root: a folder's resolved path.
        name: anything at all.
    """
    if not _is_file_name(name):
        return Problem(Code.IMAGE_NOT_FOUND, "names a picture with a NUL byte or a character that no file name has")
    plain = root / name
    if name == plain.name != ".." and not os.path.islink(plain):
        return plain  # directly in the folder: nothing to resolve, and most catalogues are so
    # Path.resolve follows links too, so neither "..", an absolute path nor a link leads out of the folder.
    # Past a loop of links it gives up with ".." and links still in: a second pass then differs, or it raises.
    try:
        file = plain.resolve()
        looped = file.resolve() != file
    except RuntimeError:
        looped = True
    if looped:
        return Problem(Code.IMAGE_NOT_REGULAR_FILE, "names a picture behind a loop of links")
    if not file.is_relative_to(root) or file == root:
        return Problem(Code.IMAGE_OUTSIDE_ROOT, "names a picture outside the picture folder")
    return file


def _is_file_name(name: str) -> bool:
    """Whether the system can be asked for it: a lone surrogate cannot be encoded, a NUL byte ends a name."""
    try:
        return b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:
        return False
