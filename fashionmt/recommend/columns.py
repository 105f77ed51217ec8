"""Which column of an interactions file holds what: our own names, RecBole's, MovieLens's, H&M's and Amazon's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fashionmt.errors import UserError

KNOWN: Mapping[str, tuple[str, ...]] = {
    "user": ("user_id", "userId", "customer_id", "reviewerID", "user"),
    "item": ("item_id", "movieId", "article_id", "parent_asin", "asin", "item"),
    "time": ("timestamp", "t_dat", "unixReviewTime", "time"),
    "event": ("event", "event_type"),
    "weight": ("weight", "rating", "overall"),
}
"""What is meant -> the names it goes by, the first that a file has."""
RECBOLE_TYPES = (":token", ":float", ":token_seq", ":float_seq")
"""What RecBole writes behind a column's name (recbole.io/docs/user_guide/data/atomic_files.html)."""


@dataclass(frozen=True)
class InteractionColumns:
    """The file's own names."""

    user: str
    item: str
    time: str | None
    event: str | None
    weight: str | None

    def shown(self) -> str:
        """For people."""
        named = {"user": self.user, "item": self.item, "time": self.time, "event": self.event, "weight": self.weight}
        return ", ".join(f"{meaning}: {column or 'none'}" for meaning, column in named.items())


def map_columns(path: Path, found: Sequence[str], given: Mapping[str, str | None], option: str) -> InteractionColumns:
    """The columns as `given` names them, else by the names known. `option`: what the keys lie below, for the error.

    Raises `UserError` where there is none of users or of items, or not the one that is given.
    """
    named: dict[str, str | None] = {}
    for meaning, names in KNOWN.items():
        chosen = given.get(meaning)
        if chosen is not None and chosen not in found:
            raise UserError(str(path), f"no column {chosen!r}; found: {', '.join(found)}", f"Set {option}.{meaning}")
        plain = {_plain(column): column for column in reversed(found)}
        named[meaning] = chosen or next((plain[name] for name in names if name in plain), None)
    user, item = named["user"], named["item"]
    if user is None or item is None:
        wrong = f"no column of {'users' if user is None else 'items'}; found: {', '.join(found)}"
        raise UserError(str(path), wrong, f"Set {option}.{'user' if user is None else 'item'}=<column>")
    return InteractionColumns(user, item, named["time"], named["event"], named["weight"])


def _plain(column: str) -> str:
    for kind in RECBOLE_TYPES:
        if column.endswith(kind):
            return column.removesuffix(kind)
    return column


def map_user_column(path: Path, found: Sequence[str], given: str | None) -> str:
    """The column of users. Raises `UserError` where there is none."""
    if given is not None and given in found:
        return given
    plain = {_plain(column): column for column in reversed(found)}
    for name in KNOWN["user"]:
        if name in plain:
            return plain[name]
    wrong = f"no column of users; found: {', '.join(found)}"
    raise UserError(str(path), wrong, "Set recommend.columns.user=<column>, or call it user_id")
