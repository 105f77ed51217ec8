"""The sample catalogue: same bytes every time, complete or absent, with the defects it declares."""

import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashionmt.data import sample
from fashionmt.data.sample import SampleCatalogue, sample_catalogue
from fashionmt.data.sample_drawing import COLOURS

Row = dict[str, str]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def drawn(cache: Path) -> SampleCatalogue:
    return sample_catalogue(cache)


@pytest.fixture(scope="module")
def rows(drawn: SampleCatalogue) -> list[Row]:
    """The table read the slow, obvious way: whatever follows the ninth comma is the title."""
    header, *lines = drawn.catalogue.read_text().splitlines()
    assert tuple(header.split(",")) == sample.COLUMNS
    return [dict(zip(sample.COLUMNS, line.split(",", 9), strict=True)) for line in lines]


def _bytes_by_name(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def _pictures(folder: Path) -> dict[str, bytes]:
    return {path.stem: path.read_bytes() for path in folder.iterdir()}


def _families(rows: list[Row]) -> Counter[str]:
    return Counter(re.sub(r"[^a-z0-9]", "", row["productDisplayName"].lower()) for row in rows)


def _is_grey(path: Path) -> bool:
    """Whether nothing is coloured and the item is middle grey, as no label is: black is dark, white is light."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)  # [height, width, 3]
    saturation = pixels.max(axis=2) - pixels.min(axis=2)
    light = pixels.mean(axis=2)
    item = light < 245
    middle = (light > 105) & (light < 155)
    dark = light < 70
    return bool(saturation.max() < 25 and middle.sum() > 0.17 * item.sum() and dark.sum() < 0.05 * item.sum())


def test_two_draws_are_the_same_bytes(drawn: SampleCatalogue, tmp_path: Path) -> None:
    again = sample_catalogue(tmp_path)
    assert _bytes_by_name(again.catalogue.parent) == _bytes_by_name(drawn.catalogue.parent)


def test_a_second_call_draws_nothing(drawn: SampleCatalogue, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "_write_catalogue", lambda folder: pytest.fail("drawn again"))
    before = drawn.catalogue.stat().st_mtime_ns
    assert sample_catalogue(cache) == drawn
    assert drawn.catalogue.stat().st_mtime_ns == before
    assert [path.name for path in cache.iterdir()] == [f"sample-v{sample.VERSION}"]


def test_what_a_kill_left_behind_does_no_harm(tmp_path: Path) -> None:
    leftover = tmp_path / f".sample-v{sample.VERSION}-killed"
    (leftover / "images").mkdir(parents=True)
    (leftover / "styles.csv").write_text("id,gen")
    drawn = sample_catalogue(tmp_path)
    assert len(drawn.catalogue.read_text().splitlines()) == sample.ITEMS + 1


def test_a_failed_draw_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_midway(folder: Path) -> None:
        (folder / "styles.csv").write_text("id,gen")
        raise OSError("disk full")

    monkeypatch.setattr(sample, "_write_catalogue", fail_midway)
    with pytest.raises(OSError, match="disk full"):
        sample_catalogue(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_slower_of_two_processes_takes_the_faster_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def overtaken(folder: Path) -> None:
        faster = tmp_path / f"sample-v{sample.VERSION}"
        faster.mkdir()
        (faster / "styles.csv").write_text("the faster one's")

    monkeypatch.setattr(sample, "_write_catalogue", overtaken)
    assert sample_catalogue(tmp_path).catalogue.read_text() == "the faster one's"
    assert len(list(tmp_path.iterdir())) == 1


def test_ragged_rows(drawn: SampleCatalogue) -> None:
    fields = Counter(line.count(",") + 1 for line in drawn.catalogue.read_text().splitlines()[1:])
    assert fields == Counter({10: sample.ITEMS - len(sample.RAGGED_FIELDS), **Counter(sample.RAGGED_FIELDS)})


def test_missing_and_na_cells(rows: list[Row]) -> None:
    empty = Counter(column for row in rows for column in sample.COLUMNS if row[column] == "")
    expected = Counter(sample.MISSING_LABELS)
    assert empty == expected + Counter(season=sample.MISSING_SEASONS, productDisplayName=sample.NEITHER)
    assert sum(row["baseColour"] == "NA" for row in rows) == sample.NA_COLOURS
    assert sum(row["productDisplayName"] == "NA" for row in rows) == sample.NA_TITLES


def test_missing_pictures(drawn: SampleCatalogue, rows: list[Row]) -> None:
    stored = _pictures(drawn.images).keys()
    without = [row for row in rows if row["id"] not in stored]
    assert stored <= {row["id"] for row in rows}
    assert len(without) == sample.MISSING_PICTURES + sample.NEITHER
    assert sum(row["productDisplayName"] == "" for row in without) == sample.NEITHER


def test_every_picture_opens_and_has_its_size_and_mode(drawn: SampleCatalogue) -> None:
    sizes: Counter[tuple[int, int]] = Counter()
    modes: Counter[str] = Counter()
    for path in drawn.images.iterdir():
        with Image.open(path) as picture:
            picture.load()
            sizes[picture.size] += 1
            modes[picture.mode] += 1
    count = sizes.total()
    assert sizes == Counter(sample.SMALL_PICTURES) + Counter({(60, 80): count - len(sample.SMALL_PICTURES)})
    assert modes == Counter(L=sample.GREY_FILES, RGB=count - sample.GREY_FILES)


def test_shared_titles_and_pictures(drawn: SampleCatalogue, rows: list[Row]) -> None:
    shared_titles = sum(count for count in _families(rows).values() if count > 1)
    assert 2 * sample.VARIANTS <= shared_titles <= 0.25 * len(rows)
    copies = Counter(_pictures(drawn.images).values())
    assert sum(count - 1 for count in copies.values()) == sample.TWINS


def test_classes_are_few_long_tailed_and_some_rare(rows: list[Row]) -> None:
    types = Counter(row["articleType"] for row in rows)
    assert {name: types[name] for name in sample.RARE_ROWS} == sample.RARE_ROWS
    common = [count for name, count in types.items() if name not in sample.RARE_ROWS]
    assert min(common) >= 20
    assert max(common) > 4 * min(common)
    assert len({row["gender"] for row in rows} - {""}) == 5
    assert len({row["season"] for row in rows} - {""}) == 4


def test_each_colour_is_named_by_the_title_or_seen_in_the_picture(drawn: SampleCatalogue, rows: list[Row]) -> None:
    stored = _pictures(drawn.images).keys()
    sound = [row for row in rows if row["productDisplayName"] and row["baseColour"] not in ("", "NA")]
    named = [row["baseColour"] in row["productDisplayName"] for row in sound]
    seen = [row["id"] in stored and not _is_grey(drawn.images / f"{row['id']}.jpg") for row in sound]
    assert all(in_title or in_picture for in_title, in_picture in zip(named, seen, strict=True))
    assert 0.12 < 1 - np.mean(named) < 0.26
    assert 0.08 < 1 - np.mean(seen) < 0.2


@pytest.mark.parametrize(
    ("column", "words", "least", "most"),
    [
        ("gender", r"\b(Men|Women|Boys|Girls|Unisex)\b", 0.12, 0.28),
        ("season", r"\b(Summer|Linen|Fall|Autumn|Winter|Spring)\b", 0.18, 0.34),
        ("articleType", r"(Tshirt|Tee|Shirt|Top|Jeans|Dress|Sneakers|Trainers|Heels|Handbag|Backpack|Clutch|Wallet|"
         r"Watch|Belt|Cap|Scarf)$", 0.08, 0.22),
    ],
)  # fmt: skip
def test_a_good_share_of_titles_leaves_each_attribute_open(
    rows: list[Row], column: str, words: str, least: float, most: float
) -> None:
    silent = [re.search(words, row["productDisplayName"]) is None for row in rows]
    assert least < np.mean(silent) < most, column


def test_title_and_picture_together_always_decide(rows: list[Row]) -> None:
    """Looks into the generator: no two common items agree in both inputs' signs and differ in a label."""
    labels_of: dict[object, set[tuple[str, ...]]] = {}
    rng = random.Random(7)
    for item in sample._common_items(3000, rng):
        assert item.picture is not None
        attributes = ("articleType", "baseColour", "gender", "season")
        told = tuple(item.labels[sign] if sign in item.told else None for sign in attributes)
        labels = tuple(item.labels[sign] for sign in attributes)
        labels_of.setdefault((told, item.picture.look), set()).add(labels)
    assert all(len(labels) == 1 for labels in labels_of.values())


def test_neither_input_alone_decides() -> None:
    items = sample._common_items(3000, random.Random(7))
    assert np.mean([sample._tells_all(item) for item in items]) < 0.5
    assert np.mean([sample._shows_all(item) for item in items]) < 0.5


def test_new_items_have_no_labels_and_their_own_defects(drawn: SampleCatalogue, rows: list[Row]) -> None:
    header, *lines = drawn.new_catalogue.read_text().splitlines()
    assert tuple(header.split(",")) == sample.NEW_COLUMNS
    title_of = dict(line.split(",") for line in lines)
    stored = _pictures(drawn.new_images).keys()
    assert len(title_of) == sample.NEW_ITEMS
    assert title_of.keys().isdisjoint(row["id"] for row in rows)
    untitled = {item for item, title in title_of.items() if title == ""}
    assert len(untitled) == sample.NEW_EMPTY_TITLES + sample.NEW_NEITHER
    assert len(title_of.keys() - stored) == sample.NEW_MISSING_PICTURES + sample.NEW_NEITHER
    assert len(untitled - stored) == sample.NEW_NEITHER
    assert any(not re.search("|".join(COLOURS), title) for title in title_of.values() if title)
