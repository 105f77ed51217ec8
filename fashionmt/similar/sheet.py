"""A contact sheet: queries and their hits, with pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fashionmt.bundle import Bundle
from fashionmt.inference.similar import Hit, IndexPictures, Query, SimilarItems
from fashionmt.inference.thumbnails import thumbnail
from fashionmt.item_index import ItemIndex
from fashionmt.pages import render
from fashionmt.storage import make_folder, publish

TEMPLATE = Path(__file__).with_name("sheet.html.jinja")
Shown = tuple[str | None, str]
"""A picture as a data URI, or why there is none."""


@dataclass(frozen=True)
class Row:
    """A query and its hits."""

    query: dict[str, Any]
    picture: Shown
    hits: list[tuple[Hit, Shown]]
    notes: Sequence[str]


def write_sheet(
    path: Path,
    index: ItemIndex,
    bundle: Bundle,
    answers: Sequence[tuple[Query, SimilarItems]],
    images: str | None = None,
) -> None:
    """One page that needs no other file. `images`: where the index's pictures lie now."""
    with IndexPictures(index, images) as pictures:

        def of_item(item: str) -> Shown:
            return thumbnail(pictures.of(index.row(item)), bundle.preprocess)

        rows = [
            Row(
                answer.query,
                of_item(query.id) if query.id is not None else thumbnail(query.image, bundle.preprocess),
                [(hit, of_item(hit.id)) for hit in answer.hits],
                answer.notes,
            )
            for query, answer in answers
        ]
    make_folder(path.parent)
    html = render(TEMPLATE, rows=rows, index=index, items=len(index), bundle=index.description.bundle)
    publish(path, html.encode())
