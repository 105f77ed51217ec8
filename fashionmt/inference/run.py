"""Tags a whole catalogue: reads, tags, writes, and says what could not be tagged."""

import csv
import itertools
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from fashionmt.config import PredictConfig
from fashionmt.data.catalogue import CatalogueReader, ColumnMap
from fashionmt.data.sample import sample_catalogue
from fashionmt.errors import UserError
from fashionmt.inference.engine import TaggingEngine, load_bundle
from fashionmt.inference.items import Item, ItemTags
from fashionmt.inference.writer import TagWriter
from fashionmt.paths import cache_dir, newest_bundle

RUNS = Path("runs")
SHOWN = 10  # rows printed


def tag_catalogue(config: PredictConfig, run_folder: Path) -> Path:
    """Tag `config.catalogue` and print the first rows; returns the file written. Raises `UserError`.

    Items that cannot be tagged stand in `<output>.set-aside.csv`, with the reason.
    """
    output = Path(config.output) if config.output is not None else run_folder / "tags.csv"
    bundle = Path(config.bundle) if config.bundle is not None else newest_bundle(RUNS)
    if bundle is None:
        raise UserError(
            "bundle", f"none below {RUNS / 'train'}", "Train one with `python train.py`, or set bundle=<dir>"
        )
    engine = load_bundle(bundle, config.batch_size, config.precision)
    total = sum(1 for _ in _open(config, engine).rows())  # finds bad rows before hours of work, not after
    reader = _open(config, engine)
    with TagWriter(output, engine.bundle.spaces, config.overwrite) as writer:
        first, aside = _tag_all(engine, reader, writer, total)
    _write_aside(output.with_name(f"{output.stem}.set-aside.csv"), aside)
    _show(first, output, total, len(aside), reader, bundle)
    return output


def _open(config: PredictConfig, engine: TaggingEngine) -> CatalogueReader:
    trained = engine.bundle.columns
    if config.catalogue is None:
        drawn = sample_catalogue(cache_dir())
        columns = ColumnMap("id", "productDisplayName", None, "{id}.jpg", ("",))
        return CatalogueReader(drawn.new_catalogue, drawn.new_images, columns)
    chosen = config.columns
    columns = replace(
        trained,
        id=trained.id if chosen.id is None else chosen.id,
        title=(trained.title if chosen.title is None else chosen.title) or None,
        picture=(trained.picture if chosen.picture is None else chosen.picture) or None,
        picture_pattern=config.picture_pattern or trained.picture_pattern,
    )
    images = None if config.images is None else Path(config.images)
    return CatalogueReader(Path(config.catalogue), images, columns, options="columns")


def read_items(reader: CatalogueReader) -> Iterator[Item]:
    """The items of a catalogue, as the engine takes them."""
    for _, row in reader.rows():
        yield Item(row.id, row.title, row.picture, row.picture_problem)


def _tag_all(
    engine: TaggingEngine, reader: CatalogueReader, writer: TagWriter, total: int
) -> tuple[list[ItemTags], list[ItemTags]]:
    """Write the tagged items; returns the first of them, and those that could not be tagged."""
    first: list[ItemTags] = []
    aside: list[ItemTags] = []
    for tags in tqdm(engine.stream(read_items(reader)), total=total, desc="tagging", unit=" items", disable=None):
        if tags.problem is not None:
            aside.append(tags)
            continue
        writer.write(tags)
        if len(first) < SHOWN:
            first.append(tags)
    return first, aside


def _write_aside(path: Path, aside: list[ItemTags]) -> None:
    path.unlink(missing_ok=True)  # of an output that was overwritten
    if not aside:
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["id", "problem", "picture_problem"])
        rows.writerows((tags.id, tags.problem, tags.image_problem or "") for tags in aside)


def _show(first: list[ItemTags], output: Path, total: int, aside: int, reader: CatalogueReader, bundle: Path) -> None:
    # Eight columns need more than the 80 characters that a pipe is taken to have.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 130)
    if first:
        table = Table("id", *first[0].tags, "inputs", title=f"the first {len(first)} of {total} items")
        for tags in first:
            answers = (f"{tag.value} {tag.confidence:.2f}" for tag in tags.tags.values())
            table.add_row(*itertools.chain([tags.id], answers, ["+".join(tags.inputs)]))
        console.print(table)
    for line in reader.findings.lines():
        console.print(f"  {line}", markup=False, soft_wrap=True)
    console.print(f"bundle: {bundle}", markup=False, soft_wrap=True)
    if aside:
        where = output.with_name(f"{output.stem}.set-aside.csv")
        console.print(f"set aside: {aside} items that could not be tagged, in {where}", markup=False, soft_wrap=True)
    console.print(f"tags: {total - aside} items in {output}", markup=False, soft_wrap=True)
