"""What is asked of an index and what is answered."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from fashionmt.errors import UserError
from fashionmt.inference.items import Item, Picture

INPUT_NAMES = {"image": "the picture", "text": "the words"}


@dataclass(frozen=True)
class Query:
    """An item of the index by its id; or a picture, words or both; or an item of any catalogue."""

    id: str | None = None
    image: Picture | None = None
    words: str | None = None
    item: Item | None = None
    image_weight: float = 0.5
    """Of the picture's vector beside the words', from 0 to 1."""

    def __post_init__(self) -> None:
        given = [name for name in ("id", "item", "image", "words") if getattr(self, name) is not None]
        if not given:
            raise UserError("query", "nothing is asked", "Give an id, an image, words or an item")
        if len(given) > 1 and given != ["image", "words"]:
            raise UserError("query", f"{' and '.join(given)} at once", "Give one; image and words alone go together")
        if not 0 <= self.image_weight <= 1:
            raise UserError(f"image_weight={self.image_weight}", "out of range", "Use a value from 0 to 1")


@dataclass(frozen=True)
class Wanted:
    """What may be found, and how much of it."""

    k: int = 10
    filters: Mapping[str, Any] = field(default_factory=dict)
    """Attribute or kept column -> a value, or several of which one is enough."""
    in_stock: str | Collection[str] | None = None
    """A kept column that says so, or the ids in stock; None: all are."""
    duplicates: bool = False
    """Find several items of one product."""
    mmr: float | None = None
    """Lambda of maximal marginal relevance; None: by nearness alone."""

    def __post_init__(self) -> None:
        if self.k < 1:
            raise UserError(f"k={self.k}", "no number of items", "Ask for one or more")
        if self.mmr is not None and not 0 <= self.mmr <= 1:
            raise UserError(f"mmr={self.mmr}", "out of range", "Use a value from 0 to 1")


@dataclass(frozen=True)
class InputMatch:
    """How near one of the query's inputs is to a hit by itself."""

    cosine: float
    above: float
    """Standard deviations above what this input's cosine with an item of the index usually is: cosines of pictures and
    of titles are not on one scale, these are."""


@dataclass(frozen=True)
class Hit:
    """An item that was found."""

    rank: int
    id: str
    score: float
    """The cosine with the query."""
    title: str | None
    attributes: dict[str, str]
    agree: tuple[str, ...]
    """The attributes whose value is the query's."""
    inputs: dict[str, InputMatch]
    """By `image` and `text`, of those that the query has and that could be read by themselves."""
    drawn_by: str | None
    """The input that is farther above its usual; None where no input could be compared."""

    @property
    def reason(self) -> str:
        """In words."""
        same = f"same {', '.join(self.agree)}" if self.agree else "no attribute is the same"
        if self.drawn_by is None:
            return same
        told = ", ".join(f"{INPUT_NAMES[name]} {match.cosine:.2f}" for name, match in self.inputs.items())
        return f"{same}; drawn by {INPUT_NAMES[self.drawn_by]} ({told})"

    def to_json(self) -> dict[str, Any]:
        """For a line of JSON."""
        rounded = {name: {key: round(value, 4) for key, value in asdict(m).items()} for name, m in self.inputs.items()}
        kept = asdict(self) | {"score": round(self.score, 6), "agree": list(self.agree), "inputs": rounded}
        return kept | {"reason": self.reason}


@dataclass(frozen=True)
class SimilarItems:
    """The answer to a query."""

    query: dict[str, Any]
    """What was asked: its id, title or words, and its attributes."""
    hits: tuple[Hit, ...]
    notes: tuple[str, ...] = ()
    """What should be known: fewer hits than asked for, an input that could not be read."""

    def to_json(self) -> dict[str, Any]:
        """For a line of JSON."""
        return {"query": self.query, "hits": [hit.to_json() for hit in self.hits], "notes": list(self.notes)}
