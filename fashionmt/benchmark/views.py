"""The inputs that a system is scored under: one trained model, shown all or part of each test item.

| view | shown | scored on the items that have |
| --- | --- | --- |
| picture | the picture alone | a picture |
| title | the title alone | a title |
| both | whatever there is, as in tagging | either |
| struck | the same, the words of every label struck from the title | either |

What an item has is judged before words are struck: a title of label words alone leaves its item to the picture, or to
what the system answers when it is shown nothing. So every system of the same inputs is scored on the same items. A
system of one input is not scored under a view of the other, and under `struck` only if it reads titles; `both` is for
systems of two inputs. The catalogue's other columns, where a system reads them, are shown under `both` and `struck`.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from fashionmt.data import TitleEncoder
from fashionmt.data.dataset import ItemArrays
from fashionmt.data.picture_cache import NO_ROW
from fashionmt.data.prepare import PreparedData
from fashionmt.data.rows import Rows

VIEWS = ("picture", "title", "both", "struck")


def views_of(reads: Collection[str]) -> tuple[str, ...]:
    """The views of a system that reads some of `image`, `text` and `tabular`."""
    shown = {"picture": "image" in reads, "title": "text" in reads, "both": len(reads) > 1, "struck": "text" in reads}
    return tuple(view for view in VIEWS if shown[view])


def view_rows(data: PreparedData, view: str) -> Rows:
    """The test rows that are scored under `view`, shape (rows,)."""
    rows = data.split.test
    has_picture = data.items.pictures.row[rows] != NO_ROW
    has_title = np.array([data.raw_titles[row] is not None for row in rows], dtype=bool)
    kept: npt.NDArray[np.bool_] = {"picture": has_picture, "title": has_title}.get(view, has_picture | has_title)
    return rows[kept]


def view_titles(data: PreparedData, view: str) -> Sequence[str | None]:
    """The titles of all items as `view` shows them."""
    if view == "picture":
        return [None] * len(data.ids)
    if view == "struck":
        return data.struck_titles(np.arange(len(data.ids)))
    return data.raw_titles


def view_items(data: PreparedData, view: str, encoder: TitleEncoder) -> ItemArrays:
    """All items as `view` shows them, their titles encoded by the model's own `encoder`."""
    items = replace(data.items, titles=encoder.encode(view_titles(data, view)))
    if view in ("picture", "title"):
        items = replace(items, tabular=replace(items.tabular, there=np.zeros_like(items.tabular.there)))
    if view != "title":
        return items
    hidden = np.full_like(data.items.pictures.row, NO_ROW)
    return replace(items, pictures=replace(items.pictures, row=hidden))
