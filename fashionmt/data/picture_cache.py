"""Every picture of a catalogue, decoded once into a memory-mapped file, keyed by content and by preprocessing."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import PIL
from tqdm import tqdm

from fashionmt.config import PreprocessConfig
from fashionmt.data.mapped import mapped
from fashionmt.data.mapped_texts import MappedTexts
from fashionmt.data.preprocess import DECODING, PictureError, Pixels, decode_picture, read_encoded

ABSENT = "no such file"
NO_ROW = -1
CHUNK = 1024
WORKERS = min(8, os.cpu_count() or 1)  # Pillow frees the interpreter while it decodes, so threads do
In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True)
class PictureCache:
    """Decoded pictures and which item shows which."""

    pixels: npt.NDArray[np.uint8]
    """Memory-mapped, (distinct pictures, H, W, 3), RGB."""
    row: npt.NDArray[np.int64]
    """(items,): an item's row in `pixels`, or `NO_ROW`."""
    digests: Sequence[str | None]
    """Per item: SHA-256 of its picture file, or None where no file could be read."""
    problems: Sequence[str | None]
    """Per item: why a named picture has no row, or None."""

    def take(self, items: Sequence[int] | npt.NDArray[np.int64]) -> "PictureCache":
        """The same cache for some of the items, in that order."""
        chosen = self.row[np.asarray(items, dtype=np.int64)]
        digests, problems = [self.digests[i] for i in items], [self.problems[i] for i in items]
        return PictureCache(self.pixels, chosen, digests, problems)

    def mapped(self, folder: Path) -> "PictureCache":
        """The same, all of it on the disk (`fashionmt.data.mapped`)."""
        digests, problems = MappedTexts.written(self.digests, folder), MappedTexts.written(self.problems, folder)
        return PictureCache(self.pixels, mapped(self.row, folder), digests, problems)


def open_pictures(paths: Sequence[Path | None], config: PreprocessConfig, folder: Path) -> PictureCache:
    """The decoded pictures of `paths` (None: the item names none), from the cache in `folder` or decoded now."""
    read = list(_progress(_in_threads(_read_digest, paths), len(paths), "reading pictures"))
    digests = [digest for digest, _ in read]
    first_file = {digest: path for digest, path in zip(digests, paths, strict=True) if digest and path}
    stored = _open_or_decode(first_file, config, folder)
    rows = [stored.rows.get(digest, NO_ROW) if digest else NO_ROW for digest in digests]
    problems = [problem or stored.problems.get(digest or "") for digest, problem in read]
    return PictureCache(stored.pixels, np.array(rows, dtype=np.int64), digests, problems)


def _read_digest(path: Path | None) -> tuple[str | None, str | None]:
    """(SHA-256, None), or (None, why there is none)."""
    if path is None:
        return None, None
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest(), None
    except FileNotFoundError:
        return None, ABSENT
    except OSError as error:
        return None, f"unreadable file ({error.strerror})"


@dataclass(frozen=True)
class _Stored:
    pixels: npt.NDArray[np.uint8]
    rows: dict[str, int]
    problems: dict[str, str]


def decoded_fingerprint(digests: Sequence[str | None], config: PreprocessConfig) -> str:
    """SHA-256 of all that the pixels of the pictures `digests` depend on, in their order."""
    identity = json.dumps([DECODING, PIL.__version__, asdict(config), digests])
    return hashlib.sha256(identity.encode()).hexdigest()


def _open_or_decode(files: dict[str, Path], config: PreprocessConfig, folder: Path) -> _Stored:
    stem = folder / f"pictures-{decoded_fingerprint(sorted(files), config)[:16]}"
    data, index = stem.with_suffix(".u8"), stem.with_suffix(".json")
    if not index.exists():
        _decode_all(files, config, data, index)
    known: dict[str, Any] = json.loads(index.read_text())
    shape = (len(known["rows"]), config.height, config.width, 3)
    # An empty file cannot be mapped.
    pixels = np.memmap(data, np.uint8, "r", shape=shape) if shape[0] else np.zeros(shape, np.uint8)
    return _Stored(pixels, known["rows"], known["problems"])


def _decode_all(files: dict[str, Path], config: PreprocessConfig, data: Path, index: Path) -> None:
    """Write the pixels one after another, then the index: its presence is the commit.

    Written, not mapped: on a full disk a write is an error, and a mapped page is a crash.
    """
    data.parent.mkdir(parents=True, exist_ok=True)
    rows: dict[str, int] = {}
    problems: dict[str, str] = {}
    unfinished = data.with_suffix(f".{os.getpid()}.tmp")

    def decode(item: tuple[str, Path]) -> tuple[str, Pixels | str]:
        try:
            return item[0], decode_picture(read_encoded(item[1], config), config)
        except PictureError as error:  # an OSError may pass: it must not be remembered
            return item[0], str(error)

    try:
        with unfinished.open("wb") as out:
            decoded = _in_threads(decode, sorted(files.items()))
            for digest, result in _progress(decoded, len(files), "decoding pictures"):
                if isinstance(result, str):
                    problems[digest] = result
                else:
                    rows[digest] = len(rows)
                    out.write(result.tobytes())
        unfinished.replace(data)
        unfinished.write_text(json.dumps({"rows": rows, "problems": problems}))
        unfinished.replace(index)
    finally:
        unfinished.unlink(missing_ok=True)


def _in_threads(function: Callable[[In], Out], items: Sequence[In]) -> Iterator[Out]:
    """`map` in threads, in order; a chunk at a time, so that results do not pile up in memory."""
    with ThreadPoolExecutor(WORKERS) as pool:
        for start in range(0, len(items), CHUNK):
            yield from pool.map(function, items[start : start + CHUNK])


def _progress(items: Iterable[Out], total: int, what: str) -> Iterable[Out]:
    shown: Iterable[Out] = tqdm(items, total=total, desc=what, unit=" pictures", delay=1.0, disable=None)
    return shown
