"""How training items are varied. None of it may change a label: what would shift a colour is 0 unless it is set, and
bounded here."""

from dataclasses import dataclass, field

from fashionmt.config.checks import check_range


@dataclass
class PictureVariationConfig:
    """Each picture's own draw, as tensor operations on the batch."""

    flip: float = 0.5
    """The share that is mirrored."""
    shift: float = 0.06
    """At most this share of a side."""
    zoom: float = 0.10
    """At most this share larger or smaller."""
    rotate: float = 0.0
    """At most this many degrees either way."""
    brightness: float = 0.0
    """At most this share of the full range lighter or darker; above 0.1 navy becomes blue."""
    contrast: float = 0.0
    """At most this share more or less about the picture's mean. By this or by `brightness` at its limit what the public
    catalogue calls Black (a median of 64, in pictures of 208) becomes 93 at most, which is nearer to Black than to Grey
    (143). By both at their limits it becomes 118, which is Grey: set both to half of that at most."""

    @property
    def varies(self) -> bool:
        """Whether any picture is varied at all."""
        return any(value > 0 for value in vars(self).values())

    def __post_init__(self) -> None:
        check_range("augment.pictures.flip", self.flip, 0, 1)
        check_range("augment.pictures.shift", self.shift, 0, 0.5)
        check_range("augment.pictures.zoom", self.zoom, 0, 0.9)
        check_range("augment.pictures.rotate", self.rotate, 0, 180)
        check_range("augment.pictures.brightness", self.brightness, 0, 0.1)
        check_range("augment.pictures.contrast", self.contrast, 0, 0.2)


@dataclass
class TitleVariationConfig:
    """Each title's own draw, before it is encoded."""

    strike: float = 0.0
    """The share whose label words are struck: half of these of every attribute, half of one."""
    drop_words: float = 0.0
    """The share that loses about one word in five."""
    synonyms: float = 0.0
    """The share whose words give way to synonyms."""

    def __post_init__(self) -> None:
        check_range("augment.titles.strike", self.strike, 0, 1)
        check_range("augment.titles.drop_words", self.drop_words, 0, 1)
        check_range("augment.titles.synonyms", self.synonyms, 0, 1)

    @property
    def varies(self) -> bool:
        """Whether any title is varied at all."""
        return self.strike > 0 or self.drop_words > 0 or self.synonyms > 0


@dataclass
class AugmentConfig:
    """Both."""

    pictures: PictureVariationConfig = field(default_factory=PictureVariationConfig)
    titles: TitleVariationConfig = field(default_factory=TitleVariationConfig)
