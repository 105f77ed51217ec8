"""`_manifest.json`: what an output folder is made from and how it is cut into parts; a folder's first file.

Two processes that are to make the same output write the same manifest, whichever is first.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fashionmt.errors import UserError
from fashionmt.storage import publish

FORMAT = 1
NAME, SUCCESS = "_manifest.json", "_SUCCESS"


@dataclass(frozen=True)
class InputFile:
    """A file of items."""

    name: str
    """As the command has it."""
    sha256: str
    rows: int


@dataclass(frozen=True)
class PartStart:
    """Where a part begins."""

    row: int
    """Its first, from 0, over all input files."""
    file: int
    """Index of the input file that holds this row."""
    offset: int
    """In that file: bytes of text (decompressed), rows of Parquet."""
    line: int


@dataclass(frozen=True)
class Manifest:
    """A job: its parts can be made in any order, by any machine that has the same inputs."""

    settings: dict[str, Any]
    """All that changes results: the bundle, how pictures are found, sizes of parts and batches, precision, ..."""
    inputs: list[InputFile]
    rows: int
    duplicate_ids: int
    """Rows whose id an earlier row has."""
    parts: list[PartStart]
    format: int = FORMAT
    totals: dict[str, Any] = field(default_factory=dict)
    """Of the whole output, when it is complete."""

    @property
    def fingerprint(self) -> str:
        """What parts carry: equal where results are."""
        return fingerprint(self.settings, {file.name: file.sha256 for file in self.inputs})

    def rows_of(self, part: int) -> range:
        """The rows of a part."""
        ends = [*(start.row for start in self.parts[1:]), self.rows]
        return range(self.parts[part].row, ends[part])


def fingerprint(settings: Mapping[str, Any], inputs: Mapping[str, str]) -> str:
    """Of a job. `inputs`: file -> sha256; their order counts."""
    content = json.dumps([settings, list(inputs.items()), FORMAT], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest | None:
    """The folder's, or None where it has none. Raises `UserError` where it is damaged."""
    file = folder / NAME
    if not file.is_file():
        return None
    try:
        stored = json.loads(file.read_text(encoding="utf-8"))
        inputs = [InputFile(**each) for each in stored.pop("inputs")]
        parts = [PartStart(**each) for each in stored.pop("parts")]
        stored.pop("fingerprint")
        return Manifest(inputs=inputs, parts=parts, **stored)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        repair = "Set overwrite=true to begin again, or choose another output"
        raise UserError(str(file), f"damaged ({str(error)[:100]})", repair) from error


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """All or nothing."""
    content = {"fingerprint": manifest.fingerprint} | asdict(manifest)
    publish(folder / NAME, json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")
