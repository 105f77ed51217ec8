"""Recommendations for people: what `train.py experiment=recommend` and `predict.py task=recommend` read."""

from dataclasses import dataclass, field
from typing import Any

from fashionmt.config.checks import check_choice, check_range
from fashionmt.errors import UserError


@dataclass
class InteractionColumnsConfig:
    """Which column of the interactions holds what; null: found by the names that RecBole, MovieLens, H&M and Amazon
    use."""

    user: str | None = None
    item: str | None = None
    time: str | None = None
    event: str | None = None
    weight: str | None = None


@dataclass
class SyntheticConfig:
    """Made-up people, where there are no interactions. What they are like: `recommend/synthetic.py`."""

    users: int = 3000
    events: float = 10.0
    """A user, in the mean."""
    days: int = 365
    gender: str | None = "gender"
    """The attribute that holds it; null, or an attribute that the index lacks: people do not care."""
    type: str | None = "articleType"
    colour: str | None = "baseColour"
    price: str | None = "price"
    seed: int = 0

    def __post_init__(self) -> None:
        check_range("recommend.synthetic.users", self.users, 10, 1e6)
        check_range("recommend.synthetic.events", self.events, 2, 1e4)
        check_range("recommend.synthetic.days", self.days, 10, 1e4)


@dataclass
class RankerConfig:
    """A ranker, what it learns from and how it is judged."""

    interactions: str | None = None
    """A file of who took what and when: CSV, TSV, JSONL (each may be .gz), Parquet or RecBole's .inter; null: made-up
    ones, which prove the code and nothing else."""
    index: str | None = None
    """The folder of the items' vectors; null: the sample catalogue by the newest bundle."""
    columns: InteractionColumnsConfig = field(default_factory=InteractionColumnsConfig)
    events: list[str] = field(default_factory=list)
    """Of the event column, those that count; empty: all."""
    least_weight: float | None = None
    """Ratings or weights below it do not count, in training and evaluation as if they were not there; null: all do."""
    validation_from: str | None = None
    """A date: what happened from then on is not learned from; null: such that `validation_share` lies behind."""
    test_from: str | None = None
    validation_share: float = 0.1
    """Of the events."""
    test_share: float = 0.15
    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    history: int = 50
    """A user's last items that are read."""
    heads: int = 4
    hidden: int = 64
    id_residual: str = "bias"
    """What an item that was learned from has beside its content: `none`, a `bias`, or a `vector` and a bias of its
    own; new items have none."""
    id_dropout: float = 0.5
    """How often an item goes without them in training."""
    id_decay: float = 1.0
    """Weight decay of what is an item's own."""
    loss: str = "softmax"
    """Over the catalogue; or `bpr` or `bce`, over drawn negatives."""
    negatives: int = 64
    """Of `bpr` and `bce`, for each target."""
    new_share: float | None = 0.6
    """New items are raised until validation finds them at this share of the rate at which it finds the others; null:
    they stand where what is learned of them puts them, which is seldom among the first."""
    most_targets: int = 50
    """A user's newest events that are learned from."""
    min_users: int = 1000
    """With fewer users to learn from nothing is learned: the mean of the history ranks."""
    k: int = 10
    """Places that are judged."""
    evaluated_users: int = 10_000
    """At most so many are judged, drawn by the seed."""
    popularity_days: float = 28.0
    """The last window of the baseline that ranks by popularity."""
    ease_items: int = 20_000
    """EASE inverts a matrix of the items: with more than these it is left out."""
    draws: int = 1000
    """Of the bootstrap."""

    def __post_init__(self) -> None:
        check_choice("recommend.loss", self.loss, ("softmax", "bpr", "bce"))
        check_choice("recommend.id_residual", self.id_residual, ("none", "bias", "vector"))
        check_range("recommend.validation_share", self.validation_share, 0.001, 0.5)
        check_range("recommend.test_share", self.test_share, 0.001, 0.49)
        check_range("recommend.history", self.history, 1, 1000)
        check_range("recommend.heads", self.heads, 1, 64)
        check_range("recommend.hidden", self.hidden, 1, 1e4)
        check_range("recommend.id_dropout", self.id_dropout, 0, 1)
        check_range("recommend.id_decay", self.id_decay, 0, 100)
        check_range("recommend.negatives", self.negatives, 1, 1e5)
        if self.new_share is not None:
            check_range("recommend.new_share", self.new_share, 0, 1)
        check_range("recommend.most_targets", self.most_targets, 1, 1e6)
        check_range("recommend.min_users", self.min_users, 0, 1e9)
        check_range("recommend.k", self.k, 1, 1000)
        check_range("recommend.evaluated_users", self.evaluated_users, 2, 1e7)
        check_range("recommend.popularity_days", self.popularity_days, 0.01, 1e5)
        check_range("recommend.draws", self.draws, 10, 1e6)
        if self.interactions is not None and self.index is None:
            wrong = "not set, and the interactions are of items whose vectors lie in one"
            raise UserError("recommend.index", wrong, "Make it with predict.py task=index, and name its folder")


@dataclass
class RecommendConfig:
    """Whom to recommend to, by what, and what may be recommended."""

    interactions: str | None = None
    """Who took what, a file as `RankerConfig.interactions`; what was taken is the history."""
    columns: InteractionColumnsConfig = field(default_factory=InteractionColumnsConfig)
    events: list[str] = field(default_factory=list)
    """Of the event column, those that count; empty: all. Others are passed over: what someone has only looked at may be
    recommended."""
    least_weight: float | None = None
    """Ratings or weights below it do not count in the history, but the item was had; null: all count."""
    users: str | None = None
    """A file of those who are recommended to, with what is known of them in columns that are called as attributes are;
    null: everyone in the interactions."""
    model: str | None = None
    """The folder of a ranker, or of its run; `mean` for the mean of the history; null: the newest below
    runs/recommend."""
    k: int = 10
    filters: dict[str, Any] = field(default_factory=dict)
    """Attribute, or column that was kept -> its value, or a list: any of them."""
    in_stock: str | None = None
    """A column that was kept (keep_columns): only items are recommended that it says are there."""
    seen: bool = False
    """Recommend what someone has had already, too."""
    duplicates: bool = False
    """Recommend the same product several times, and what is the same product as something had."""

    def __post_init__(self) -> None:
        check_range("recommend.k", self.k, 1, 1e6)
