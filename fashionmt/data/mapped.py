"""Arrays of every item that lie on the disk, so that a catalogue may be larger than memory."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", bound=np.generic)


def mapped(array: npt.NDArray[Number], folder: Path) -> npt.NDArray[Number]:
    """The same numbers, mapped from a file in `folder` that nobody else sees and that is gone with the process.

    Written, not mapped to be written: on a full disk a write is an error, and a mapped page is a crash.
    """
    with unseen_file(folder) as file:
        file.write(np.ascontiguousarray(array).data)
        return _read(file, array.dtype, array.shape)


def mapped_ends(parts: Iterable[tuple[npt.NDArray[Any], ...]], folder: Path) -> tuple[npt.NDArray[Any], ...]:
    """Arrays of one axis that come in parts, each laid end to end as `mapped` has it: never all of one in memory.
    `parts`: one or more, and of each array its part."""
    files: list[IO[bytes]] = []
    kinds: list[np.dtype[Any]] = []
    try:
        for arrays in parts:
            if not files:
                files, kinds = [unseen_file(folder) for _ in arrays], [array.dtype for array in arrays]
            for file, array in zip(files, arrays, strict=True):
                file.write(np.ascontiguousarray(array).data)
        return tuple(_read(file, kind, (-1,)) for file, kind in zip(files, kinds, strict=True))
    finally:
        for file in files:
            file.close()


def unseen_file(folder: Path) -> IO[bytes]:
    """A new file in `folder` without a name, gone when it is closed and no longer mapped."""
    folder.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=folder)


def _read(file: IO[bytes], kind: np.dtype[Any], shape: tuple[int, ...]) -> npt.NDArray[Any]:
    file.flush()
    # An empty file cannot be mapped.
    found: npt.NDArray[Any] = np.memmap(file, kind, "r") if file.tell() else np.zeros(0, kind)
    return found.reshape(shape)
