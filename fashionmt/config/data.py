"""A catalogue: its files, columns and attributes, its split, and how its pictures are read."""

from dataclasses import dataclass, field, replace

from fashionmt.config.checks import MAX_SEED, check_choice, check_range
from fashionmt.config.tabular import TabularColumnConfig
from fashionmt.errors import UserError

PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
"""What may be allowed; Pillow's decoders of rarer formats have been where its holes were."""

TAKEN = ("mean", "total", "item", "all")
"""What logs, predictions and comparisons call something else than an attribute."""


@dataclass
class ColumnsConfig:
    """The names of a catalogue's columns; a null column does not exist."""

    id: str = "id"
    title: str | None = "title"
    picture: str | None = None
    """A column of file names below the picture folder; null takes `picture_pattern` instead."""
    time: str | None = None
    """A column that orders the items in time, for `data.split.kind=time`: numbers, or ISO dates."""
    missing_times: list[str] = field(default_factory=lambda: [""])
    """Texts in it that mean "not known"; such items are old."""


@dataclass
class AttributeConfig:
    """One attribute to learn: the column that holds it and the texts in it that mean "no label"."""

    column: str | None = None
    """null: the column has the attribute's own name."""
    missing: list[str] = field(default_factory=lambda: [""])
    weight: float = 1.0
    """Of its term in the loss. Here, not in the loss, so that `data.attributes.season.weight=0.5` needs no list of
    attributes anywhere else."""
    target_accuracy: float | None = None
    """Of the answers that are accepted without a look; null: `thresholds.target_accuracy`."""


@dataclass
class SplitConfig:
    """How rows are dealt to train, validation and test."""

    kind: str = "family"
    test_fraction: float = 0.3
    validation_fraction: float = 0.2
    """A share of what is not test."""
    block_size: int = 500
    """Neighbouring ids that stay together, for `kind: block`."""
    seed: int = 0

    def __post_init__(self) -> None:
        check_choice("data.split.kind", self.kind, ("family", "random", "time", "block"))
        check_range("data.split.test_fraction", self.test_fraction, 0.01, 0.9)
        check_range("data.split.validation_fraction", self.validation_fraction, 0.01, 0.9)
        check_range("data.split.block_size", self.block_size, 1, 1e9)
        check_range("data.split.seed", self.seed, 0, MAX_SEED)


@dataclass
class DataConfig:
    """A catalogue: where it lies, how its columns are called, what to learn, how to split it."""

    name: str = "my_catalogue"
    kind: str = "files"
    """`files`: read `catalogue` and `images`; `sample`: the catalogue that the package draws."""
    catalogue: str | None = None
    images: str | None = None
    picture_pattern: str = "{id}.jpg"
    columns: ColumnsConfig = field(default_factory=ColumnsConfig)
    missing_titles: list[str] = field(default_factory=lambda: [""])
    tabular: dict[str, TabularColumnConfig] = field(default_factory=dict)
    """Columns that the model reads beside the picture and the title, a third input."""
    numeric: list[str] = field(default_factory=list)
    """Columns of numbers to read as they stand, in short for an entry each in `tabular` ..."""
    categorical: list[str] = field(default_factory=list)
    """... and columns of categories."""
    attributes: dict[str, AttributeConfig] = field(default_factory=dict)
    learn: list[str] | None = None
    """Which of `attributes` to learn, null for all; a name that is not among them is a column as it stands."""
    taxonomy: list[str] | None = None
    """Attributes whose classes are answered only in combinations that occur in the training rows; null for none. It
    shrinks to those that `learn` keeps, and there is none below two."""
    alike: list[str] | None = None
    """Attributes that make two items similar where they agree; null for all. It shrinks to those that `learn` keeps."""
    min_count: int = 2
    """A class with fewer training rows than this is too rare to learn."""
    rare: str = "mask"
    """What becomes of its rows: `mask` (no label for this attribute) or `other` (the class "Other")."""
    split: SplitConfig = field(default_factory=SplitConfig)

    def __post_init__(self) -> None:
        check_choice("data.kind", self.kind, ("files", "sample"))
        check_choice("data.rare", self.rare, ("mask", "other"))
        check_range("data.min_count", self.min_count, 1, 1e9)
        if self.kind == "sample" and self.catalogue is not None:
            wrong = "data=sample draws its own catalogue and would not read this one"
            raise UserError(f"data.catalogue={self.catalogue}", wrong, "Add data=catalogue")
        if "{id}" not in self.picture_pattern:
            wrong = "every item would have the same picture"
            raise UserError(f"data.picture_pattern={self.picture_pattern}", wrong, "Put {id} into it")
        self.taxonomy = self._learned("taxonomy", self.taxonomy, fewest=2)
        self.alike = self._learned("alike", self.alike, fewest=1)
        if self.learn is not None:
            self.attributes = {name: self.attributes.get(name, AttributeConfig()) for name in self.learn}
        if not self.attributes:
            raise UserError("data.attributes", "no attribute is declared", "Declare at least one to learn")
        self._settle_tabular()
        for name, attribute in self.attributes.items():
            check_range(f"data.attributes.{name}.weight", attribute.weight, 0, 1e6)
            if attribute.target_accuracy is not None:
                check_range(f"data.attributes.{name}.target_accuracy", attribute.target_accuracy, 0.5, 0.9999)
            if not name or "." in name or "/" in name:
                raise UserError(
                    f"data.attributes.{name}", "a name may not be empty or hold '.' or '/'", "Set its column"
                )
            if name in TAKEN:
                raise UserError(f"data.attributes.{name}", "the results use this name", "Rename it, and set its column")

    def _learned(self, key: str, given: list[str] | None, fewest: int) -> list[str] | None:
        """Those of the attributes `given` by a key that are learned; None where they are fewer than `fewest`."""
        learned = self.attributes if self.learn is None else self.learn
        for name in given or ():
            if name not in self.attributes and name not in learned:
                repair = f"Use some of {', '.join(self.attributes)}, or null"
                raise UserError(f"data.{key}={name}", "no such attribute", repair)
        kept = [name for name in dict.fromkeys(given or ()) if name in learned]
        return kept if len(kept) >= fewest else None

    def _settle_tabular(self) -> None:
        self._read_short()
        answers = {self.column_of(attribute): attribute for attribute in self.attributes}
        readers: dict[str, str] = {}
        for name, column in self.tabular_columns().items():
            if (other := readers.setdefault(column, name)) != name:
                wrong = f"reads column {column!r}, which data.tabular.{other} reads already"
                raise UserError(f"data.tabular.{name}", wrong, "Leave one of them out")
            if column in answers:
                wrong = f"column {column!r} is what the model has to answer ({answers[column]})"
                raise UserError(f"data.tabular.{name}", wrong, f"Leave it out, or {self.without(answers[column])}")

    def _read_short(self) -> None:
        """Enter `numeric` and `categorical` into `tabular`. They say an entry's kind, whatever else it says itself."""
        kinds: dict[str, str] = {}
        for kind, names in {"numeric": self.numeric, "categorical": self.categorical}.items():
            for name in names:
                entry = self.tabular.get(name, TabularColumnConfig(kind))
                if name in kinds or (entry.kind, kind) == ("numeric", "categorical"):
                    wrong = f"{name} is {kinds.get(name, entry.kind)} already"
                    raise UserError(f"data.{kind}=[{','.join(names)}]", wrong, f"Name {name} once")
                kinds[name] = kind
                self.tabular = self.tabular | {name: replace(entry, kind=kind)}

    def tabular_columns(self) -> dict[str, str]:
        """The catalogue's column of each of `tabular`."""
        return {name: config.column or name for name, config in self.tabular.items()}

    def without(self, attribute: str) -> str:
        """What leaves `attribute` out, for a message's repair."""
        return f"'~data.attributes.{attribute}'" if self.learn is None else f"take {attribute} out of data.learn"

    def column_of(self, attribute: str) -> str:
        """The catalogue's column that holds `attribute`."""
        return self.attributes[attribute].column or attribute


@dataclass
class PreprocessConfig:
    """How a picture file becomes pixels. It travels in the bundle, so training and tagging cannot drift."""

    height: int = 80
    width: int = 60
    formats: list[str] = field(default_factory=lambda: ["JPEG", "PNG", "WEBP"])
    max_megapixels: float = 50.0
    max_megabytes: float = 30.0

    def __post_init__(self) -> None:
        for name in self.formats:
            check_choice("preprocess.formats", name, PICTURE_FORMATS)
        check_range("preprocess.max_megapixels", self.max_megapixels, 1e-6, 1e6)
        check_range("preprocess.max_megabytes", self.max_megabytes, 1e-6, 1e6)
        check_range("preprocess.height", self.height, 8, 4096)
        check_range("preprocess.width", self.width, 8, 4096)
