"""A part of an output: a file of tags, one of what could not be tagged, and a footer that says that both are whole.

The footer is written last of all: in Parquet it is the file's own metadata, beside a CSV file it is a file. A part is
there when its footer is, names the job's fingerprint and rows, and fits the files; else it is made again. What a
Parquet file of tags holds is not checked for that, which would take long, but where it is read: it is removed then.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from fashionmt.errors import UserError
from fashionmt.inference.manifest import SUCCESS, Manifest
from fashionmt.inference.quarantine import Record, encode_records
from fashionmt.inference.tag_table import to_csv
from fashionmt.problems import Code
from fashionmt.storage import publish, remove, unfinished_name

METADATA = b"fashionmt"
PART_FILES = ("part-*-of-*.*", ".part-*-of-*.json", "quarantine-*-of-*.jsonl", "embeddings-*-of-*.parquet")
"""What the files of parts are called."""


@dataclass(frozen=True)
class Footer:
    """What a part says of itself."""

    fingerprint: str
    """The job's."""
    part: int
    first_row: int
    rows: int
    """Of the input; each is tagged or quarantined."""
    statistics: Mapping[str, Any]
    """As `PartResult.statistics` has them."""
    files: Mapping[str, str]
    """The other files of the part -> their sha256."""

    @property
    def bad(self) -> int:
        """Rows that could not be tagged."""
        return sum(self.statistics["quarantined"].values())

    @property
    def retryable(self) -> bool:
        """Whether some rows, or their pictures, may pass at another time."""
        codes = [*self.statistics["quarantined"], *self.statistics["picture_problems"]]
        return any(Code(code).retryable for code in codes)


@dataclass(frozen=True)
class PartFiles:
    """Where a part's files lie."""

    folder: Path
    part: int
    parts: int
    format: str

    @cached_property
    def tags(self) -> Path:
        """The tagged rows."""
        return self._named("part", self.format)

    @cached_property
    def quarantine(self) -> Path:
        """The others; not there where there are none."""
        return self._named("quarantine", "jsonl")

    @cached_property
    def embeddings(self) -> Path:
        """Where they are asked for."""
        return self._named("embeddings", "parquet")

    @cached_property
    def footer(self) -> Path:
        """Of a part in CSV, which has no place for it."""
        return self._named(".part", "json")

    def _named(self, kind: str, suffix: str) -> Path:
        return self.folder / f"{kind}-{self.part:05}-of-{self.parts:05}.{suffix}"

    def write(self, footer: Footer, tags: Any, records: Sequence[Record], embeddings: Any | None) -> None:
        """Make the part: `tags` and `embeddings` are pyarrow tables. It is there when the last file is."""
        others = {self.quarantine: encode_records(records) if records else None}
        others[self.embeddings] = None if embeddings is None else _parquet(embeddings, None)
        if self.format == "csv":
            others[self.tags] = to_csv(tags)
        digests = {file.name: _sha256(content) for file, content in others.items() if content is not None}
        sealed = Footer(**{**asdict(footer), "files": digests})
        for file, content in others.items():
            remove(unfinished_name(file))
            if content is None:
                remove(file)
            else:
                publish(file, content)
        if self.format == "csv":
            publish(self.footer, json.dumps(asdict(sealed)).encode())
        else:
            publish(self.tags, _parquet(tags, sealed))

    def remove(self) -> None:
        """First what says that the part is there."""
        for file in (self.footer, self.tags, self.quarantine, self.embeddings):
            remove(file)

    def read_footer(self) -> Footer | None:
        """None where there is none that can be read."""
        try:
            if self.format == "csv":
                stored = self.footer.read_bytes()
            else:
                stored = (pyarrow.parquet.read_schema(self.tags).metadata or {})[METADATA]
            return Footer(**json.loads(stored))
        except (OSError, ValueError, KeyError, TypeError, pyarrow.ArrowException):
            return None

    def whole(self, manifest: Manifest) -> Footer | None:
        """The footer, where the part is the manifest's and all of its files are there and, those of tags in Parquet
        aside, as they were written."""
        footer, rows = self.read_footer(), manifest.rows_of(self.part)
        if footer is None or footer.fingerprint != manifest.fingerprint:
            return None
        if (footer.part, footer.first_row, footer.rows) != (self.part, rows.start, len(rows)):
            return None
        beside = {file.name: file for file in (self.quarantine, self.embeddings) if file.is_file()}
        if self.format == "csv" and self.tags.is_file():
            beside[self.tags.name] = self.tags
        if footer.files != {name: _sha256(file.read_bytes()) for name, file in beside.items()}:
            return None
        return footer

    def read_tags(self, columns: Sequence[str] | None = None) -> Any:
        """The tagged rows of a part in Parquet, as a pyarrow table. One that is damaged is removed, and `_SUCCESS` with
        it, so that the job makes it again; raises `UserError`, which says so."""
        try:
            return pyarrow.parquet.read_table(self.tags, columns=columns, page_checksum_verification=True)
        except (OSError, pyarrow.ArrowException) as error:
            if getattr(error, "errno", None) is not None:  # it could not be read at all
                raise
            remove(self.folder / SUCCESS)
            remove(self.tags)
            repair = "It was removed: run the same command again, which makes it anew"
            raise UserError(str(self.tags), f"damaged ({str(error)[:100]})", repair) from error


def part_files(folder: Path, manifest: Manifest) -> list[PartFiles]:
    """Those of all the parts."""
    count = len(manifest.parts)
    return [PartFiles(folder, part, count, manifest.settings["format"]) for part in range(count)]


def _parquet(table: Any, footer: Footer | None) -> bytes:
    if footer is not None:
        table = table.replace_schema_metadata({METADATA: json.dumps(asdict(footer)).encode()})
    sink = io.BytesIO()
    pyarrow.parquet.write_table(table, sink, write_page_checksum=True)
    return sink.getvalue()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
