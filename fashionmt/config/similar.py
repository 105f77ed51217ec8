"""What `task=index` and `task=similar` read."""

from dataclasses import dataclass, field
from typing import Any

from fashionmt.config.checks import check_choice, check_range
from fashionmt.errors import UserError


@dataclass
class SimilarConfig:
    """A query, what may be found, and how it is shown."""

    id: str | None = None
    """Like this item of the index."""
    image: str | None = None
    """Like this picture, a file."""
    words: str | None = None
    """Like what these words say, as a title would."""
    image_weight: float = 0.5
    """Of the picture's vector, where there are words too: theirs has the rest."""
    queries: str | None = None
    """A catalogue: like each of its items. The answers go to `output`, a .csv or .parquet file."""
    k: int = 10
    filters: dict[str, Any] = field(default_factory=dict)
    """Attribute, or column that was kept -> its value, or a list: any of them."""
    in_stock: str | None = None
    """A column that was kept (keep_columns): only items are found that it says are there."""
    duplicates: bool = False
    """Find the same product several times: items of one title, or of the very same picture."""
    mmr: float | None = None
    """From 1, nearness alone, to 0, difference from the hits before alone; null: as 1."""
    html: str | None = None
    """A file, .html or .htm: the query and its hits as a contact sheet. One that is there is written over."""
    existing: str = "refuse"
    """task=index, an id that is in the index already: refuse, the old item stays, or replace."""
    approximate: bool = False
    """task=index: search by faiss, for catalogues far beyond 100,000 items."""
    recall: float = 0.98
    """The least share of the true ten nearest that an approximate search must find."""

    def __post_init__(self) -> None:
        check_choice("similar.existing", self.existing, ("refuse", "replace"))
        check_range("similar.image_weight", self.image_weight, 0, 1)
        check_range("similar.k", self.k, 1, 1e6)
        check_range("similar.recall", self.recall, 0, 1)
        if self.mmr is not None:
            check_range("similar.mmr", self.mmr, 0, 1)
        if self.html is not None and not self.html.lower().endswith((".html", ".htm")):
            raise UserError(f"similar.html={self.html}", "not called as a page is", "Let its name end in .html")
        asked = [name for name in ("id", "image", "words", "queries") if getattr(self, name) is not None]
        if len(asked) > 1 and asked != ["image", "words"]:
            both = " and ".join(f"similar.{name}" for name in asked)
            raise UserError(both, "one query at a time", "Leave one out: image and words alone go together")
