"""Which column of a catalogue to tag holds what: as configured, else those of the training catalogue by their names."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from fashionmt.bundle import Bundle
from fashionmt.config import PredictConfig
from fashionmt.errors import UserError, nearest
from fashionmt.inference.tag_table import schema


@dataclass(frozen=True)
class TaggingColumns:
    """Columns by their names in the catalogue."""

    id: str
    title: str | None
    picture: str | None
    """The picture's name; None: `picture_pattern` makes it from the id."""
    picture_pattern: str
    missing_titles: tuple[str, ...]
    tabular: dict[str, str]
    """What else the model reads -> its column."""
    given: dict[str, str]
    """Attribute -> the column with what is known of it already."""
    kept: tuple[str, ...]
    """Go through to the output as they are."""

    def lines(self) -> list[str]:
        """For people: what is read as what."""
        picture = self.picture_pattern if self.picture is None else self.picture
        read = {"id": self.id, "title": self.title or "none", "picture": picture, **self.tabular}
        lines = ["columns: " + ", ".join(f"{what} = {column}" for what, column in read.items())]
        if self.given:
            named = ", ".join(f"{what} = {column}" for what, column in self.given.items())
            lines.append(f"given: {named} (kept where they hold a text; given=false has the model answer instead)")
        return lines

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return asdict(self) | {"missing_titles": list(self.missing_titles), "kept": list(self.kept)}


def map_columns(config: PredictConfig, bundle: Bundle, found: Sequence[str]) -> TaggingColumns:
    """The columns of a catalogue whose header reads `found`. Raises `UserError` for one that is needed or named, and
    not there."""
    chosen, trained = config.columns, bundle.columns
    columns = TaggingColumns(
        trained.id if chosen.id is None else chosen.id,
        (trained.title if chosen.title is None else chosen.title) or None,
        (trained.picture if chosen.picture is None else chosen.picture) or None,
        config.picture_pattern or trained.picture_pattern,
        trained.missing_titles,
        _tabular(trained.tabular, chosen.tabular),
        _given(config, bundle, found),
        kept_columns(config, bundle, found),
    )
    needed = {"id": columns.id, "title": columns.title, "picture": columns.picture}
    needed |= {f"tabular.{name}": column for name, column in columns.tabular.items()}
    needed |= {f"given.{name}": column for name, column in columns.given.items()}
    for what, column in needed.items():
        if column is not None and column not in found:
            wrong = f"no column {column!r} for columns.{what}; found: {', '.join(found)}"
            none = "" if what == "id" else f", or columns.{what}= where there is none"
            raise UserError("catalogue", wrong, f"{nearest(column, found)}Set columns.{what}=<column>{none}")
    return columns


def kept_columns(config: PredictConfig, bundle: Bundle, found: Sequence[str]) -> tuple[str, ...]:
    """Those of the columns `found` that go through. Raises `UserError` for one that cannot."""
    kept = tuple(config.keep_columns)
    for column in kept:
        if column not in found:
            raise UserError("keep_columns", f"no column {column!r}; found: {', '.join(found)}", "Name one of these")
        if column in schema(bundle.spaces, ()).names:
            raise UserError(
                "keep_columns", f"{column!r} is a column of the tags themselves", "Rename it, or leave it out"
            )
        if kept.count(column) > 1:
            raise UserError("keep_columns", f"names {column!r} twice", "Name each column once")
    return kept


def _tabular(trained: Mapping[str, str], chosen: Mapping[str, str]) -> dict[str, str]:
    """Input -> column, of those that the catalogue to tag has."""
    for name in chosen:
        if name not in trained:
            known = f"Use one of {', '.join(trained)}" if trained else "Leave it out"
            raise UserError(f"columns.tabular.{name}", "the bundle reads no such column", known)
    columns = {name: chosen.get(name, column) for name, column in trained.items()}
    return {name: column for name, column in columns.items() if column}


def _given(config: PredictConfig, bundle: Bundle, found: Sequence[str]) -> dict[str, str]:
    """Attribute -> column: those that are named, and those that the catalogue has under the attribute's own name."""
    if not config.given:
        return {}
    chosen = config.columns.given
    for name in chosen:
        if name not in bundle.spaces:
            raise UserError(
                f"columns.given.{name}", "the bundle has no such attribute", f"Use {', '.join(bundle.spaces)}"
            )
    columns = {name: chosen.get(name, name if name in found else "") for name in bundle.spaces}
    return {name: column for name, column in columns.items() if column}
