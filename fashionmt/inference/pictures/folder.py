"""Pictures in a folder."""

import errno
import os
import stat
from pathlib import Path

from fashionmt.data.contained import find_contained
from fashionmt.errors import UserError
from fashionmt.inference.pictures.source import PictureLimits, PictureRefused, read_declared
from fashionmt.problems import Code, Problem

# Not blocking: opening a named pipe would wait for someone to write. No link is followed: those that may be were
# resolved, so one that is there now came in between. Some systems lack some of these.
FLAGS = os.O_RDONLY | sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_NOCTTY", "O_BINARY"))
CODES = {
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG), Code.IMAGE_NOT_FOUND),
    **dict.fromkeys((errno.ELOOP, errno.EISDIR, errno.ENXIO), Code.IMAGE_NOT_REGULAR_FILE),  # ENXIO: a socket
}
"""What it means that a file cannot be opened; anything else is `IMAGE_READ_FAILED`."""


class FolderPictures:
    """Files by their path below a folder; never one from outside of it, whatever the name."""

    def __init__(self, root: Path, limits: PictureLimits) -> None:
        """Raises `UserError` where `root` is not a folder."""
        if not root.is_dir():
            raise UserError(f"images={root}", "no such folder", "Check images=<folder>")
        self.root = root.resolve()
        self.limits = limits

    def read(self, name: str) -> bytes:
        """A file's bytes. Raises `PictureRefused`."""
        found = find_contained(self.root, name)
        if isinstance(found, Problem):
            raise PictureRefused(found)
        try:
            return _read_regular(found, self.limits.max_bytes)
        except OSError as error:
            code = CODES.get(error.errno or 0, Code.IMAGE_READ_FAILED)
            told = "no such file" if code is Code.IMAGE_NOT_FOUND else error.strerror or error
            raise PictureRefused.of(code, told) from None

    def close(self) -> None:
        """Nothing is open between two pictures."""


def _read_regular(path: Path, max_bytes: int) -> bytes:
    with open(path, "rb", opener=lambda name, _: os.open(name, FLAGS)) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise PictureRefused.of(Code.IMAGE_NOT_REGULAR_FILE, "not a regular file")
        return read_declared(file, found.st_size, max_bytes)
