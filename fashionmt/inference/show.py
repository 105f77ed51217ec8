"""What a job tells people, on stderr."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fashionmt.inference.job import QUARANTINE, Job
from fashionmt.inference.totals import total_lines

SHOWN = 10  # rows
MARK = {"accept": "", "review": "?"}


def show_begin(job: Job, bundle: Path) -> None:
    """What is read, as what, by which bundle, into what."""
    manifest = job.manifest
    files = ", ".join(f"{file.name} ({file.rows} rows)" for file in manifest.inputs[:SHOWN])
    more = f" and {len(manifest.inputs) - SHOWN} more" if len(manifest.inputs) > SHOWN else ""
    tell(f"catalogue: {files}{more}", *job.reader.columns.lines())
    if manifest.duplicate_ids:
        tell(f"{manifest.duplicate_ids} rows whose id an earlier row has: each is tagged; `row` tells them apart")
    tell(f"bundle: {bundle}", f"output: {job.folder}, {len(manifest.parts)} parts")


def show_workers(count: int, cores: int, with_gpu: bool) -> None:
    """Who makes the parts."""
    tell(f"engine: ray, workers: {count}, each with {cores} CPU{' and 1 GPU' if with_gpu else ''}")


def show_end(job: Job, totals: Mapping[str, Any]) -> None:
    """The first rows, what became of all, and where it lies."""
    decides = job.reader.bundle.decoder.thresholds is not None
    if job.parts[0].format == "parquet" and totals["tagged"]:
        console().print(_first_rows(job, decides))
    tell(*total_lines(totals, job.reader.bundle.decoders))
    if totals["quarantined"]:
        tell(f"what could not be tagged, and why: {job.folder / QUARANTINE}")
    if job.summary is not None:
        tell(f"what to look at: {job.summary}")
    tell(f"tags: {totals['tagged']} items in {job.joined or job.folder}")


def _first_rows(job: Job, decides: bool) -> Table:
    columns = [f"{name}{suffix}" for name in job.attributes for suffix in ("", "_confidence", "_decision")]
    rows = job.parts[0].read_tags(["id", *columns, "inputs"]).slice(0, SHOWN).to_pylist()
    title = f"the first {len(rows)} of {job.manifest.rows} items"
    caption = "?: for review" if decides else None
    table = Table("id", *job.attributes, "inputs", title=title, caption=caption, caption_justify="left")
    for row in rows:
        table.add_row(row["id"], *(_cell(row, name, decides) for name in job.attributes), row["inputs"])
    return table


def _cell(row: Mapping[str, Any], name: str, decides: bool) -> str:
    confidence = row[f"{name}_confidence"]
    told = "given" if confidence is None else f"{confidence:.2f}"
    return f"{row[name]} {told}{MARK[row[f'{name}_decision']] if decides else ''}"


def console() -> Console:
    """stderr, wide enough for a table."""
    plain = Console(stderr=True, highlight=False, markup=False)
    # Eight columns need more than the 80 characters that a pipe is taken to have.
    return plain if plain.is_terminal else Console(stderr=True, highlight=False, markup=False, width=130)


def tell(*lines: str) -> None:
    """Print on stderr."""
    shown = console()
    for line in lines:
        shown.print(line, soft_wrap=True)
