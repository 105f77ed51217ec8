"""Items come into an index: a segment more, and a new `index.json`; what is there is not touched."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fashionmt.errors import TakenError, UserError
from fashionmt.item_index.description import NAME, Description, Segment, read_description
from fashionmt.item_index.index import check_bundle, load_index
from fashionmt.item_index.segment import Items, write_segment
from fashionmt.storage import held, make_folder

LOCK = ".index.lock"
SECONDS = 30.0


@dataclass(frozen=True)
class Added:
    """What became of items."""

    added: int = 0
    """With those that took another's place."""
    replaced: int = 0
    """Items whose place was taken."""
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
        existing: an item whose id is there already: `refuse`, it is left out, or `replace`.

    Raises `UserError` where the index is another bundle's, `TakenError` where another process adds to it.
    """
    make_folder(folder)
    with held(folder / LOCK, SECONDS) as ours:
        if not ours:
            raise TakenError(f"index={folder}", "another process adds to it", "Wait for it to end")
        description = _begun(folder, like)
        known = set(load_index(folder).ids) if description.segments else set()
        return _add(folder, description, known, batches, (source, images), existing == "replace")


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
    known: set[str],
    batches: Iterable[Items],
    origin: tuple[str, str | None],
    replaces: bool,
) -> Added:
    segments: list[Segment] = []
    told = Added(items=len(known))
    seen: set[str] = set()
    for items in batches:
        rows = []
        for row, item in enumerate(items.table.column("id").to_pylist()):
            if item in seen:
                told = replace(told, repeated=told.repeated + 1)
            elif item in known and not replaces:
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
