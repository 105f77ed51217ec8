"""Which items may be found: by what is known of them, and by what is in stock."""

import difflib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from fashionmt.errors import UserError
from fashionmt.item_index.index import ItemIndex
from fashionmt.item_index.segment import KEPT

Mask = npt.NDArray[np.bool_]
YES, NO = frozenset({"true", "yes", "y", "t"}), frozenset({"false", "no", "n", "f", ""})
"""What a column of stock may say besides numbers, of which those above 0 are in stock."""
SHOWN = 8
"""Values that a message names."""


def mask_of_filters(index: ItemIndex, filters: Mapping[str, Any]) -> Mask:
    """Items that fit all filters, (N,). A filter: attribute or kept column -> a value, or several of which one is
    enough. Raises `UserError` for a name or a value that no item has."""
    mask = np.ones(len(index), dtype=bool)
    for name, wanted in filters.items():
        values = wanted if isinstance(wanted, Collection) and not isinstance(wanted, str) else [wanted]
        column = _column(index, name, f"filter {name}")
        mask &= np.isin(column, [_value(column, name, str(value)) for value in values])
    return mask


def mask_of_stock(index: ItemIndex, in_stock: str | Collection[str]) -> Mask:
    """Items in stock, (N,): as a kept column says, or by their ids, of which those that are not here do not matter.
    Raises `UserError` for a column that is not there or says something else."""
    if not isinstance(in_stock, str):
        return np.isin(np.array(index.ids, dtype=object), list(in_stock))
    column = _column(index, in_stock, "in_stock")
    said = {text: _is_yes(text, in_stock) for text in {text or "" for text in column}}
    return np.array([said[text or ""] for text in column], dtype=bool)


def _column(index: ItemIndex, name: str, thing: str) -> npt.NDArray[np.object_]:
    if name in index.description.attributes:
        return index.column(name)
    if name in index.kept:
        return index.column(f"{KEPT}{name}")
    known = [*index.description.attributes, *index.kept]
    near = difflib.get_close_matches(name, known, 1)
    repair = f"Did you mean {near[0]}" if near else f"Use one of {', '.join(known)}"
    raise UserError(thing, f"the index has no attribute or kept column {name!r}", repair)


def _value(column: npt.NDArray[np.object_], name: str, wanted: str) -> str:
    """Raises `UserError` for one that no item has."""
    known = sorted({value for value in column if value is not None})
    if wanted in known:
        return wanted
    same_but_case = [value for value in known if value.casefold() == wanted.casefold()]
    near = same_but_case or difflib.get_close_matches(wanted, known, 1)
    some = ", ".join(known[:SHOWN]) + (", ..." if len(known) > SHOWN else "")
    repair = f"Did you mean {near[0]!r}" if near else f"Items have {some}"
    raise UserError(f"filter {name}={wanted}", "no item has this value", repair)


def _is_yes(text: str, column: str) -> bool:
    folded = text.strip().casefold()
    if folded in YES or folded in NO:
        return folded in YES
    try:
        return float(folded) > 0
    except ValueError:
        wrong = f"says {text!r}, which is neither a number nor yes or no"
        raise UserError(f"in_stock={column}", wrong, "Name a column of numbers, or of true and false") from None
