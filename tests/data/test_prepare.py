"""A catalogue prepared: nothing lost in silence, one split for every model, errors that say what to do."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fashionmt.attributes import MISSING
from fashionmt.config import ColumnsConfig, DataConfig, PreprocessConfig, TabularColumnConfig
from fashionmt.data.ngrams import NgramVocabulary
from fashionmt.data.picture_cache import NO_ROW
from fashionmt.data.prepare import PreparedData, prepare_data
from fashionmt.data.preprocess import decode_picture
from fashionmt.data.splits import MOST_TITLES, families
from fashionmt.data.titles import TitleEncoder
from fashionmt.data.tokens import learn_tokenizer
from fashionmt.errors import UserError

BOTH = ("image", "text")
Encode = Callable[..., bytes]
Prepare = Callable[..., PreparedData]


def learn(titles: Sequence[str]) -> TitleEncoder:
    return TitleEncoder(learn_tokenizer(titles, 200, 8), NgramVocabulary.learn(titles, 1))


@pytest.fixture
def prepare(tmp_path: Path, small: PreprocessConfig) -> Prepare:
    def prepared(config: DataConfig, modalities: Collection[str] = BOTH, limit: int | None = None) -> PreparedData:
        return prepare_data(config, small, tmp_path / "cache", modalities, learn, limit)

    return prepared


def ids(data: PreparedData) -> dict[str, set[str]]:
    return {name: {data.ids[row] for row in rows} for name, rows in data.split.parts().items()}


def found(data: PreparedData) -> dict[tuple[str, str], tuple[int, list[str]]]:
    return {(r["what"], r["action"]): (r["count"], r["examples"]) for r in data.findings.to_json()}


# The whole


def test_every_item_keeps_its_own_picture_title_and_labels(
    shop: Any, prepare: Prepare, small: PreprocessConfig
) -> None:
    data = prepare(shop.write())
    assert list(data.ids) == [row["id"] for row in shop.rows]
    assert found(data) == {}
    assert data.titles.tokenizer is not None
    assert data.titles.ngrams is not None
    for i, row in enumerate(shop.rows):
        batch = data.items.gather(np.array([i]))
        assert np.array_equal(batch.pixels[0], decode_picture(shop.pictures[row["id"]], small))
        assert batch.token_ids[0].tolist() == data.titles.tokenizer.encode(row["title"]).ids
        assert batch.ngram_ids[0].tolist() == data.titles.ngrams.encode([row["title"]]).ids.tolist()
        for name in ("kind", "colour"):
            assert data.spaces[name].classes[batch.labels[name][0]] == row[name]


def test_datasets_are_the_parts_of_the_split(shop: Any, prepare: Prepare) -> None:
    data = prepare(shop.write())
    assert sum(len(data.dataset(part)) for part in ("train", "validation", "test")) == 40
    for part, rows in data.split.parts().items():
        batch = data.dataset(part)[range(len(rows))]
        assert batch.pixels[:, 0, 0, 0].tolist() == rows.tolist()  # item i shows the shade i


def test_the_vocabularies_are_learned_from_training_titles_alone(
    shop: Any, tmp_path: Path, small: PreprocessConfig
) -> None:
    handed: list[str] = []

    def spy(titles: Sequence[str]) -> TitleEncoder:
        handed.extend(titles)
        return learn(titles)

    data = prepare_data(shop.write(), small, tmp_path / "cache", BOTH, spy)
    assert handed == [shop.rows[row]["title"] for row in data.split.train]


def test_label_spaces_are_learned_from_training_rows_alone(shop: Any, prepare: Prepare) -> None:
    """A class of one test item is unlearned: masked, with an index past the last logit."""
    row = int(prepare(shop.write()).split.test[0])
    shop.rows[row]["colour"] = "Teal"
    config = shop.write()
    config.min_count = 1
    data = prepare(config)
    assert (data.spaces["colour"].classes, data.spaces["colour"].unlearned) == (("Blue", "Red"), ("Teal",))
    assert data.items.labels["colour"][row] == 2


def test_a_hole_in_the_labels_is_missing(shop: Any, prepare: Prepare) -> None:
    shop.rows[3]["colour"] = ""
    data = prepare(shop.write())
    assert data.items.labels["colour"][3] == MISSING
    assert data.items.labels["kind"][3] != MISSING
    assert found(data) == {("colour labels that read ''", "kept, masked in the loss"): (1, ["i3"])}


def test_a_text_that_means_no_label_is_kept_with_its_attribute(shop: Any, prepare: Prepare) -> None:
    shop.rows[3]["colour"] = "N/A"
    config = shop.write()
    config.attributes["colour"].missing = ["", "N/A"]
    data = prepare(config)
    assert data.items.labels["colour"][3] == MISSING
    assert {name: space.missing for name, space in data.spaces.items()} == {"colour": ("", "N/A"), "kind": ("",)}


# Set aside


def test_an_item_with_neither_title_nor_picture_is_set_aside_and_counted(shop: Any, prepare: Prepare) -> None:
    for i in (4, 9):
        shop.rows[i]["title"] = " "
    del shop.pictures["i4"]
    shop.pictures["i9"] = b"not a picture"
    data = prepare(shop.write())
    assert list(data.ids) == [f"i{i}" for i in range(40) if i not in (4, 9)]
    assert len(data.items.labels["kind"]) == len(data.items.pictures.row) == len(data.items.titles.tokens.lengths) == 38
    assert found(data)["items with neither a title nor a picture", "set aside"] == (2, ["i4", "i9"])
    assert found(data)["pictures: no such file", "kept without the picture"] == (1, ["i4"])
    assert found(data)["pictures: not a picture of JPEG, PNG, WEBP", "kept without the picture"] == (1, ["i9"])


def test_an_item_with_one_of_both_is_kept(shop: Any, prepare: Prepare) -> None:
    shop.rows[4]["title"] = ""
    del shop.pictures["i9"]
    data = prepare(shop.write())
    assert len(data.ids) == 40
    batch = data.items.gather(np.array([4, 9, 0]))
    assert batch.has_title.tolist() == [False, True, True]
    assert batch.has_image.tolist() == [True, False, True]
    assert sum(len(part) for part in data.split.parts().values()) == 40


def test_models_of_one_input_and_of_two_share_a_split(shop: Any, prepare: Prepare) -> None:
    """Each leaves out what it cannot read, after the split: no item changes its part."""
    for i in range(0, 40, 7):
        shop.rows[i]["title"] = ""
    for i in range(3, 40, 7):
        del shop.pictures[f"i{i}"]
    config = shop.write()
    both, image, text = (ids(prepare(config, modalities)) for modalities in (BOTH, ["image"], ["text"]))
    untitled, unpictured = {f"i{i}" for i in range(0, 40, 7)}, {f"i{i}" for i in range(3, 40, 7)}
    for part in ("train", "validation", "test"):
        assert image[part] == both[part] - unpictured
        assert text[part] == both[part] - untitled
    assert set.union(*both.values()) == {f"i{i}" for i in range(40)}


def test_what_a_model_cannot_read_is_counted(shop: Any, prepare: Prepare) -> None:
    shop.rows[7]["title"] = ""
    del shop.pictures["i8"]
    config = shop.write()
    for modality, item in (("text", "i7"), ("image", "i8")):
        data = prepare(config, [modality])
        key = (f"items without any input of a model that reads {modality}", "set aside")
        assert found(data)[key] == (1, [item])
        assert len(data.ids) == 40
    assert all("without any input" not in what for what, _ in found(prepare(config)))


def test_an_image_model_reads_no_titles(shop: Any, prepare: Prepare) -> None:
    data = prepare(shop.write(), ["image"])
    assert data.titles == TitleEncoder(None, None)
    assert not data.items.titles.there(np.arange(40)).any()


# Errors


@pytest.mark.parametrize("modalities", [BOTH, ["image"], ["text"]])
@pytest.mark.parametrize("how", ["damaged", "absent", "folder"])
def test_a_catalogue_whose_pictures_all_fail_is_refused(
    shop: Any, prepare: Prepare, how: str, modalities: Collection[str]
) -> None:
    config = shop.write()
    if how == "folder":
        config.picture_pattern = "nowhere/{id}.png"
    for path in list(shop.images.iterdir()):
        if how == "damaged":
            path.write_bytes(path.read_bytes()[:50])
        elif how == "absent":
            path.unlink()
    with pytest.raises(
        UserError, match=r"i0\.png: neither this nor any other picture could be read\. Check data\.images"
    ):
        prepare(config, modalities)


@pytest.mark.parametrize("modalities", [BOTH, ["text"]])
@pytest.mark.parametrize("how", ["empty", "no column"])
def test_a_text_model_needs_a_title_somewhere(
    shop: Any, prepare: Prepare, how: str, modalities: Collection[str]
) -> None:
    for row in shop.rows:
        row["title"] = ""
    config = shop.write()
    if how == "no column":
        config.columns = ColumnsConfig(title=None)
    with pytest.raises(UserError, match=r"data\.columns\.title"):
        prepare(config, modalities)
    assert sum(map(len, prepare(config, ["image"]).split.parts().values())) == 40


def test_an_image_model_needs_a_picture_folder(shop: Any, prepare: Prepare) -> None:
    config = shop.write()
    config.images = None
    with pytest.raises(UserError, match=r"data\.images: no training row has a picture"):
        prepare(config, ["image"])
    assert sum(map(len, prepare(config, ["text"]).split.parts().values())) == 40


@pytest.mark.parametrize("part", ["validation", "test"])
def test_a_part_without_anything_to_read_is_refused_by_name(shop: Any, prepare: Prepare, part: str) -> None:
    rows = prepare(shop.write()).split.parts()[part]
    for row in rows:
        del shop.pictures[f"i{row}"]
    config = shop.write()
    with pytest.raises(UserError, match=f"split {part}: no item has what a model that reads image needs"):
        prepare(config, ["image"])
    assert sum(map(len, prepare(config).split.parts().values())) == 40


def test_a_catalogue_of_nothing_readable_is_refused(shop: Any, prepare: Prepare) -> None:
    for row in shop.rows:
        row["title"] = ""
    config = shop.write()
    config.images = None
    with pytest.raises(UserError):
        prepare(config)


# A part of a catalogue


@pytest.mark.parametrize("limit", [12, 25, 39])
def test_a_limit_keeps_that_many_items_whole_families_first(shop: Any, prepare: Prepare, limit: int) -> None:
    for i in range(0, 40, 2):  # families of two
        shop.rows[i + 1]["title"] = shop.rows[i]["title"].upper()
    data = prepare(shop.write(), limit=limit)
    assert len(data.ids) == limit
    assert list(data.ids) == [f"i{i}" for i in range(40) if f"i{i}" in data.ids]
    kept = [int(name[1:]) // 2 for name in data.ids]
    assert sum(kept.count(family) == 1 for family in set(kept)) == limit % 2  # at most the last one is cut


def test_a_limited_catalogue_is_the_same_items_every_time_and_grows(shop: Any, prepare: Prepare) -> None:
    config = shop.write()
    chosen = [set(prepare(config, limit=limit).ids) for limit in (15, 20, 20, 30)]
    assert chosen[0] < chosen[1] == chosen[2] < chosen[3]
    shop.rows.reverse()
    assert set(prepare(shop.write(), limit=20).ids) == chosen[1]


def test_limited_items_keep_their_own_pictures(shop: Any, prepare: Prepare) -> None:
    data = prepare(shop.write(), limit=15)
    batch = data.items.gather(np.arange(15))
    assert [f"i{shade}" for shade in batch.pixels[:, 0, 0, 0].tolist()] == list(data.ids)
    assert (data.items.pictures.row != NO_ROW).all()


@pytest.mark.parametrize("limit", [40, 1000, None])
def test_a_limit_of_everything_is_no_limit(shop: Any, prepare: Prepare, limit: int | None) -> None:
    config = shop.write()
    data, whole = prepare(config, limit=limit), prepare(config)
    assert list(data.ids) == list(whole.ids)
    assert ids(data) == ids(whole)
    assert data.fingerprint == whole.fingerprint


def test_no_family_crosses_the_parts(shop: Any, prepare: Prepare) -> None:
    for i in (3, 11, 20, 33):
        shop.rows[i]["title"] = "One and the Same"
    shop.pictures["i5"] = shop.pictures["i3"]
    shop.pictures["i38"] = shop.pictures["i5"]
    data = prepare(shop.write())
    part_of = {row: name for name, rows in data.split.parts().items() for row in rows.tolist()}
    assert len({part_of[row] for row in (3, 11, 20, 33, 5, 38)}) == 1
    titles = [row["title"] for row in shop.rows]
    assert len(set(families(data.ids, titles, data.items.pictures.digests))) == 35


def test_a_picture_of_too_many_titles_makes_no_family_and_is_named(shop: Any, prepare: Prepare) -> None:
    for i in range(5, 5 + MOST_TITLES + 1):
        shop.pictures[f"i{i}"] = shop.pictures["i5"]
    data = prepare(shop.write())
    assert len(set(data.families)) == 40
    pictures = f"pictures of more than {MOST_TITLES} titles"
    assert found(data) == {(pictures, "no family made of their items"): (1, [f"i5.png of {MOST_TITLES + 1} items"])}


# The fingerprint


def test_the_fingerprint_of_the_same_data_is_the_same(
    shop: Any, prepare: Prepare, small: PreprocessConfig, tmp_path: Path
) -> None:
    config = shop.write()
    first = prepare(config).fingerprint
    assert len(first) == 64
    assert prepare(config).fingerprint == first
    # Not of how it is split, decoded or read, nor of where it lies or what else lies there.
    config.split.seed = 5
    config.min_count = 3
    (shop.images / "other.png").write_bytes(b"x")
    assert prepare(config, ["image"]).fingerprint == first
    other = PreprocessConfig(height=20, width=20)
    assert prepare_data(config, other, tmp_path / "other", BOTH, learn).fingerprint == first
    moved = shop.folder.rename(tmp_path / "moved")
    config.catalogue, config.images = str(moved / "items.csv"), str(moved / "images")
    assert prepare(config).fingerprint == first


def test_the_fingerprint_changes_with_a_label_a_title_an_id_and_a_picture(
    shop: Any, prepare: Prepare, encode: Encode
) -> None:
    def colour() -> None:
        shop.rows[3]["colour"] = "Red" if shop.rows[3]["colour"] == "Blue" else "Blue"

    def no_colour() -> None:
        shop.rows[3]["colour"] = ""

    def title() -> None:
        shop.rows[3]["title"] += "."

    def no_title() -> None:
        shop.rows[3]["title"] = ""

    def name() -> None:
        shop.rows[3]["id"] = "new"
        shop.pictures["new"] = shop.pictures.pop("i3")

    def picture() -> None:
        shop.pictures["new"] = encode(np.full((16, 12, 3), 250, np.uint8))

    def compression() -> None:
        shop.pictures["new"] = encode(np.full((16, 12, 3), 250, np.uint8), compress_level=0)

    def no_picture() -> None:
        del shop.pictures["new"]

    def one_item_less() -> None:
        shop.rows.pop()

    seen = [prepare(shop.write()).fingerprint]
    changes = (colour, no_colour, title, no_title, name, picture, compression)
    for change in changes:
        change()
        seen.append(prepare(shop.write()).fingerprint)
    shop.rows[3]["title"] = "back"
    seen.append(prepare(shop.write()).fingerprint)
    for change in (no_picture, one_item_less):
        change()
        seen.append(prepare(shop.write()).fingerprint)
    assert len(set(seen)) == len(seen) == 11


# Times


def test_the_newest_are_the_test_and_rows_without_a_time_are_old_and_counted(shop: Any, prepare: Prepare) -> None:
    for i, row in enumerate(shop.rows):
        row["year"] = "NA" if i in (3, 7) else str(2000 + i % 10)
    config = shop.write()
    config.columns, config.split.kind = ColumnsConfig(time="year"), "time"
    with pytest.raises(UserError, match=r"item i3: its time 'NA' is neither .* data\.columns\.missing_times"):
        prepare(config)
    config.columns.missing_times = ["NA"]
    data = prepare(config, ["text"])
    assert data.split.test_since == "2007"
    assert data.split.test.tolist() == [i for i in range(40) if i % 10 >= 7 and i != 7]
    assert found(data) == {("times that read 'NA'", "kept, older than all others in the split"): (2, ["i3", "i7"])}


# Other columns


def test_other_columns_are_learned_from_training_rows_and_what_cannot_be_read_is_named(
    shop: Any, prepare: Prepare
) -> None:
    test = int(prepare(shop.write()).split.test[0])
    for i, row in enumerate(shop.rows):
        row |= {"year": str(2010 + i % 3), "maker": "Ours" if i % 2 else "Theirs"}
    shop.rows[test] |= {"year": "2050", "maker": "Nobody"}
    shop.rows[0]["year"] = "twelve"
    config = shop.write()
    config.tabular = {"year": TabularColumnConfig(kind="numeric"), "brand": TabularColumnConfig(column="maker")}
    data = prepare(config)
    assert data.tabular.sizes() == (3, (3,))  # 2010 to 2012, two makers
    assert found(data) == {
        ("year values that are no number", "read as not known"): (1, ["i0"]),
        ("brand values that training did not learn", "read as not known"): (1, [f"i{test}"]),
    }
    other = next(i for i in (5, 11) if i != test)
    batch = data.items.gather(np.array([0, test, other]))
    assert batch.numbers.tolist() == [[0, 0, 0], [1, 1, 1], [1, 1, 1]]
    assert batch.categories.tolist() == [[2], [0], [1]]
    assert batch.has_tabular.tolist() == [True, True, True]
    assert {name: column[test] for name, column in data.raw_tabular.items()} == {"year": "2050", "brand": "Nobody"}
    assert data.fingerprint != prepare(shop.write()).fingerprint


def test_columns_that_say_nothing_in_training_are_refused(shop: Any, prepare: Prepare) -> None:
    for row in shop.rows:
        row["year"] = "?"
    config = shop.write()
    config.tabular = {"year": TabularColumnConfig(kind="numeric")}
    with pytest.raises(UserError, match=r"data\.tabular: no training row has a value of year"):
        prepare(config)


def test_a_column_that_is_not_there_is_named_with_its_option(shop: Any, prepare: Prepare) -> None:
    config = shop.write()
    config.tabular = {"year": TabularColumnConfig(column="anno")}
    with pytest.raises(UserError, match=r"no column 'anno' .*found: .*Set data\.tabular\.year\.column"):
        prepare(config)
