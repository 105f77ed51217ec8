"""Training titles varied, a batch at a time: words dropped, synonyms put in, label words struck.

A title that names its colour teaches a model to read that word and to look at nothing else. Where the word is struck,
at random or in a title shown beside the whole one, the rest of it and the picture must do.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fashionmt.config import TitleVariationConfig
from fashionmt.data.label_words import strike
from fashionmt.data.titles import EncodedTitles, TitleEncoder

STRUCK_LOSES = 0.4
"""The share of the other words that a struck title loses. What is left of a title names its product, and a product
learned by heart says nothing of others: 8,000 items, validation, struck titles, colour 59.0 against 55.2."""
SYNONYMS = (
    ("grey", "gray"),
    ("tshirt", "t-shirt", "tee"),
    ("sweatshirt", "pullover"),
    ("handbag", "purse"),
    ("sunglasses", "shades"),
    ("watch", "wristwatch"),
    ("wallet", "billfold"),
    ("women", "women's", "ladies"),
    ("men", "men's", "gents"),
    ("kids", "children's"),
    ("multi", "multicoloured", "multicolor"),
)
"""Groups of words that a seller may use for each other, and that no catalogue we know has as two labels: "scarf" and
"stole", "backpack" and "rucksack" are."""

ALTERNATIVES = {word: [other for other in group if other != word] for group in SYNONYMS for word in group}
_KNOWN = re.compile(r"\b(?:" + "|".join(sorted(map(re.escape, ALTERNATIVES), key=len, reverse=True)) + r")\b", re.I)


@dataclass(frozen=True)
class TitleVariation:
    """Varies the titles of a catalogue and encodes them."""

    encoder: TitleEncoder
    titles: Sequence[str | None]
    """Of every row."""
    label_words: Mapping[str, frozenset[str]]
    """Attribute -> the folded words of its classes' names."""
    config: TitleVariationConfig

    struck: bool = False
    """Whether titles are also given with label words struck."""

    def encode(self, rows: npt.NDArray[np.int64]) -> tuple[EncodedTitles | None, EncodedTitles | None]:
        """The titles `rows`, varied, or None where the config varies none; and with `struck` the same less the label
        words of one attribute or of all, and less some others. The draw depends on `rows` alone, whose order is a draw
        of seed and epoch: a resumed run repeats it without a state of its own."""
        draw = np.random.default_rng(rows)
        titles = [self._vary(self.titles[row], draw) for row in rows]
        varied = self.encoder.encode(titles) if self.config.varies else None
        if not self.struck:
            return varied, None
        struck = [self._strike_more(title, draw) if title is not None else None for title in titles]
        return varied, self.encoder.encode(struck)

    def _vary(self, title: str | None, draw: np.random.Generator) -> str | None:
        """A title may lose its label words of one attribute or of all, some of its words, and change others."""
        struck, dropped, swapped = draw.random(3)
        if title is None:
            return None
        if struck < self.config.strike:
            title = self._strike(title, draw)
        if swapped < self.config.synonyms:
            title = swap_words(title, draw)
        if dropped < self.config.drop_words:
            title = drop_words(title, draw)
        return title

    def _strike(self, title: str, draw: np.random.Generator) -> str:
        """A title of label words alone stays whole: an item without a picture would have nothing."""
        return strike(title, self._struck_words(draw)) or title

    def _strike_more(self, title: str, draw: np.random.Generator) -> str:
        """As `_strike`, and `STRUCK_LOSES` of the other words."""
        return drop_words(self._strike(title, draw), draw, STRUCK_LOSES)

    def _struck_words(self, draw: np.random.Generator) -> frozenset[str]:
        """Half the time those of every attribute, half the time of one."""
        names = list(self.label_words)
        if draw.random() < 0.5:
            names = [names[draw.integers(len(names))]]
        return frozenset[str]().union(*(self.label_words[name] for name in names))


def swap_words(title: str, draw: np.random.Generator) -> str:
    """A title with another word of the group for each word of `SYNONYMS`."""

    def other(found: re.Match[str]) -> str:
        # Without regard to case "i" is also the Turkish capital I with a dot, whose small letter is another.
        others = ALTERNATIVES.get(found[0].lower())
        return found[0] if others is None else str(draw.choice(others))

    return _KNOWN.sub(other, title)


def drop_words(title: str, draw: np.random.Generator, share: float = 0.2) -> str:
    """A title less about a `share` of its words, and never less all of them."""
    words = title.split()
    kept = [word for word in words if draw.random() >= share]
    return " ".join(kept) if kept else title
