"""Arrays of every item that lie on the disk, so that a catalogue may be larger than memory."""

import tempfile
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", bound=np.generic)


def mapped(array: npt.NDArray[Number], folder: Path) -> npt.NDArray[Number]:
    """The same numbers, mapped from a file in `folder` that nobody else sees and that is gone with the process.

    Written, not mapped to be written: on a full disk a write is an error, and a mapped page is a crash.
    """
    if array.size == 0:  # an empty file cannot be mapped
        return array
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(np.ascontiguousarray(array).data)
        file.flush()
        kept: np.memmap[Any, Any] = np.memmap(file, array.dtype, "r", shape=array.shape)
    return kept
