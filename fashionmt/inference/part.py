"""One part of a job: its rows are read, tagged in batches of its own, counted, and written.

Batches do not cross parts, so a part comes out the same whether its job was interrupted or not.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from fashionmt.config import PredictConfig
from fashionmt.inference.answers import UNKNOWN
from fashionmt.inference.catalogue_items import ItemReader, ReadItem
from fashionmt.inference.engine import TaggingEngine
from fashionmt.inference.items import Item, ItemTags
from fashionmt.inference.job import Job
from fashionmt.inference.manifest import Manifest
from fashionmt.inference.part_files import Footer, PartFiles
from fashionmt.inference.quarantine import Record
from fashionmt.inference.tag_table import TaggedRow, build_embeddings, build_table
from fashionmt.shown import view_of


@dataclass
class PartResult:
    """What became of a part's rows."""

    part: int
    tagged: list[TaggedRow] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    findings: Counter[str] = field(default_factory=Counter)
    """What was repaired, or read otherwise than it stands -> rows."""

    def add(self, row: ReadItem, tags: ItemTags, quarantine_pictures: bool) -> ItemTags | Record:
        """Count a row that was read, as tagged or as a record."""
        self.findings.update(row.findings)
        problem = tags.problem or (tags.picture_problem if quarantine_pictures else None)
        if problem is None:
            self.tagged.append(TaggedRow(row.row, tags, row.kept))
            return tags
        self.records.append(row.record(problem))
        return self.records[-1]

    def statistics(self) -> dict[str, Any]:
        """Counts that a job's totals are the sums of."""
        tags = [row.tags for row in self.tagged]
        attributes = list(tags[0].tags) if tags else []
        return {
            "tagged": len(tags),
            "review": sum(bool(each.review_reasons) for each in tags),
            "shown": dict(Counter(view_of(each.inputs) for each in tags)),
            "unknown": sum(UNKNOWN in each.review_reasons for each in tags),
            "items_accepted": sum(each.accepted for each in tags),
            "accepted": {name: sum(each.tags[name].accepted for each in tags) for name in attributes},
            "given": {name: sum(each.tags[name].given for each in tags) for name in attributes},
            "labels": {name: dict(Counter(each.tags[name].value for each in tags)) for name in attributes},
            "picture_problems": dict(Counter(str(each.picture_problem.code) for each in tags if each.picture_problem)),
            "quarantined": dict(Counter(str(record.code) for record in self.records)),
            "findings": dict(self.findings),
        }


@dataclass(frozen=True)
class RowsDone:
    """Rows that are through."""

    rows: int = 0
    quarantined: int = 0
    bad: int = 0
    """Those, and the ones whose picture could not be read."""


Told = Callable[[RowsDone], None]
"""Hears of rows when they are done, and of none while it has to wait; what it raises ends the work."""


def make_part(engine: TaggingEngine, job: Job, config: PredictConfig, part: int, told: Told) -> Footer:
    """Tag a part and put it on the disk. Raises as `tag_part`, and `ResourceError`."""
    result = tag_part(engine, job.reader, job.manifest, part, config.picture_missing == "quarantine", told)
    return write_part(job.parts[part], job.manifest, result, job.attributes)


def tag_part(
    engine: TaggingEngine, reader: ItemReader, manifest: Manifest, part: int, quarantine_pictures: bool, told: Told
) -> PartResult:
    """Read and tag a part's rows. `quarantine_pictures`: an item whose picture cannot be read is not tagged by its
    title. Raises `UserError` where a file cannot be read on, and what `told` raises."""
    rows = islice(reader.items(manifest.parts[part]), len(manifest.rows_of(part)))
    read: deque[ReadItem | Record] = deque()
    answers = engine.stream(_items(rows, read))
    result = PartResult(part)

    def settle_bad_rows() -> None:
        while read and isinstance(record := read[0], Record):
            result.records.append(record)
            read.popleft()
            told(RowsDone(1, 1, 1))

    for tags in answers:
        settle_bad_rows()
        row = read.popleft()
        assert isinstance(row, ReadItem)  # the engine answers in order
        quarantined = isinstance(result.add(row, tags, quarantine_pictures), Record)
        told(RowsDone(1, quarantined, quarantined or tags.picture_problem is not None))
    settle_bad_rows()
    return result


def _items(rows: Iterator[ReadItem | Record], read: deque[ReadItem | Record]) -> Iterator[Item]:
    """The rows that are items; every row is put to `read` first. The engine reads ahead, in another thread."""
    for row in rows:
        read.append(row)
        if isinstance(row, ReadItem):
            yield row.item


def write_part(files: PartFiles, manifest: Manifest, result: PartResult, attributes: list[str]) -> Footer:
    """Put a part on the disk."""
    rows = manifest.rows_of(result.part)
    kept = manifest.settings["columns"]["kept"]
    footer = Footer(manifest.fingerprint, result.part, rows.start, len(rows), result.statistics(), {})
    beside = manifest.settings["embeddings"] or manifest.settings.get("vectors")
    embeddings = build_embeddings(result.tagged) if beside else None
    files.write(footer, build_table(result.tagged, attributes, kept), result.records, embeddings)
    return footer
