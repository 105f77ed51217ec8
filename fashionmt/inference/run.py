"""Tags a whole catalogue: reads, tags, writes, and says what could not be tagged."""

import csv
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from fashionmt.bundle import Bundle
from fashionmt.config import PredictConfig
from fashionmt.data.catalogue import CatalogueReader, ColumnMap
from fashionmt.data.sample import sample_catalogue
from fashionmt.errors import UserError
from fashionmt.inference.engine import TaggingEngine, load_bundle
from fashionmt.inference.items import Item, ItemTags, Tag
from fashionmt.inference.writer import TagWriter
from fashionmt.paths import cache_dir, newest_bundle

RUNS = Path("runs")
SHOWN = 10  # rows printed
WHOLE = "all of them"


@dataclass
class Tally:
    """What became of a catalogue's items."""

    first: list[ItemTags] = field(default_factory=list)
    """Of the tagged ones, those to print."""
    aside: list[ItemTags] = field(default_factory=list)
    """Those that could not be tagged."""
    tagged: int = 0
    accepted: Counter[str] = field(default_factory=Counter)
    """By attribute: answers accepted."""
    accepted_items: int = 0

    def add(self, tags: ItemTags) -> None:
        """Count a tagged item."""
        self.tagged += 1
        self.accepted.update(name for name, tag in tags.tags.items() if tag.accepted)
        self.accepted_items += tags.accepted
        if len(self.first) < SHOWN:
            self.first.append(tags)


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
        tally = _tag_all(engine, reader, writer, total)
    _write_aside(output.with_name(f"{output.stem}.set-aside.csv"), tally.aside)
    _show(tally, engine.bundle, output, reader, bundle)
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
        tabular=_tabular_columns(trained.tabular, chosen.tabular),
    )
    images = None if config.images is None else Path(config.images)
    reader = CatalogueReader(Path(config.catalogue), images, columns, options="columns")
    for name, column in columns.tabular.items():
        if column not in reader.table.columns:
            wrong = f"no column {column!r} (what the model reads as {name}); found: {', '.join(reader.table.columns)}"
            option = f"columns.tabular.{name}"
            raise UserError(config.catalogue, wrong, f"Set {option}=<column>, or {option}= where there is none")
    return reader


def _tabular_columns(trained: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Input -> column, of those that the catalogue to tag has."""
    for name in chosen:
        if name not in trained:
            known = f"Use one of {', '.join(trained)}" if trained else "Leave it out"
            raise UserError(f"columns.tabular.{name}", "the bundle reads no such column", known)
    columns = {name: chosen.get(name, column) for name, column in trained.items()}
    return {name: column for name, column in columns.items() if column}


def read_items(reader: CatalogueReader, bundle: Bundle) -> Iterator[Item]:
    """The items of a catalogue, as the engine takes them; what the model cannot read goes to the reader's findings."""
    for _, row in reader.rows():
        for what, action in bundle.tabular.unread(row.tabular):
            reader.findings.add(what, action, row.id)
        yield Item(row.id, row.title, row.picture, row.picture_problem, row.tabular)


def _tag_all(engine: TaggingEngine, reader: CatalogueReader, writer: TagWriter, total: int) -> Tally:
    """Write the tagged items."""
    tally = Tally()
    for tags in tqdm(
        engine.stream(read_items(reader, engine.bundle)), total=total, desc="tagging", unit=" items", disable=None
    ):
        if tags.problem is not None:
            tally.aside.append(tags)
            continue
        writer.write(tags)
        tally.add(tags)
    return tally


def _write_aside(path: Path, aside: list[ItemTags]) -> None:
    path.unlink(missing_ok=True)  # of an output that was overwritten
    if not aside:
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["id", "problem", "picture_problem"])
        rows.writerows((tags.id, tags.problem, tags.image_problem or "") for tags in aside)


def _show(tally: Tally, bundle: Bundle, output: Path, reader: CatalogueReader, folder: Path) -> None:
    # Eight columns need more than the 80 characters that a pipe is taken to have.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 130)
    total = tally.tagged + len(tally.aside)
    if tally.first:
        title = f"the first {len(tally.first)} of {total} items"
        caption = "?: for review" if bundle.thresholds is not None else None
        table = Table("id", *bundle.spaces, "inputs", title=title, caption=caption, caption_justify="left")
        for tags in tally.first:
            answers = (_cell(tag, bundle.thresholds is not None) for tag in tags.tags.values())
            table.add_row(tags.id, *answers, "+".join(tags.inputs))
        console.print(table)
    lines = [*(f"  {line}" for line in reader.findings.lines()), f"bundle: {folder}"]
    if tally.aside:
        where = output.with_name(f"{output.stem}.set-aside.csv")
        lines.append(f"set aside: {len(tally.aside)} items that could not be tagged, in {where}")
    lines += [*_decisions(tally, bundle), f"tags: {tally.tagged} items in {output}"]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)


def _cell(tag: Tag, decides: bool) -> str:
    return f"{tag.value} {tag.confidence:.2f}{'?' if decides and not tag.accepted else ''}"


def _decisions(tally: Tally, bundle: Bundle) -> list[str]:
    """What is accepted, and what never is."""
    thresholds = bundle.thresholds
    if thresholds is None:
        return ["accepted: nothing, as the bundle has no thresholds"]
    if not tally.tagged:
        return []
    counts = {name: tally.accepted[name] for name in bundle.spaces} | {WHOLE: tally.accepted_items}
    each = {**thresholds.heads, WHOLE: thresholds.item}
    shares = [f"{name} {counts[name] / tally.tagged:.0%}" for name in counts if each[name].confidence is not None]
    never = [f"{name} ({each[name].target_accuracy:.4g})" for name in counts if each[name].confidence is None]
    lines = [f"accepted: {', '.join(shares)}; the rest is for review"] if shares else []
    if never:
        lines.append(f"for review, as validation showed no threshold for the accuracy asked: {', '.join(never)}")
    return lines
