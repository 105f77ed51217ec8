"""The words of label names in titles: which labels a title gives away, and the title without them.

Words are compared folded: letter case, possessives, plurals and a few spellings do not count, and neither does a hyphen
or a space inside a word, so that the label "Tshirts" stands in "Men's T-shirt". Synonyms ("tee", "crimson") are other
words.
"""

import functools
import re
from collections.abc import Iterable, Iterator

WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)*")
SPELLINGS = {
    "children": "child",
    "colour": "color",
    "grey": "gray",
    "jewellery": "jewelry",
    "men": "man",
    "pyjama": "pajama",
    "scarves": "scarf",
    "women": "woman",
}
FUNCTION_WORDS = frozenset({"a", "an", "and", "for", "in", "of", "on", "or", "the", "to", "with"})
"""They tell nothing, although a label ("Face Wash and Cleanser") holds them."""


@functools.lru_cache(maxsize=1 << 16)
def fold(word: str) -> str:
    """A word's form for comparison: "Women's", "womens" and "Women" are one, and so are "hoodies" and "hoodie".

    A rule, not a dictionary: what it makes of a word need not be one ("jeans" becomes "jean").
    """
    folded = re.sub(r"['\u2019]s?$|['\u2019]", "", word.casefold())
    folded = SPELLINGS.get(folded, folded)
    if len(folded) > 3 and folded.endswith("s") and not folded.endswith("ss"):
        folded = folded[: -2 if folded.endswith(("ches", "shes", "sses", "xes")) else -1]
    if len(folded) > 3 and folded.endswith("ie"):
        folded = folded[:-2] + "y"
    return SPELLINGS.get(folded, folded)


def label_words(labels: Iterable[str]) -> frozenset[str]:
    """The folded words of the names of `labels`, less function words: "Navy Blue" gives navy and blue."""
    return frozenset(fold(word) for label in labels for word in WORD.findall(label)) - FUNCTION_WORDS


def title_words(title: str | None) -> dict[str, int]:
    """The folded words of a title -> where it first holds them, counted in words; neighbours also as one word."""
    words = WORD.findall(title or "")
    places: dict[str, int] = {}
    for place, word in enumerate(words):
        places.setdefault(fold(word), place)
        if place + 1 < len(words):
            places.setdefault(fold(word + words[place + 1]), place)
    return places


def names_any(title: str | None, words: frozenset[str]) -> bool:
    """Whether one of the folded `words` occurs in the title.

    With `label_words([label])`: the title names its label, at least by one word of it. With the `label_words` of all
    labels of an attribute: it names one of them, so a title *names no colour* where this is False for every colour's
    words together.
    """
    return not words.isdisjoint(title_words(title))


def strike(title: str | None, words: frozenset[str]) -> str | None:
    """The title without the folded `words`; None where no letter or digit is left."""
    if title is None:
        return None
    kept, end = [], 0
    for start, stop in _struck(title, words):
        kept.append(title[end:start])
        end = stop
    parts = "".join([*kept, title[end:]]).split()
    return " ".join(part for part in parts if WORD.search(part)) or None


def _struck(title: str, words: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Where the words to strike begin and end, ascending. Two words that are one ("T-shirt") go together."""
    found = list(WORD.finditer(title))
    place = 0
    while place < len(found):
        here, after = found[place], found[place + 1] if place + 1 < len(found) else None
        if after is not None and fold(here.group() + after.group()) in words:
            yield here.start(), after.end()
            place += 2
            continue
        if fold(here.group()) in words:
            yield here.span()
        place += 1
