"""The items of a finished tagging job, as an index takes them: titles and pictures are read again where the job did."""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.parquet
from tqdm import tqdm

from fashionmt.inference.catalogue_items import ReadItem
from fashionmt.inference.items import Item, StoredPicture
from fashionmt.inference.job import Job
from fashionmt.inference.pictures import PictureRefused
from fashionmt.inference.tag_table import READ_WELL
from fashionmt.item_index.segment import KEPT, Items, schema

SEGMENT_ROWS = 200_000
"""Rows after which a segment ends: so much is in memory at once."""
AT_ONCE = 4
"""Pictures that are read at the same time."""


def items_of(job: Job) -> Iterator[Items]:
    """Of all parts, in batches. The tags are the job's; an item's picture is known by the sha256 of its bytes."""
    waiting: list[Items] = []
    with tqdm(total=job.manifest.rows, desc="indexing", unit=" rows", disable=None, leave=False) as bar:
        for part in range(len(job.parts)):
            if (items := _items_of_part(job, part)) is not None:
                waiting.append(items)
            bar.update(len(job.manifest.rows_of(part)))
            if sum(len(items.table) for items in waiting) >= SEGMENT_ROWS:
                yield _joined(waiting)
                waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(items: Sequence[Items]) -> Items:
    tables = pyarrow.concat_tables([each.table for each in items])
    return Items(np.concatenate([each.vectors for each in items]), tables.combine_chunks())


def _items_of_part(job: Job, part: int) -> Items | None:
    """None where the part has no tagged row."""
    kept = job.manifest.settings["columns"]["kept"]
    files = job.parts[part]
    if not files.embeddings.is_file():
        return None
    wanted = [name for attribute in job.attributes for name in (attribute, f"{attribute}_confidence")]
    tags = files.read_tags(["row", "id", *wanted, "picture_status", *kept])
    rows = tags.column("row").to_pylist()
    items = _read_again(job, part, set(rows))
    seen = [status == READ_WELL for status in tags.column("picture_status").to_pylist()]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        pictures = [items[row].image if there else None for row, there in zip(rows, seen, strict=True)]
        digests = list(pool.map(_digest, pictures))
    columns: dict[str, Any] = {
        "id": tags.column("id"),
        "title": [items[row].title for row in rows],
        "picture": [picture.name if isinstance(picture, StoredPicture) else None for picture in pictures],
        "picture_sha256": digests,
    }
    columns |= {name: tags.column(name) for name in wanted}
    columns |= {f"{KEPT}{name}": tags.column(name) for name in kept}
    return Items(_vectors(files.embeddings), pyarrow.Table.from_pydict(columns, schema(job.attributes, kept)))


def _read_again(job: Job, part: int, rows: set[int]) -> dict[int, Item]:
    """Row -> item. The catalogue is as it was: the job's fingerprint holds its digest."""
    read = islice(job.reader.items(job.manifest.parts[part]), len(job.manifest.rows_of(part)))
    return {each.row: each.item for each in read if isinstance(each, ReadItem) and each.row in rows}


def _digest(picture: object) -> str | None:
    """None where there is no picture, or none any more."""
    if not isinstance(picture, StoredPicture):
        return None
    try:
        return hashlib.sha256(picture.read()).hexdigest()
    except PictureRefused:
        return None


def _vectors(path: Any) -> npt.NDArray[np.float32]:
    column = pyarrow.parquet.read_table(path, columns=["vector"]).column("vector").combine_chunks()
    size = column.type.list_size
    flat: npt.NDArray[np.float32] = column.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(-1, size)
