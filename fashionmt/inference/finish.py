"""The end of a job, when all its parts are there: what is read as a whole, the totals, and `_SUCCESS`, last of all."""

import base64
import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet

from fashionmt.errors import TooManyBadError
from fashionmt.inference.job import QUARANTINE, Job
from fashionmt.inference.manifest import write_manifest
from fashionmt.inference.part_files import Footer, PartFiles
from fashionmt.inference.quarantine import read_records
from fashionmt.inference.summary import write_summary
from fashionmt.inference.tag_table import guarded, to_csv
from fashionmt.inference.totals import sum_statistics
from fashionmt.storage import publish, publishing, remove

QUARANTINE_COLUMNS = ("row", "id", "file", "line", "stage", "code", "message", "retryable", "raw")


def finish(job: Job, footers: list[Footer], max_bad_fraction: float, speed: dict[str, float]) -> dict[str, Any]:
    """Write what is read as a whole; returns the totals. `footers`: of every part. `speed`: of this process.

    Raises `TooManyBadError`, with all written but `_SUCCESS` and the joined file, where more than `max_bad_fraction` of
    the rows are in quarantine.
    """
    totals = sum_statistics(footer.statistics for footer in footers)
    quarantined = sum(totals["quarantined"].values())
    write_quarantine(job.folder, job.parts)
    write_summary(job, totals)
    rows = job.manifest.rows
    if quarantined > max_bad_fraction * rows:
        share = f"{quarantined} of {rows} rows are in quarantine, over {max_bad_fraction:.0%}"
        codes = ", ".join(f"{code} {count}" for code, count in totals["quarantined"].items())
        repair = f"See {job.folder / QUARANTINE}, and repair the rows or raise max_bad_fraction"
        raise TooManyBadError(str(job.folder), f"{share} ({codes})", repair)
    if job.joined is not None:
        join_parts(job.parts, job.joined)
    write_manifest(job.folder, replace(job.manifest, totals=totals | {"speed": speed}))
    publish(job.success, f"{job.manifest.fingerprint}\n".encode())
    return totals


def is_finished(job: Job) -> bool:
    """Whether `_SUCCESS` says so of this very job, and the joined file and the summary are there where asked for."""
    if not is_success(job.success, job.manifest.fingerprint):
        return False
    asked = [file for file in (job.joined, job.summary) if file is not None]
    return bool(job.manifest.totals) and all(file.is_file() for file in asked)


def is_success(file: Path, mark: str) -> bool:
    """Whether `file`, a `_SUCCESS`, is there and of the job of this fingerprint."""
    return file.is_file() and file.read_text().strip() == mark


def write_quarantine(folder: Path, of_parts: Sequence[PartFiles]) -> None:
    """All the quarantine in one table, for people."""
    whole, parts = folder / QUARANTINE, [files.quarantine for files in of_parts if files.quarantine.is_file()]
    if not parts:
        remove(whole)
        return
    with publishing(whole) as file:
        file.write(",".join(QUARANTINE_COLUMNS).encode() + b"\n")
        for part in parts:
            file.write(_quarantine_rows(part))


def _quarantine_rows(part: Path) -> bytes:
    """The records of a part as lines of CSV."""
    text = io.StringIO()
    table = csv.DictWriter(text, QUARANTINE_COLUMNS, extrasaction="ignore", lineterminator="\n")
    for record in read_records(part):
        if record["raw_base64"]:
            record["raw"] = base64.b64decode(record["raw"]).decode(errors="backslashreplace")
        table.writerow({name: guarded(cell) if isinstance(cell, str) else cell for name, cell in record.items()})
    return text.getvalue().encode()


def _without_header(content: bytes) -> bytes:
    """What `to_csv` wrote, less its first record, in which a column's name may hold a line's end."""
    end = content.index(b"\n")
    while content.count(b'"', 0, end) % 2:
        end = content.index(b"\n", end + 1)
    return content[end + 1 :]


def join_parts(parts: Sequence[PartFiles], joined: Path) -> None:
    """The parts' tables in one file, part by part."""
    with publishing(joined) as file:
        if parts[0].format == "csv":
            for i, part in enumerate(parts):
                content = part.tags.read_bytes()
                file.write(content if i == 0 else _without_header(content))
        elif joined.suffix.lower() == ".csv":
            for i, part in enumerate(parts):
                file.write(to_csv(part.read_tags(), header=i == 0))
        else:
            schema = parts[0].read_tags().schema.remove_metadata()
            with pyarrow.parquet.ParquetWriter(file, schema) as writer:
                for part in parts:
                    writer.write_table(part.read_tags().replace_schema_metadata(None))
