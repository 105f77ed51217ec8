"""Items come into an index: a segment more, and a new `index.json`; what is there is not touched."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from fashionmt.errors import TakenError, UserError
from fashionmt.item_index.description import NAME, Description, Segment, read_description
from fashionmt.item_index.index import ItemIndex, check_bundle, load_index
from fashionmt.item_index.segment import Items, write_segment
from fashionmt.storage import held, make_folder

LOCK = ".index.lock"
SECONDS = 30.0
CLOSE = 1e-5
"""Numbers that differ by less are the same: an item that is tagged again among others differs in the last digits."""


@dataclass(frozen=True)
class Added:
    """What became of items."""

    added: int = 0
    """With those that took another's place."""
    replaced: int = 0
    """Items whose place was taken."""
    same: int = 0
    """Left out, as the index has them just so."""
    refused: int = 0
    """Left out, as the index has their id."""
    repeated: int = 0
    """Left out, as an earlier one of the same items has their id."""
    items: int = 0
    """In the index now."""


def add_items(
    folder: Path,
    like: Description,
    batches: Iterable[Items],
    source: str,
    images: str | None = None,
    existing: str = "refuse",
) -> Added:
    """Add items to the index in `folder`, or make it: all of them or, after an exception, none.

    Args:
        like: an index without items, of the bundle whose vectors these are.
        batches: each becomes a segment.
        source: what says where the items are from.
        images: where their pictures lie.
        existing: an item whose id is there already: `refuse`, it is left out, or `replace`. One that came from `source`
            itself and is another now always takes its own place.

    Raises `UserError` where the index is another bundle's, `TakenError` where another process adds to it.
    """
    make_folder(folder)
    with held(folder / LOCK, SECONDS) as ours:
        if not ours:
            raise TakenError(f"index={folder}", "another process adds to it", "Wait for it to end")
        description = _begun(folder, like)
        index = load_index(folder) if description.segments else None
        return _add(folder, description, index, batches, (source, images), existing == "replace")


def check_folder(folder: Path) -> None:
    """Raises `TakenError` where it holds other things than an index."""
    if not folder.is_dir() or (folder / NAME).is_file():
        return
    others = [path.name for path in folder.iterdir() if not path.name.startswith((".", "segment-", "approximate-"))]
    if others:
        wrong = f"holds {min(others)}, and is no index"
        raise TakenError(f"output={folder}", wrong, "Name a folder that is new, or an index")


def _begun(folder: Path, like: Description) -> Description:
    """That of the folder, or of a new index."""
    check_folder(folder)
    if not (folder / NAME).is_file():
        return like
    found = read_description(folder)
    check_bundle(folder, found, like.bundle)
    if (found.size, list(found.attributes)) != (like.size, list(like.attributes)):
        wrong = f"vectors of {found.size} numbers, and these have {like.size}"
        raise UserError(f"index={folder}", wrong, "Make an index of its own")
    return found


def _add(
    folder: Path,
    description: Description,
    index: ItemIndex | None,
    batches: Iterable[Items],
    origin: tuple[str, str | None],
    replaces: bool,
) -> Added:
    """`index`: what is there already."""
    segments: list[Segment] = []
    known, own = _known(index, origin[0])
    told = Added(items=len(known))
    seen: set[str] = set()
    for items in batches:
        rows = []
        same = set() if index is None else _same(index, items, origin[1])
        for row, item in enumerate(items.table.column("id").to_pylist()):
            if item in seen:
                told = replace(told, repeated=told.repeated + 1)
            elif row in same:
                told = replace(told, same=told.same + 1)
            elif item in known and not (replaces or item in own):
                told = replace(told, refused=told.refused + 1)
            else:
                rows.append(row)
                told = replace(told, replaced=told.replaced + (item in known))
            seen.add(item)
        if rows:
            chosen = items.take(np.array(rows, dtype=np.int64))
            segments.append(write_segment(folder, len(description.segments) + len(segments), chosen, *origin))
            told = replace(told, added=told.added + len(rows))
    told = replace(told, items=len(known) + told.added - told.replaced)
    if segments or not description.segments:
        description.with_segments(segments, told.items).write(folder)
    return told


def _known(index: ItemIndex | None, source: str) -> tuple[set[str], set[str]]:
    """(the ids that are there, those of them that came from `source`)."""
    if index is None:
        return set(), set()
    segments = index.description.segments
    pairs = zip(index.ids, index.segment_of.tolist(), strict=True)
    return set(index.ids), {item for item, segment in pairs if segments[segment].source == source}


def _same(index: ItemIndex, items: Items, images: str | None) -> set[int]:
    """The rows of `items` that the index has just so. A picture's digest is no matter: it is of the picture as it is
    now, and the vector of what was tagged."""
    new = [row for row, item in enumerate(items.table.column("id").to_pylist()) if item in index]
    if not new:
        return set()
    chosen = items.take(new)
    old = np.array([index.row(item) for item in chosen.table.column("id").to_pylist()], dtype=np.int64)
    same = (np.abs(chosen.vectors - index.vectors.numpy()[old]) < CLOSE).all(axis=1)
    places = [segment.images for segment in index.description.segments]
    same &= [places[segment] == images for segment in index.segment_of[old].tolist()]
    for name in {*index.table.column_names, *chosen.table.column_names} - {"picture_sha256"}:
        before, now = (_values(table, name) for table in (index.table.take(old), chosen.table))
        same &= [_is_close(one, other) for one, other in zip(before, now, strict=True)]
    return {row for row, is_same in zip(new, same.tolist(), strict=True) if is_same}


def _is_close(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) < CLOSE
    return bool(one == other)


def _values(table: Any, name: str) -> list[Any]:
    """Of a column; None where the table has no such one."""
    values: list[Any] = table.column(name).to_pylist() if name in table.column_names else [None] * len(table)
    return values
