"""Splits: whole families, the same for the same items, and nothing seen twice on the real catalogue."""

import csv
import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from fashionmt.config import AttributeConfig, ColumnsConfig, DataConfig, SplitConfig
from fashionmt.data.catalogue import CatalogueFiles
from fashionmt.data.splits import (
    MOST_TITLES,
    Split,
    blocks,
    crowded_pictures,
    families,
    make_split,
    normalised_title,
)
from fashionmt.data.stored_catalogue import read_catalogue
from fashionmt.errors import UserError

Texts = Sequence[str | None]
KINDS = ["family", "block", "random", "time"]


def union_find(titles: Texts, digests: Texts) -> list[int]:
    """Each row's root: two rows are united where they share a title or a picture; compared pair by pair."""
    root = list(range(len(titles)))

    def find(row: int) -> int:
        while root[row] != row:
            row = root[row]
        return row

    def plain(title: str | None) -> str:
        return "".join(letter for letter in (title or "").casefold() if letter.isalnum())

    for a in range(len(titles)):
        for b in range(a):
            same_title = plain(titles[a]) != "" and plain(titles[a]) == plain(titles[b])
            if same_title or (digests[a] and digests[a] == digests[b]):
                root[find(a)] = find(b)
    return [find(row) for row in range(len(titles))]


def partition(groups: Sequence[object]) -> set[frozenset[int]]:
    found = defaultdict(set)
    for row, group in enumerate(groups):
        found[group].add(row)
    return {frozenset(rows) for rows in found.values()}


def random_items(count: int, seed: int) -> tuple[list[str], list[str | None], list[str | None], list[str | None]]:
    """Ids, titles, digests and times, with chains of shared titles and pictures, and holes."""
    draw = random.Random(seed)
    words = ["Red Shirt", "red-shirt", "RED  SHIRT!", "Blue Shoe", "Straße", "STRASSE", "", "-", None, "٣ hats"]
    titles = [draw.choice([*words, *[f"own {i}" for i in range(count)]]) for _ in range(count)]
    digests = [draw.choice([None, *[f"{i:x}" for i in range(count)]]) for _ in range(count)]
    ids = [f"{i}" for i in draw.sample(range(10 * count), count)]
    times = [draw.choice([None, "2010", "2011", "2012", "2013"]) for _ in range(count)]
    return ids, titles, digests, times


def ids_of(rows: Sequence[object]) -> list[str]:
    return [f"i{i}" for i in range(len(rows))]


def assert_whole(split: Split, count: int) -> None:
    parts = list(split.parts().values())
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))
    assert all(part.tolist() == sorted(part.tolist()) and len(part) > 0 for part in parts)


# Families


@pytest.mark.parametrize("seed", range(25))
def test_families_are_those_of_a_union_find_over_all_pairs(seed: int) -> None:
    ids, titles, digests, _ = random_items(4 + 3 * seed, seed)
    assert partition(families(ids, titles, digests)) == partition(union_find(titles, digests))


def test_a_family_is_linked_through_others() -> None:
    """0-1 by title, 1-2 by picture, 2-3 by title: 0 and 3 share nothing themselves."""
    titles = ["a", "A!", "b", "b.", "c"]
    digests = ["x", "y", "y", "z", None]
    assert partition(families(["0", "1", "2", "3", "4"], titles, digests)) == {frozenset({0, 1, 2, 3}), frozenset({4})}


def test_a_family_is_named_by_its_smallest_id() -> None:
    assert families(["b", "a", "c"], ["x", "x", "y"], [None] * 3).tolist() == ["a", "a", "c"]


@pytest.mark.parametrize("empty", [None, "", "-", "!?", "_", " "])
def test_empty_titles_and_absent_pictures_link_nothing(empty: str | None) -> None:
    assert len(set(families(["0", "1", "2"], [empty] * 3, [None] * 3))) == 3


def test_a_title_and_a_digest_of_one_text_link_nothing() -> None:
    assert len(set(families(["0", "1"], ["abc", None], [None, "abc"]))) == 2


@pytest.mark.parametrize("untitled", [0, 3])
def test_a_picture_of_too_many_titles_links_no_items(untitled: int) -> None:
    """Items without a title neither count nor link; one title written in two ways is one."""
    for different, linked in ((MOST_TITLES, True), (MOST_TITLES + 1, False)):
        titles = [*(f"own {i}" for i in range(different)), "OWN-0", *[None] * untitled]
        digests = ["none yet"] * len(titles)
        found = families([f"{i:03}" for i in range(len(titles))], titles, digests)
        assert len(set(found)) == (1 if linked else different + untitled)
        assert found[0] == found[different]
        assert crowded_pictures(titles, digests) == ({} if linked else {"none yet": len(titles)})


def test_one_picture_of_many_items_keeps_the_shares() -> None:
    count = 1000
    ids, titles = [f"{i}" for i in range(count)], [f"own {i}" for i in range(count)]
    digests = ["none yet" if i < 400 else f"{i}" for i in range(count)]
    split = make_split(ids, titles, digests, [None] * count, SplitConfig())
    assert [len(rows) for rows in split.parts().values()] == [560, 140, 300]


def test_items_without_titles_stay_linked_by_their_picture() -> None:
    assert len(set(families([f"{i}" for i in range(50)], [None] * 50, ["x"] * 50))) == 1


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Puma Men's T-Shirt, (Red)", "pumamenstshirtred"),
        ("  A_b\tC\n", "abc"),
        ("STRASSE Straße", "strassestrasse"),
        ("Été 2012", "été2012"),
        ("👗 !?", ""),
        ("靴 33", "靴33"),
    ],
)
def test_a_normalised_title_is_letters_and_digits(title: str, expected: str) -> None:
    assert normalised_title(title) == expected


# Whole splits


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_every_row_is_in_one_part_and_no_group_crosses(kind: str, seed: int) -> None:
    count = 150
    ids, titles, digests, times = random_items(count, seed)
    config = SplitConfig(kind=kind, block_size=10, seed=seed)
    split = make_split(ids, titles, digests, times, config)
    assert_whole(split, count)
    part_of = {row: name for name, rows in split.parts().items() for row in rows.tolist()}
    if kind == "family":
        groups = partition(union_find(titles, digests))
    elif kind == "block":
        order = sorted(range(count), key=lambda row: int(ids[row]))
        groups = {frozenset(order[at : at + 10]) for at in range(0, count, 10)}
    elif kind == "time":
        known = [row for row in range(count) if times[row] is not None]
        of_test = {times[row] for row in known if part_of[row] == "test"}
        assert all(times[row] not in of_test for row in known if part_of[row] != "test")
        # Families do not cross between training and validation.
        rest = [row for row in range(count) if part_of[row] != "test"]
        groups = {family & set(rest) for family in partition(union_find(titles, digests))}
    else:
        groups = {frozenset({row}) for row in range(count)}
    for group in groups:
        assert len({part_of[row] for row in group}) <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_split_depends_on_the_items_and_not_on_their_order(kind: str) -> None:
    ids, titles, digests, times = random_items(120, 5)
    config = SplitConfig(kind=kind, block_size=7)

    def dealt(order: Sequence[int]) -> dict[str, set[str]]:
        columns = [[column[row] for row in order] for column in (titles, digests, times)]
        chosen = [ids[row] for row in order]
        split = make_split(chosen, *columns, config)
        return {name: {chosen[row] for row in rows} for name, rows in split.parts().items()}

    first = dealt(range(120))
    assert dealt(range(120)) == first
    for seed in range(3):
        assert dealt(random.Random(seed).sample(range(120), 120)) == first


@pytest.mark.parametrize("kind", ["family", "block", "random"])
def test_another_seed_is_another_split(kind: str) -> None:
    ids, titles, digests, times = random_items(120, 5)
    tests = {
        tuple(make_split(ids, titles, digests, times, SplitConfig(kind=kind, block_size=5, seed=seed)).test)
        for seed in range(5)
    }
    assert len(tests) == 5


@pytest.mark.parametrize("kind", ["family", "block", "random"])
@pytest.mark.parametrize(("test_fraction", "validation_fraction"), [(0.3, 0.2), (0.1, 0.5), (0.9, 0.1)])
def test_parts_have_the_shares_asked_for(kind: str, test_fraction: float, validation_fraction: float) -> None:
    """Families of one and two items each."""
    count = 3000
    ids = [f"{i}" for i in range(count)]
    titles = [f"title {i - (i % 3 == 1)}" for i in range(count)]
    config = SplitConfig(kind=kind, block_size=10, test_fraction=test_fraction, validation_fraction=validation_fraction)
    split = make_split(ids, titles, [None] * count, [None] * count, config)
    assert len(split.test) / count == pytest.approx(test_fraction, abs=0.03)
    assert len(split.validation) / (count - len(split.test)) == pytest.approx(validation_fraction, abs=0.05)


def test_the_split_file_names_every_item_in_order(tmp_path: Path) -> None:
    split = Split(np.array([1, 4]), np.array([0]), np.array([2, 3]))
    ids = ["007", "a,b", "NA", " x ", 'q"']
    assert split.is_kept(tmp_path / "split.csv", ids)
    split.save(tmp_path / "split.csv", ids)
    assert split.is_kept(tmp_path / "split.csv", ids)
    assert not Split(np.array([1]), np.array([0, 4]), np.array([2, 3])).is_kept(tmp_path / "split.csv", ids)
    with (tmp_path / "split.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["id", "split"], ["007", "validation"], ["a,b", "train"], ["NA", "test"], [" x ", "test"], ['q"', "train"],
        ]  # fmt: skip


# Blocks and times


def test_blocks_are_neighbours_by_value_and_texts_come_last() -> None:
    ids = ["10", "9", "b", "007", "1", "a", "8", "2"]
    # In order: 1 2 007 8 | 9 10 a b
    assert partition(blocks(ids, 4)) == {frozenset({4, 7, 3, 6}), frozenset({1, 0, 5, 2})}
    assert partition(blocks(ids, 100)) == {frozenset(range(8))}
    assert len(set(blocks(ids, 1))) == 8


def test_blocks_do_not_depend_on_the_order_of_rows_with_odd_numbers_among_them() -> None:
    ids = ["nan", "inf", "1e5", "-3", "x", "3", "20", "NaN", "²", "1_0", "0.5", "9" * 400]
    expected = dict(zip(ids, blocks(ids, 1).tolist(), strict=True))
    assert [expected[i] for i in ("3", "20", "9" * 400)] == [0, 1, 2]
    for seed in range(10):
        mixed = random.Random(seed).sample(ids, len(ids))
        assert dict(zip(mixed, blocks(mixed, 1).tolist(), strict=True)) == expected


# Degenerate catalogues


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_items_are_refused(kind: str, count: int) -> None:
    ids = [f"{i}" for i in range(count)]
    with pytest.raises(UserError, match="split"):
        make_split(ids, ids, [None] * count, ids, SplitConfig(kind=kind, block_size=1))


@pytest.mark.parametrize("kind", KINDS)
def test_three_items_are_one_for_each_part(kind: str) -> None:
    ids = ["a", "b", "c"]
    split = make_split(ids, ids, [None] * 3, ["1", "2", "3"], SplitConfig(kind=kind, block_size=1))
    assert_whole(split, 3)


def test_one_family_is_refused() -> None:
    ids = [f"{i}" for i in range(50)]
    with pytest.raises(UserError, match=r"split family: too few families \(1\) .* 50 rows that test .* more items"):
        make_split(ids, ["Shirt"] * 50, [None] * 50, [None] * 50, SplitConfig())


@pytest.mark.parametrize(("size", "rows", "part"), [(50, 50, "test"), (25, 25, "validation")])
def test_too_few_blocks_are_refused_by_their_size(size: int, rows: int, part: str) -> None:
    ids = [f"{i}" for i in range(50)]
    few = rf"split block: too few blocks of {size} neighbouring ids \(1\) among the {rows} rows"
    told = rf"{few} that {part} would be taken from\. Set a smaller data\.split\.block_size\."
    with pytest.raises(UserError, match=told):
        make_split(ids, ids, [None] * 50, [None] * 50, SplitConfig(kind="block", block_size=size))


@pytest.mark.parametrize("test_fraction", [0.01, 0.3, 0.9])
@pytest.mark.parametrize("validation_fraction", [0.01, 0.9])
@pytest.mark.parametrize("count", range(2, 13))
def test_few_families_are_dealt_whole_or_refused(test_fraction: float, validation_fraction: float, count: int) -> None:
    ids = [f"{i}" for i in range(count)]
    config = SplitConfig(test_fraction=test_fraction, validation_fraction=validation_fraction)
    try:
        split = make_split(ids, ids, [None] * count, [None] * count, config)
    except UserError:
        # Nothing is left for training and validation, one family each.
        assert count - max(1, np.ceil(count * test_fraction)) < 2
    else:
        assert_whole(split, count)


# The real catalogue


@pytest.mark.slow
def test_nothing_of_the_real_catalogue_is_seen_twice(real_catalogue: Path, tmp_path: Path) -> None:
    """Reads 40,150 files: titles and picture bytes compared the slow way, part by part."""
    files = CatalogueFiles(real_catalogue / "styles.csv", real_catalogue / "images")
    catalogue, findings = read_catalogue(files, REAL, tmp_path)
    rows = list(catalogue.rows())
    contents = [_content(row.picture) for row in rows]
    digests = [None if content is None else hashlib.md5(content).hexdigest() for content in contents]
    assert len(rows) == 40_155
    assert digests.count(None) == 5
    repaired = {r["what"]: r["count"] for r in findings.to_json() if r["action"] == "repaired"}
    assert list(repaired.values()) == [20]
    empty = {r["what"]: r["count"] for r in findings.to_json()}
    assert empty["season labels that read ''"] == 21
    split = make_split(
        [row.id for row in rows], [row.title for row in rows], digests, [None] * len(rows), SplitConfig()
    )
    assert_whole(split, len(rows))
    seen: dict[str, str] = {}
    for name, part in split.parts().items():
        for row in part:
            title = "".join(letter for letter in (rows[row].title or "").casefold() if letter.isalnum())
            for key in ("title " + title if title else None, digests[row]):
                assert key is None or seen.setdefault(key, name) == name
    shares = {name: len(part) / len(rows) for name, part in split.parts().items()}
    assert shares["test"] == pytest.approx(0.3, abs=0.02)
    assert shares["validation"] == pytest.approx(0.7 * 0.2, abs=0.02)


REAL = DataConfig(
    columns=ColumnsConfig(title="productDisplayName", time="year"),
    missing_titles=["", "NA"],
    attributes={name: AttributeConfig() for name in ("articleType", "baseColour", "gender", "season")},
)


def _content(path: Path | None) -> bytes | None:
    assert path is not None
    return path.read_bytes() if path.is_file() else None


def test_the_real_table_has_the_holes_and_repairs_that_are_known(real_catalogue: Path, tmp_path: Path) -> None:
    """Against its lines split by hand: no field of this file begins with a quote."""
    catalogue, _ = read_catalogue(CatalogueFiles(real_catalogue / "styles.csv", None), REAL, tmp_path)
    rows = list(catalogue.rows())
    lines = (real_catalogue / "styles.csv").read_text(encoding="utf-8").splitlines()[1:]
    fields = [line.split(",", 9) for line in lines]
    assert sum(line.count(",") > 9 for line in lines) == 20
    assert [row.id for row in rows] == [field[0] for field in fields]
    titles = [field[9].strip() for field in fields]
    assert [row.title for row in rows] == [None if title in ("", "NA") else title for title in titles]
    for name, at in (("gender", 1), ("articleType", 4), ("baseColour", 5), ("season", 6)):
        assert [row.labels[name] or "" for row in rows] == [field[at] for field in fields]
    assert Counter(row.labels["season"] for row in rows)[None] == 21
    assert Counter(row.labels["baseColour"] for row in rows)["NA"] > 0
