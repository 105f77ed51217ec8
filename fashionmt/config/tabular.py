"""Columns that the model reads beside the picture and the title: a year, a brand, a price."""

from dataclasses import dataclass, field

from fashionmt.config.checks import check_choice, check_range


@dataclass
class TabularColumnConfig:
    """A column that the model reads."""

    kind: str = "categorical"
    """`categorical`: a text is a category; `numeric`: a number, and numbers near each other are alike."""
    column: str | None = None
    """null: the column has the input's own name."""
    missing: list[str] = field(default_factory=lambda: [""])
    """Texts that mean "not known"."""
    min_count: int = 2
    """A category that fewer training rows hold is not known."""
    bins: int = 32
    """At most so many pieces of the training rows' numbers, between which the model tells numbers apart."""

    def __post_init__(self) -> None:
        check_choice("data.tabular.<name>.kind", self.kind, ("categorical", "numeric"))
        check_range("data.tabular.<name>.min_count", self.min_count, 1, 1e9)
        check_range("data.tabular.<name>.bins", self.bins, 1, 1e4)
