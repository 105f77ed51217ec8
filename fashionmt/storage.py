"""What batch tagging, an index of items and cached features do to the disk, and nowhere else: tests stop the process
before each effect.

A file appears under its name when it is whole and on the disk: it is written beside, synced and renamed.
"""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from fashionmt.errors import ResourceError

before: Callable[[str, Path], None] = lambda effect, path: None  # noqa: E731
"""Is told of each effect before it happens."""


def make_folder(folder: Path) -> None:
    """With those above it."""
    if not folder.is_dir():
        with _told("make folder", folder):
            folder.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def publishing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, which gets its name at the end; nothing stays of it after an exception."""
    unfinished = unfinished_name(path)
    try:
        with _told("open", unfinished):
            raw = _Raw(unfinished, "wb")
        with io.BufferedWriter(raw) as file:
            yield file
            file.flush()
            with _told("sync", unfinished):
                os.fsync(raw.fileno())
        with _told("rename", path):
            unfinished.replace(path)
    except BaseException:
        with contextlib.suppress(OSError, ResourceError):
            remove(unfinished)
        raise
    _sync_folder(path.parent)


def publish(path: Path, content: bytes) -> None:
    """A whole file at once."""
    with publishing(path) as file:
        file.write(content)


def remove(path: Path) -> None:
    """Where it is there."""
    if path.exists():
        with _told("remove", path):
            path.unlink(missing_ok=True)


def unfinished_name(path: Path) -> Path:
    """Under which `path` is written. One process at a time writes a file: see `held`."""
    return path.with_name(f".{path.name}.tmp")


@contextlib.contextmanager
def held(path: Path, seconds: float) -> Iterator[bool]:
    """Whether the lock at `path` could be had within `seconds`. The system frees it where its process dies."""
    lock = FileLock(path, timeout=seconds)
    try:
        with _told("lock", path):
            lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


def _sync_folder(folder: Path) -> None:
    """So that a rename outlives a power cut."""
    with _told("sync folder", folder):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


class _Raw(io.FileIO):
    """Tells of every write."""

    def write(self, content: Any) -> int:
        path = Path(str(self.name))
        with _told("write", path):
            return super().write(content)


@contextlib.contextmanager
def _told(effect: str, path: Path) -> Iterator[None]:
    """Raises `ResourceError` where the effect fails."""
    try:
        before(effect, path)
        yield
    except Timeout:
        raise
    except OSError as error:
        repair = "See to it; the same command then goes on where it was"
        raise ResourceError(str(path), f"{effect}: {error.strerror or error}", repair) from error
