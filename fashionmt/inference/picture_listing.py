"""A folder of pictures as a catalogue: an item a picture, its id the path below the folder, in the order of the ids."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from fashionmt.data.tables import BadRow, Place, Scanned, TableRow
from fashionmt.errors import UserError
from fashionmt.problems import Code, Problem

ID = "file"


class PictureListing:
    """Reads like a `Table` of one column."""

    columns = (ID,)

    def __init__(self, folder: Path, formats: Sequence[str]) -> None:
        """`formats`: Pillow's names of those that count, by their usual suffixes. Raises `UserError` where there is no
        such file."""
        self.path = folder
        suffixes = {suffix for suffix, name in Image.registered_extensions().items() if name in formats}
        self.names = sorted(_files(folder, suffixes))
        if not self.names:
            kinds = ", ".join(sorted(suffixes))
            raise UserError(f"catalogue={folder}", f"a folder without pictures ({kinds})", "Name another, or a file")

    def scan(self, start: Place | None = None) -> Iterator[Scanned]:
        """Every picture from `start` on."""
        for i in range(start.offset if start is not None else 0, len(self.names)):
            yield Place(i, i + 1), self._row(i + 1, self.names[i])

    def _row(self, number: int, name: str) -> TableRow | BadRow:
        try:
            name.encode()
        except UnicodeEncodeError:
            return BadRow.of(number, Problem(Code.ROW_NOT_UTF8, "a file's name that is not UTF-8"), os.fsencode(name))
        return TableRow(number, {ID: name})

    def digest(self) -> str:
        """sha256 of the names."""
        return hashlib.sha256("\0".join(self.names).encode(errors="surrogateescape")).hexdigest()


def _files(folder: Path, suffixes: set[str]) -> Iterator[str]:
    """Paths below `folder`, with slashes. Links to folders are not followed: they can lead in circles."""
    for root, _, names in os.walk(folder):
        below = Path(root).relative_to(folder)
        for name in names:
            if os.path.splitext(name)[1].lower() in suffixes:
                yield (below / name).as_posix()
