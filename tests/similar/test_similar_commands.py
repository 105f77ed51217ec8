"""`task=index` and `task=similar` from a catalogue to answers, on a model of a few seconds."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import fashionmt
from fashionmt.bundle import read_bundle
from fashionmt.config import PredictConfig, SimilarConfig
from fashionmt.data.sample import sample_catalogue
from fashionmt.errors import TooManyBadError, UserError
from fashionmt.inference import Item, TaggingEngine
from fashionmt.inference import run as tagging
from fashionmt.item_index import ItemIndex, load_index
from fashionmt.similar import find, make_index
from tests.tiny import one_thread

_one_thread = pytest.fixture(autouse=True)(one_thread)
ROWS = 60
TOP = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, cache: Path, trained: Path) -> Path:
    """A folder with sixty items of the sample, every third in stock, and their index."""
    folder = tmp_path_factory.mktemp("home")
    drawn = sample_catalogue(cache)
    table = pd.read_csv(drawn.catalogue, on_bad_lines="skip", dtype=str, keep_default_na=False)
    table = table[[(drawn.images / f"{item}.jpg").is_file() for item in table["id"]]].head(ROWS)
    table["stock"] = ["yes" if i % 3 == 0 else "no" for i in range(len(table))]
    table.to_csv(folder / "items.csv", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_index(config_of(trained, drawn.images))
    return folder


@pytest.fixture
def catalogue(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Path, cache: Path) -> PredictConfig:
    """The command that made the index, in a folder without it."""
    shutil.copy(home / "items.csv", tmp_path)
    monkeypatch.chdir(tmp_path)
    return config_of(trained, sample_catalogue(cache).images)


@pytest.fixture
def made(catalogue: PredictConfig, home: Path) -> ItemIndex:
    """A copy of the index, in the current folder."""
    shutil.copytree(home / "index", "index")
    return load_index("index")


def config_of(trained: Path, images: Path) -> PredictConfig:
    return PredictConfig(
        task="index",
        bundle=str(trained / "bundle"),
        catalogue="items.csv",
        images=str(images),
        output="index",
        keep_columns=["stock"],
        part_rows=16,
        batch_size=16,
        given=False,
        summary=False,
    )


def ask(config: PredictConfig, **query: Any) -> dict[str, Any]:
    asked = replace(config, task="similar", index="index", output=query.pop("output", None), images=None)
    return find(replace(asked, similar=SimilarConfig(**query)))


def ids_of(answer: dict[str, Any]) -> list[str]:
    return [hit["id"] for hit in answer["hits"]]


def test_an_index_holds_what_the_engine_says(catalogue: PredictConfig) -> None:
    summary = make_index(catalogue)
    assert (summary["added"], summary["items"], summary["complete"]) == (ROWS, ROWS, True)
    index = load_index("index")
    table = pd.read_csv("items.csv", dtype=str)
    engine = TaggingEngine(read_bundle(Path(str(catalogue.bundle))), vectors=True)
    items = [
        Item(row.id, row.productDisplayName, Path(str(catalogue.images)) / f"{row.id}.jpg", tabular={"year": row.year})
        for row in table.itertuples()
    ]
    for item, tags in zip(items, engine.tag(items), strict=True):
        row = index.row(item.id)
        assert index.column("title")[row] == item.title
        assert index.values(row) == {name: tag.value for name, tag in tags.tags.items()}
        assert tags.vector is not None
        assert np.allclose(index.vectors[row].numpy(), tags.vector, atol=1e-5)
    assert index.kept == ["stock"]


def test_the_same_command_again_adds_nothing(catalogue: PredictConfig) -> None:
    make_index(catalogue)
    before = Path("index/index.json").read_bytes()
    again = make_index(catalogue)
    assert (again["added"], again["same"], again["items"]) == (0, ROWS, ROWS)
    make_index(replace(catalogue, similar=SimilarConfig(existing="replace")))
    assert Path("index/index.json").read_bytes() == before


def test_pictures_that_are_there_again_come_into_the_index(catalogue: PredictConfig) -> None:
    """By `retry=quarantine`, one item that was in quarantine, and one that was tagged by its title."""
    away, photos = [], Path("photos")
    shutil.copytree(str(catalogue.images), photos)
    table = pd.read_csv("items.csv", dtype=str).head(3)
    table.loc[0, "productDisplayName"] = None
    table.to_csv("few.csv", index=False)
    for item in table["id"][:2]:
        away.append((photos / f"{item}.jpg").rename(f"{item}.jpg"))
    few = replace(catalogue, catalogue="few.csv", images="photos", max_bad_fraction=0.5)
    assert make_index(few)["items"] == 2
    by_title = load_index("index")
    for path in away:
        path.rename(photos / path.name)
    assert make_index(few)["same"] == 2
    told = make_index(replace(few, retry="quarantine"))
    assert (told["added"], told["replaced"], told["same"], told["items"]) == (2, 1, 1, 3)
    whole, item = load_index("index"), table["id"][1]
    assert whole.column("picture")[whole.row(item)] is not None
    assert not torch.equal(whole.vectors[whole.row(item)], by_title.vectors[by_title.row(item)])
    assert make_index(replace(few, retry="quarantine"))["same"] == 3


def test_what_was_left_out_is_taken_where_that_is_asked_for_then(catalogue: PredictConfig, made: ItemIndex) -> None:
    Path("more.csv").write_text(f"id,productDisplayName\n{made.ids[0]},Red Shirt\n")
    more = replace(catalogue, catalogue="more.csv", images=None, keep_columns=[])
    assert make_index(more)["refused"] == 1
    taking = replace(more, similar=SimilarConfig(existing="replace"))
    assert make_index(taking)["replaced"] == 1
    assert make_index(taking)["same"] == 1
    assert load_index("index").column("title")[0] == "Red Shirt"


def test_it_goes_on_where_it_was_stopped(catalogue: PredictConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parts that were tagged are not tagged again."""
    whole = tagging.make_parts

    def stopped(job: Any, config: Any, parts: Any, told: Any) -> None:
        whole(job, config, parts[:2], told)
        raise KeyboardInterrupt

    monkeypatch.setattr(tagging, "make_parts", stopped)
    with pytest.raises(KeyboardInterrupt):
        make_index(catalogue)
    assert not Path("index").exists()
    monkeypatch.setattr(tagging, "make_parts", whole)
    assert make_index(catalogue)["items"] == ROWS


def test_what_cannot_be_read_is_in_quarantine_and_not_in_the_index(catalogue: PredictConfig) -> None:
    Path("bad.csv").write_text("id,productDisplayName\n1,\n2,Red Shirt\n3,Blue Shoe\n")
    bad = replace(catalogue, catalogue="bad.csv", images=None, keep_columns=[])
    with pytest.raises(TooManyBadError, match="1 of 3 rows are in quarantine"):
        make_index(bad)
    summary = make_index(replace(bad, max_bad_fraction=0.5))
    assert (summary["items"], summary["quarantined"]) == (2, 1)
    assert load_index("index").ids == ["2", "3"]


def test_catalogues_come_into_one_index(catalogue: PredictConfig, made: ItemIndex) -> None:
    first = made.ids[0]
    Path("more.csv").write_text(f"id,productDisplayName\n{first},Red Shirt\nnew,Blue Shoe\nnew,Blue Shoe\n")
    more = replace(catalogue, catalogue="more.csv", images=None, keep_columns=[])
    told = make_index(more)
    assert (told["added"], told["refused"], told["repeated"], told["items"]) == (1, 1, 1, ROWS + 1)
    assert load_index("index").column("title")[0] != "Red Shirt"
    Path("more.csv").write_text(f"id,productDisplayName\n{first},Red Shirt\n")
    told = make_index(replace(more, similar=SimilarConfig(existing="replace")))
    assert (told["added"], told["replaced"], told["items"]) == (1, 1, ROWS + 1)
    assert load_index("index").column("title")[0] == "Red Shirt"


def test_by_id(catalogue: PredictConfig, made: ItemIndex) -> None:
    item = made.ids[7]
    answer = ask(catalogue, id=item, k=5)
    cosines = made.vectors @ made.vectors[7]
    order = [
        made.ids[row]
        for row in torch.argsort(cosines, descending=True).tolist()
        if made.products[row] != made.products[7]
    ]
    assert ids_of(answer)[0] == order[0]
    assert item not in ids_of(answer)
    for hit in answer["hits"]:
        values = made.values(made.row(hit["id"]))
        assert hit["attributes"] == values
        assert hit["agree"] == [name for name, value in made.values(7).items() if values[name] == value]
        assert hit["drawn_by"] in hit["inputs"]
        assert set(hit["inputs"]) == {"image", "text"}


def test_by_picture_words_and_both(catalogue: PredictConfig, made: ItemIndex) -> None:
    picture = Path(str(catalogue.images)) / f"{made.ids[3]}.jpg"
    engine = fashionmt.load_bundle(str(catalogue.bundle))
    by_picture = engine.similar(made, image=picture, k=4)
    assert by_picture.hits == engine.similar(made, image=picture.read_bytes(), k=4).hits
    assert by_picture.hits == engine.similar(made, image=Image.open(picture), k=4).hits
    assert {hit.drawn_by for hit in by_picture.hits} == {"image"}
    by_words = engine.similar(made, words="Red Shirt", k=4)
    assert {hit.drawn_by for hit in by_words.hits} == {"text"}
    alone = [tags.vector for tags in engine.with_vectors().tag([Item(image=picture), Item(title="Red Shirt")])]
    mixed = 0.7 * alone[0] + 0.3 * alone[1]
    mixed /= np.linalg.norm(mixed)
    for hit in engine.similar(made, image=picture, words="Red Shirt", image_weight=0.7, k=4).hits:
        assert hit.score == pytest.approx(float(made.vectors[made.row(hit.id)].numpy() @ mixed), abs=1e-5)
    for weight, other in ((1.0, by_picture), (0.0, by_words)):
        both = engine.similar(made, image=picture, words="Red Shirt", image_weight=weight, k=4)
        assert [hit.id for hit in both.hits] == [hit.id for hit in other.hits]
    whole = engine.similar(made, item={"id": made.ids[3], "title": "Red Shirt", "image": picture}, k=4)
    assert made.ids[3] not in [hit.id for hit in whole.hits]
    assert whole.query["inputs"] == ["image", "text"]


def test_what_is_wanted(catalogue: PredictConfig, made: ItemIndex) -> None:
    everything = ask(catalogue, id=made.ids[0], k=500, duplicates=True)
    assert len(everything["hits"]) == ROWS - 1
    assert everything["notes"] == [f"500 asked for, {ROWS - 1} to be found among the {ROWS} items of the index"]
    gender = made.values(0)["gender"]
    filtered = ask(catalogue, id=made.ids[0], k=500, duplicates=True, filters={"gender": gender})
    assert ids_of(filtered) == [hit["id"] for hit in everything["hits"] if hit["attributes"]["gender"] == gender]
    stocked = ask(catalogue, id=made.ids[0], k=500, duplicates=True, in_stock="stock")
    in_stock = set(pd.read_csv("items.csv", dtype=str).query("stock == 'yes'")["id"])
    assert ids_of(stocked) == [item for item in ids_of(everything) if item in in_stock]
    assert ids_of(ask(catalogue, id=made.ids[0], k=5, mmr=1.0)) == ids_of(ask(catalogue, id=made.ids[0], k=5))


def test_a_sheet_shows_the_pictures(catalogue: PredictConfig, made: ItemIndex) -> None:
    ask(catalogue, id=made.ids[0], k=5, html="deep/sheet.html")
    page = Path("deep/sheet.html").read_text()
    assert page.count("data:image/jpeg") == 6
    assert "no file" not in page
    assert "http:" not in page
    assert "https:" not in page


def test_items_of_a_file_as_queries(catalogue: PredictConfig, made: ItemIndex) -> None:
    item = made.ids[5]
    Path("queries.csv").write_text(f"id,productDisplayName\n{item},{made.column('title')[5]}\n=x,Red Shirt\nlost,\n")
    asked = replace(catalogue, keep_columns=[])
    told = ask(asked, queries="queries.csv", k=3, output="answers.csv")
    assert (told["queries"], told["unread"], told["hits"]) == (3, 1, 6)
    table = pd.read_csv("answers.csv", dtype=str, keep_default_na=False)
    assert table["query_id"].tolist() == [item] * 3 + ["'=x"] * 3 + ["lost"]
    assert table["rank"].tolist() == ["1", "2", "3", "1", "2", "3", ""]
    assert item not in table["item_id"].tolist()[:3]
    assert table["reason"].tolist()[-1].startswith("NOTHING_TO_READ: ")
    ask(asked, queries="queries.csv", k=3, output="answers.parquet")
    assert pd.read_parquet("answers.parquet")["item_id"].tolist()[:6] == table["item_id"].tolist()[:6]
    for output, told_wrong in ((None, "needs a file to write"), ("answers.csv", "is there already")):
        with pytest.raises(UserError, match=told_wrong):
            ask(asked, queries="queries.csv", output=output)


def test_a_query_without_a_hit_has_a_row_that_says_so(
    catalogue: PredictConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("one.csv").write_text("id,productDisplayName\none,Red Shirt\n")
    asked = replace(catalogue, catalogue="one.csv", images=None, keep_columns=[])
    make_index(asked)
    Path("queries.csv").write_text("id,productDisplayName\none,Red Shirt\nother,Blue Shoe\nlost,\n")
    told = ask(asked, queries="queries.csv", k=3, output="answers.csv")
    counts = [told[name] for name in ("queries", "unread", "nothing", "hits", "short")]
    assert counts == [3, 1, 1, 1, 2]
    table = pd.read_csv("answers.csv", dtype=str, keep_default_na=False)
    assert table[["query_id", "item_id"]].to_numpy().tolist() == [["one", ""], ["other", "one"], ["lost", ""]]
    assert table["reason"][0] == "no hit: 3 asked for, 0 to be found among the 1 items of the index"
    assert "1 could not be read and 1 have no hit" in capsys.readouterr().err


def test_with_nothing_at_all_the_sample_is_indexed_and_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trained, "runs/train/a/b")
    answer = find(PredictConfig(task="similar"))
    assert len(answer["examples"]) == 3
    told = capsys.readouterr().err
    assert "none below runs/index yet: made now" in told
    assert "similar.id=<id of an item>" in told
    again = find(PredictConfig(task="similar", similar=SimilarConfig(words="Red Shirt")))
    assert again["index"] == answer["index"]
    assert json.dumps(again)


def test_pictures_that_lie_elsewhere_now_are_said_to(catalogue: PredictConfig, made: ItemIndex) -> None:
    described = json.loads(Path("index/index.json").read_text())
    described["segments"][0]["images"] = "/nowhere"
    Path("index/index.json").write_text(json.dumps(described))
    hits = ask(catalogue, id=made.ids[0], k=2)["hits"]
    assert set(hits[0]["inputs"]) == {"text"}
    described["segments"][0]["images"] = "memory://bucket"  # nothing is fetched unasked
    Path("index/index.json").write_text(json.dumps(described))
    assert set(ask(catalogue, id=made.ids[0], k=2)["hits"][0]["inputs"]) == {"text"}


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"id": "nope"}, "id nope: no item of this id among the 60"),
        ({"image": "nope.jpg"}, "picture nope.jpg: IMAGE_NOT_FOUND: no such file. Give another picture"),
        ({"image": "items.csv"}, "picture items.csv: IMAGE_FORMAT_REFUSED: not a picture of"),
        ({"image": "items.csv", "words": "Red Shirt"}, "picture items.csv: IMAGE_FORMAT_REFUSED"),
        ({"words": "  "}, "query: NOTHING_TO_READ"),
        ({"words": "red", "filters": {"gendr": "Men"}}, "Did you mean gender"),
        ({"words": "red", "in_stock": "stocks"}, "Did you mean stock"),
        ({"words": "red", "output": "x.csv"}, "output: is where similar.queries goes"),
    ],
)
def test_what_cannot_be_asked_is_one_line(
    catalogue: PredictConfig, made: ItemIndex, query: dict[str, Any], told: str
) -> None:
    with pytest.raises(UserError) as caught:
        ask(catalogue, **query)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"id": "1", "words": "red"}, "similar.id and similar.words: one query at a time"),
        ({"k": 0}, "similar.k=0: out of range"),
        ({"mmr": 2.0}, "similar.mmr=2.0: out of range"),
        ({"image_weight": -1.0}, "out of range"),
        ({"existing": "drop"}, "Use one of refuse, replace"),
        ({"html": "items.csv"}, "similar.html=items.csv: not called as a page is. Let its name end in .html"),
    ],
)
def test_a_config_that_cannot_be_is_refused(query: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError) as caught:
        SimilarConfig(**query)
    assert told in str(caught.value)


def test_another_bundles_index_is_refused(catalogue: PredictConfig, made: ItemIndex, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(str(catalogue.bundle), other)
    described = json.loads((other / "bundle.json").read_text())
    (other / "bundle.json").write_text(json.dumps(described, indent=2))  # the same content in other bytes
    for tried in (
        lambda: ask(replace(catalogue, bundle=str(other)), id=made.ids[0]),
        lambda: make_index(replace(catalogue, bundle=str(other))),
        lambda: fashionmt.load_bundle(other).similar(made, id=made.ids[0]),
    ):
        with pytest.raises(UserError, match=r"holds vectors of the bundle .* and this is .*other"):
            tried()


def test_a_folder_that_holds_other_things_is_refused_before_anything_is_tagged(catalogue: PredictConfig) -> None:
    Path("other").mkdir()
    Path("other/notes.txt").write_text("mine")
    catalogue.output = "other"
    with pytest.raises(UserError, match=r"holds notes\.txt, and is no index"):
        make_index(catalogue)
    assert not Path("runs/predict").exists()


def test_an_id_that_looks_like_a_number_is_the_text_that_was_typed(made: ItemIndex, catalogue: PredictConfig) -> None:
    command = [sys.executable, str(TOP / "predict.py"), "task=similar", "index=index", f"bundle={catalogue.bundle}"]
    for typed in ("1e5", "007", "'1e5'"):
        done = subprocess.run([*command, f"similar.id={typed}"], capture_output=True, text=True, timeout=120)
        assert done.returncode == 2
        assert f"id {typed.strip(chr(39))}: no item of this id" in done.stderr


def test_filters_are_the_texts_that_were_typed(made: ItemIndex, catalogue: PredictConfig) -> None:
    Path("events.csv").write_text(f"user_id,item_id\nu,{made.ids[0]}\n")
    similar = ["task=similar", "similar.words=red", f"bundle={catalogue.bundle}"]
    for arguments, told in (
        ([*similar, "similar.filters.stock=true"], "true"),
        ([*similar, "similar.filters.stock=[yes, 1.10,'1.0']"], "1.10"),
        (["task=recommend", "recommend.interactions=events.csv", "recommend.filters.stock=1e5"], "1e5"),
    ):
        command = [sys.executable, str(TOP / "predict.py"), "index=index", *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert done.returncode == 2
        assert f"filter stock={told}: no item has this value. Items have no, yes" in done.stderr


def test_two_queries_at_once_are_none(made: ItemIndex, catalogue: PredictConfig) -> None:
    engine = fashionmt.load_bundle(str(catalogue.bundle))
    for query, told in (
        ({"id": made.ids[0], "words": "red"}, "id and words at once"),
        ({}, "nothing is asked"),
        ({"words": "red", "k": 0}, "k=0: no number of items"),
        ({"words": "red", "mmr": 3}, "mmr=3: out of range"),
    ):
        with pytest.raises(UserError, match=told):
            engine.similar(made, **query)
