"""`index.json`: what an index holds and which bundle made its vectors. It is written last, and all at once."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from fashionmt.errors import UserError
from fashionmt.storage import publish

FORMAT = 1
NAME = "index.json"
MAX_BYTES = 50_000_000
FILES = re.compile(r"(segment-\d{5}\.(safetensors|parquet)|approximate-\d{5}\.safetensors)")
"""What else lies in an index: no name leads out of its folder."""


@dataclass(frozen=True)
class BundleMark:
    """What tells the bundle whose vectors an index holds."""

    name: str
    """Its folder, as people wrote it."""
    digest: str
    """sha256, as `bundle.bundle_digest` gives it."""

    def __str__(self) -> str:
        return f"{self.name} ({self.digest[:12]})"


@dataclass(frozen=True)
class Segment:
    """Items that were added together: `<name>.safetensors` holds their vectors, `<name>.parquet` all else."""

    name: str
    rows: int
    source: str
    """The fingerprint of the job that tagged them, or what else says where they are from."""
    images: str | None
    """Where their pictures lie; None: nowhere."""
    sha256: Mapping[str, str]
    """File -> digest."""


@dataclass(frozen=True)
class Approximate:
    """How faiss searches: see `approximate.py`."""

    file: str
    sha256: str
    lists: int
    probes: int
    """Lists that a query looks through."""
    recall: float
    """Of the ten nearest by exact search, the share found."""
    queries: int
    """Items that this was measured with."""


@dataclass(frozen=True)
class Description:
    """An index without its items."""

    bundle: BundleMark
    size: int
    """E, numbers of a vector."""
    embedding: str
    """What the vectors are: fused, or head."""
    attributes: Sequence[str]
    segments: Sequence[Segment] = ()
    items: int = 0
    """That can be found: a replaced item lies in its segment still, and is not counted."""
    approximate: Approximate | None = None

    def write(self, folder: Path) -> None:
        """All or nothing."""
        content = {"format": FORMAT} | asdict(self)
        publish(folder / NAME, json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")

    def with_segments(self, segments: Sequence[Segment], items: int) -> "Description":
        """After adding."""
        return replace(self, segments=[*self.segments, *segments], items=items)


def newest_index(runs: Path) -> Path | None:
    """The index that was written last under `runs`, or None."""
    found = sorted(runs.glob(f"index/*/{NAME}"), key=lambda path: path.stat().st_mtime)
    return found[-1].parent if found else None


def read_description(folder: Path) -> Description:
    """Raises `UserError` where there is none, or one that is damaged or of another format."""
    path = folder / NAME
    if not path.is_file() or path.stat().st_size > MAX_BYTES:
        raise UserError(f"index={folder}", f"holds no {NAME}", "Make one with task=index, or check the path")
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        version = stored.pop("format")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise damaged(folder, f"{NAME} is truncated or no index's ({error!r:.80})") from error
    if version != FORMAT:
        wrong = f"format {version!r}, and this fashionmt reads format {FORMAT}"
        raise UserError(f"index={folder}", wrong, "Upgrade fashionmt, or make the index again")
    try:
        return _checked(stored)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(folder, f"{NAME} was changed ({error!r:.100})") from error


def _checked(stored: dict[str, Any]) -> Description:
    """Raises `ValueError`, `KeyError`, `TypeError` or `AttributeError` for what no index holds."""
    segments = [Segment(**each) for each in stored.pop("segments")]
    approximate = stored.pop("approximate")
    described = Description(
        BundleMark(**stored.pop("bundle")),
        segments=segments,
        approximate=None if approximate is None else Approximate(**approximate),
        **stored,
    )
    files = [file for segment in segments for file in segment.sha256]
    files += [described.approximate.file] if described.approximate else []
    for file in files:
        if not FILES.fullmatch(file):
            raise ValueError(f"lists the unknown file {file!r}")
    numbers = [described.size, described.items, *(segment.rows for segment in segments)]
    if any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(f"{numbers} are no counts")
    if len(set(files)) != len(files) or any(set(each.sha256) != set(segment_files(each.name)) for each in segments):
        raise ValueError("its segments are not those of an index")
    if not all(isinstance(name, str) for name in described.attributes):
        raise ValueError(f"{described.attributes!r} are no attributes")
    return described


def segment_files(name: str) -> tuple[str, str]:
    """(vectors, all else)."""
    return f"{name}.safetensors", f"{name}.parquet"


def damaged(folder: Path, wrong: str) -> UserError:
    """For what was there and is not any more."""
    return UserError(f"index={folder}", wrong, "Copy the index again, or make it again with task=index")


def checked_bytes(folder: Path, file: str, digest: str) -> bytes:
    """A file's content. Raises `UserError` where it is not what was written."""
    path = folder / file
    if not path.is_file():
        raise damaged(folder, f"{file} is missing")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != digest:
        raise damaged(folder, f"{file} is truncated or was changed")
    return content
