"""The sample catalogue: twelve hundred drawn items, so that a newcomer can train with no download and no account.

Each attribute is told by the title, by the picture or by both, never by neither, so both towers are needed:

| attribute | in the title | in the picture |
| --- | --- | --- |
| articleType | its word ("Sneakers") | its shape; a plain tee, shoe or pouch fits two types |
| baseColour | its name | the colour, unless the picture is grey |
| gender | its name | the department's sticker in a corner, if there is one |
| season | a collection ("Summer", "Linen") | the studio's backdrop, unless it is white |

A grey picture has a white backdrop and no sticker: it tells the type at most, and the title all else.
The article type decides subCategory and masterCategory, and the gender where only one gender wears the type.
The defects of real catalogues are there in small: the constants below say how many, and they alone break
the rule.
"""

import os
import random
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from fashionmt.data.sample_drawing import COLOURS, HEIGHT, STICKERS, WIDTH, Look, draw
from fashionmt.data.sample_titles import SIGNS, Sign, make_title

VERSION = 1  # part of the folder's name: raise it whenever a byte of the drawn catalogue changes
SEED = 20120512
ITEMS = 1200  # rows of styles.csv
NEW_ITEMS = 60  # rows of new/items.csv
# fmt: off
COLUMNS = (
    "id", "gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "year", "usage",
    "productDisplayName",
)
# fmt: on
NEW_COLUMNS = ("id", "productDisplayName")

# Defects. Each row has at most one of them; grey, variant and twin rows are sound in every other way.
RAGGED_FIELDS = (11, 12)  # one row each: unquoted commas in the title make this many fields instead of ten
MISSING_PICTURES = 2  # rows whose picture file does not exist, not counting the one below
NEITHER = 1  # rows with an empty title and no picture file: nothing to learn or to tag from
MISSING_SEASONS = 3  # rows with an empty season
MISSING_LABELS = ("gender", "baseColour")  # one row each with this label empty
NA_COLOURS = 1  # rows whose baseColour is the text NA
NA_TITLES = 1  # rows whose title is the text NA
GREY_FILES = 15  # pictures stored with one channel (mode L); more look grey but have three
SMALL_PICTURES = ((45, 60), (53, 80))  # one picture each, width x height in px
VARIANTS = 60  # rows that repeat another row's title, with a picture of their own
TWINS = 6  # rows with another row's very picture file, under a title of their own
RARE_ROWS = {"Caps": 1, "Scarves": 4}  # all rows of these article types
NEW_MISSING_PICTURES = 1  # the same among the new items
NEW_EMPTY_TITLES = 1  # new items with a picture and no title
NEW_NEITHER = 1
NEW_GREY_FILES = 1

# How often the picture is grey, and how often one of the other signs is in one input only; else it is in both.
# The article type is in the title only where the type has a plain shape: that share of those, none of the others.
_GREY = 0.14
_ONLY_PICTURE: dict[Sign, float] = {"articleType": 0.15, "baseColour": 0.22, "gender": 0.24, "season": 0.3}
_ONLY_TITLE: dict[Sign, float] = {"articleType": 0.35, "baseColour": 0.0, "gender": 0.25, "season": 0.3}


@dataclass(frozen=True)
class _Article:
    """An article type: where it belongs, how often it is drawn, who wears it and its shapes."""

    master: str
    sub: str
    weight: float
    genders: dict[str, float]
    shape: str
    plain_shape: str | None = None  # the shape it shares with another type; None: it shares none


# Who wears what, as shares. Unisex has no sticker, so only a title tells it, or a type that is always unisex.
_ALL = {"Men": 0.5, "Women": 0.2, "Boys": 0.14, "Girls": 0.1, "Unisex": 0.06}
_ADULTS = {"Men": 0.58, "Women": 0.32, "Unisex": 0.1}
_COUPLES = {"Men": 0.65, "Women": 0.35}
_MEN_MOSTLY = {"Men": 0.55, "Women": 0.27, "Boys": 0.18}
_FEMALE = {"Women": 0.65, "Girls": 0.35}
_WOMEN = {"Women": 1.0}
# fmt: off
_ARTICLES = {
    "Tshirts": _Article("Apparel", "Topwear", 19, _ALL, "tshirt", "tee"),
    "Shirts": _Article("Apparel", "Topwear", 11, _MEN_MOSTLY, "shirt"),
    "Tops": _Article("Apparel", "Topwear", 10, _FEMALE, "top", "tee"),
    "Jeans": _Article("Apparel", "Bottomwear", 8, _MEN_MOSTLY, "jeans"),
    "Dresses": _Article("Apparel", "Dress", 6, _FEMALE, "dress"),
    "Casual Shoes": _Article("Footwear", "Shoes", 10, _ADULTS, "casual", "shoe"),
    "Sports Shoes": _Article("Footwear", "Shoes", 9, _ADULTS, "sports", "shoe"),
    "Heels": _Article("Footwear", "Shoes", 5, _WOMEN, "heel"),
    "Handbags": _Article("Accessories", "Bags", 6, _WOMEN, "handbag"),
    "Backpacks": _Article("Accessories", "Bags", 4, {"Unisex": 1.0}, "backpack"),
    "Clutches": _Article("Accessories", "Bags", 3, _WOMEN, "clutch", "pouch"),
    "Wallets": _Article("Accessories", "Wallets", 4, _COUPLES, "wallet", "pouch"),
    "Watches": _Article("Accessories", "Watches", 8, _ADULTS, "watch"),
    "Belts": _Article("Accessories", "Belts", 4, _COUPLES, "belt"),
    "Caps": _Article("Accessories", "Headwear", 0, {"Men": 1.0}, "cap"),
    "Scarves": _Article("Accessories", "Scarves", 0, _WOMEN, "scarf"),
}
# fmt: on
_COLOUR_WEIGHTS = dict(zip(COLOURS, (20, 16, 14, 13, 11, 10, 9, 7), strict=True))
_SEASON_WEIGHTS = {"Summer": 38, "Fall": 26, "Winter": 20, "Spring": 16}


@dataclass(frozen=True)
class SampleCatalogue:
    """Where the drawn catalogue lies: table and picture folder, and the same for the new items."""

    catalogue: Path
    images: Path
    new_catalogue: Path
    new_images: Path


@dataclass(frozen=True)
class _Picture:
    """A picture yet to be drawn; the same picture gives the same bytes."""

    look: Look
    seed: int
    mode: Literal["RGB", "L"] = "RGB"
    size: tuple[int, int] = (WIDTH, HEIGHT)  # px

    def save(self, path: Path) -> None:
        image = draw(self.look, random.Random(self.seed)).convert(self.mode)
        image.resize(self.size).save(path, "JPEG", quality=90)


@dataclass(frozen=True)
class _Item:
    """One row: its labels by column, the signs its title tells and its picture shows, and both of those."""

    labels: dict[str, str]
    told: frozenset[Sign]
    shown: frozenset[Sign]
    title: str
    picture: _Picture | None


def sample_catalogue(cache: Path) -> SampleCatalogue:
    """The sample catalogue under `cache`, drawn on the first call (some seconds, about 4 MB on disk).

    It is drawn into a folder of its own and renamed when complete, so a killed process leaves no half
    catalogue and two processes do not meet. What a kill leaves behind, a folder whose name starts with a dot,
    may be deleted.
    """
    folder = cache / f"sample-v{VERSION}"
    if not folder.is_dir():
        draft = cache / f".{folder.name}-{uuid.uuid4().hex}"
        draft.mkdir(parents=True)
        try:
            _write_catalogue(draft)
            os.rename(draft, folder)
        except OSError:
            if not folder.is_dir():  # else another process finished first, with the same bytes
                raise
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return SampleCatalogue(
        folder / "styles.csv", folder / "images", folder / "new" / "items.csv", folder / "new" / "images"
    )


def _write_catalogue(folder: Path) -> None:
    rng = random.Random(SEED)
    items, new_items = _catalogue_items(rng), _new_items(rng)
    ids = rng.sample(range(1100, 60000), len(items) + len(new_items))
    _write(folder, "styles.csv", COLUMNS, sorted(ids[: len(items)]), items)
    _write(folder / "new", "items.csv", NEW_COLUMNS, sorted(ids[len(items) :]), new_items)


def _write(folder: Path, table: str, columns: Sequence[str], ids: Sequence[int], items: Sequence[_Item]) -> None:
    """The table and its pictures; nothing is quoted, so a title with a comma makes a ragged row."""
    (folder / "images").mkdir(parents=True)
    lines = [",".join(columns)]
    for item_id, item in zip(ids, items, strict=True):
        values = {"id": str(item_id), "productDisplayName": item.title, **item.labels}
        lines.append(",".join(values[column] for column in columns))
        if item.picture is not None:
            item.picture.save(folder / "images" / f"{item_id}.jpg")
    (folder / table).write_bytes(("\n".join(lines) + "\n").encode())


def _catalogue_items(rng: random.Random) -> list[_Item]:
    """All rows of styles.csv in their final order, defects included."""
    items = [_random_item(name, rng) for name, rows in RARE_ROWS.items() for _ in range(rows)]
    items += _common_items(ITEMS - len(items) - VARIANTS - TWINS, rng)
    sources = rng.sample(items[sum(RARE_ROWS.values()) :], VARIANTS + TWINS)
    variants = [_variant(item, rng) for item in sources[:VARIANTS]]
    twins = [replace(item, title=make_title(item.labels, item.told, rng)) for item in sources[VARIANTS:]]
    items += variants + twins
    rng.shuffle(items)
    _add_defects(items, rng)
    return items


def _new_items(rng: random.Random) -> list[_Item]:
    items = _common_items(NEW_ITEMS, rng)
    spoiler = _Spoiler(items, rng)
    spoiler.spoil(NEW_GREY_FILES, _stored_grey, fits=_looks_grey)
    spoiler.spoil(NEW_MISSING_PICTURES, _without_picture, fits=_tells_all)
    spoiler.spoil(NEW_EMPTY_TITLES, lambda item: replace(item, title=""), fits=_shows_all)
    spoiler.spoil(NEW_NEITHER, lambda item: replace(item, title="", picture=None))
    return items


def _common_items(count: int, rng: random.Random) -> list[_Item]:
    weights = [article.weight for article in _ARTICLES.values()]
    return [_random_item(name, rng) for name in rng.choices(list(_ARTICLES), weights, k=count)]


def _random_item(name: str, rng: random.Random) -> _Item:
    article = _ARTICLES[name]
    labels = {
        "gender": _drawn(article.genders, rng),
        "masterCategory": article.master,
        "subCategory": article.sub,
        "articleType": name,
        "baseColour": _drawn(_COLOUR_WEIGHTS, rng),
        "season": _drawn(_SEASON_WEIGHTS, rng),
        "year": str(rng.randrange(2010, 2018)),
        "usage": "Sports" if name == "Sports Shoes" else rng.choice(("Casual", "Casual", "Casual", "Formal")),
    }
    told, shown = _random_signs(article, labels["gender"], rng)
    picture = _Picture(_look(labels, shown), seed=rng.getrandbits(32))
    return _Item(labels, told, shown, make_title(labels, told, rng), picture)


def _drawn(weights: Mapping[str, float], rng: random.Random) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def _random_signs(article: _Article, gender: str, rng: random.Random) -> tuple[frozenset[Sign], frozenset[Sign]]:
    """The signs the title tells and those the picture shows: together all of them."""
    told, shown = set(SIGNS), set(SIGNS)
    if rng.random() < _GREY:
        shown -= {"baseColour", "gender", "season"}
    if gender not in STICKERS and len(article.genders) > 1:
        shown.discard("gender")
    for sign in SIGNS:
        chance = rng.random()
        if sign not in shown:
            continue
        if chance < _ONLY_PICTURE[sign]:
            told.remove(sign)
        elif chance > 1 - _ONLY_TITLE[sign] and not (sign == "articleType" and article.plain_shape is None):
            shown.remove(sign)
    return frozenset(told), frozenset(shown)


def _look(labels: dict[str, str], shown: frozenset[Sign]) -> Look:
    article = _ARTICLES[labels["articleType"]]
    plain = article.plain_shape if "articleType" not in shown else None
    # A type that only one gender wears needs no sticker.
    sticker = labels["gender"] if "gender" in shown and len(article.genders) > 1 else None
    return Look(
        shape=plain or article.shape,
        colour=labels["baseColour"] if "baseColour" in shown else None,
        backdrop=labels["season"] if "season" in shown else None,
        sticker=sticker,
    )


def _variant(item: _Item, rng: random.Random) -> _Item:
    """The same item photographed again: same title and labels, another picture."""
    assert item.picture is not None
    return replace(item, picture=replace(item.picture, seed=rng.getrandbits(32)))


class _Spoiler:
    """Gives rows of `items` their defects, at most one each, and none to variants, twins and rare types."""

    def __init__(self, items: list[_Item], rng: random.Random) -> None:
        self._items = items
        titles = Counter(item.title for item in items)
        pictures = Counter(item.picture for item in items)
        self._spare = [
            row
            for row, item in enumerate(items)
            if titles[item.title] == pictures[item.picture] == 1 and item.labels["articleType"] not in RARE_ROWS
        ]
        rng.shuffle(self._spare)

    def spoil(self, rows: int, change: Callable[[_Item], _Item], fits: Callable[[_Item], bool] | None = None) -> None:
        """Apply `change` to that many rows not spoiled yet, chosen among those that `fits` accepts."""
        chosen = [row for row in self._spare if fits is None or fits(self._items[row])][:rows]
        assert len(chosen) == rows, f"{len(chosen)} rows fit, {rows} wanted"
        for row in chosen:
            self._spare.remove(row)
            self._items[row] = change(self._items[row])


def _add_defects(items: list[_Item], rng: random.Random) -> None:
    spoiler = _Spoiler(items, rng)
    spoiler.spoil(GREY_FILES, _stored_grey, fits=_looks_grey)
    # Rows that lose one input keep a complete other one, so only the reader is tested and not the model.
    spoiler.spoil(MISSING_PICTURES, _without_picture, fits=_tells_all)
    spoiler.spoil(NA_TITLES, lambda item: replace(item, title="NA"), fits=_shows_all)
    spoiler.spoil(NEITHER, lambda item: replace(item, title="", picture=None))
    spoiler.spoil(MISSING_SEASONS, partial(_relabelled, column="season", value=""))
    spoiler.spoil(NA_COLOURS, partial(_relabelled, column="baseColour", value="NA"))
    for column in MISSING_LABELS:
        spoiler.spoil(1, partial(_relabelled, column=column, value=""))
    for fields in RAGGED_FIELDS:
        commas = fields - len(COLUMNS)
        spoiler.spoil(1, partial(_with_commas, commas=commas), fits=lambda item: item.title.count(" ") > 2)
    for size in SMALL_PICTURES:
        spoiler.spoil(1, partial(_resized, size=size))


def _looks_grey(item: _Item) -> bool:
    return "baseColour" not in item.shown


def _tells_all(item: _Item) -> bool:
    return item.told == frozenset(SIGNS)


def _shows_all(item: _Item) -> bool:
    return item.shown == frozenset(SIGNS)


def _without_picture(item: _Item) -> _Item:
    return replace(item, picture=None)


def _stored_grey(item: _Item) -> _Item:
    assert item.picture is not None
    return replace(item, picture=replace(item.picture, mode="L"))


def _resized(item: _Item, size: tuple[int, int]) -> _Item:
    assert item.picture is not None
    return replace(item, picture=replace(item.picture, size=size))


def _relabelled(item: _Item, column: str, value: str) -> _Item:
    return replace(item, labels={**item.labels, column: value})


def _with_commas(item: _Item, commas: int) -> _Item:
    return replace(item, title=item.title.replace(" ", ", ", commas))
