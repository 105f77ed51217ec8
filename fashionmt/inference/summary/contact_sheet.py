"""A contact sheet of tagged items: their titles and pictures are read again, from where the job read them."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from fashionmt.config import PreprocessConfig
from fashionmt.inference.catalogue_items import ReadItem
from fashionmt.inference.items import Item
from fashionmt.inference.job import Job
from fashionmt.inference.summary.rows import Row
from fashionmt.inference.thumbnails import thumbnail

AT_ONCE = 4
"""Pictures that are read at the same time."""
CHANGED = "its row has changed"


@dataclass(frozen=True)
class Card:
    """One item on the sheet."""

    row: Row
    id: str
    title: str | None
    picture: str | None
    """A data URI."""
    no_picture: str
    """Why there is none."""


def make_cards(job: Job, rows: Sequence[Row]) -> list[Card]:
    """In the order of `rows`."""
    items = dict(_items(job, sorted(row.row for row in rows)))
    config = job.reader.bundle.preprocess
    with ThreadPoolExecutor(AT_ONCE) as pool:
        pictures = list(pool.map(lambda row: _thumbnail(items.get(row.row), config), rows))
    # Of CSV, which guards ids, the item's own is the exact one.
    nothing = Item()
    found = ((row, items.get(row.row, nothing), picture) for row, picture in zip(rows, pictures, strict=True))
    return [Card(row, item.id or row.id, item.title, *picture) for row, item, picture in found]


def _items(job: Job, rows: Sequence[int]) -> Iterator[tuple[int, Item]]:
    """The items of these rows, which ascend, by row. Of each part no more is read than up to its last row."""
    starts = job.manifest.parts
    by_part: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        by_part[bisect_right(starts, row, key=lambda start: start.row) - 1].append(row)
    for part, wanted in by_part.items():
        for read in islice(job.reader.items(starts[part]), wanted[-1] - starts[part].row + 1):
            if isinstance(read, ReadItem) and read.row in wanted:
                yield read.row, read.item


def _thumbnail(item: Item | None, config: PreprocessConfig) -> tuple[str | None, str]:
    """(data URI or None, why None)."""
    return (None, CHANGED) if item is None else thumbnail(item.image, config)
