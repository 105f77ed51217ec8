"""The engine's tags do not depend on company, order or batch size, and every input has its answer."""

import io
import random
from pathlib import Path

import pytest
from PIL import Image

from fashionmt.data.catalogue import CatalogueReader
from fashionmt.data.sample import sample_catalogue
from fashionmt.inference import Item, ItemTags, TaggingEngine, load_bundle
from fashionmt.inference.run import read_items
from fashionmt.paths import cache_dir


@pytest.fixture(scope="module")
def engine(trained: Path) -> TaggingEngine:
    return load_bundle(trained / "bundle")


@pytest.fixture
def items(engine: TaggingEngine) -> list[Item]:
    drawn = sample_catalogue(cache_dir())
    return list(read_items(CatalogueReader(drawn.catalogue, drawn.images, engine.bundle.columns)))[:90]


def same(one: ItemTags, other: ItemTags) -> bool:
    if (one.id, one.inputs, one.image_problem, one.problem) != (
        other.id,
        other.inputs,
        other.image_problem,
        other.problem,
    ):
        return False
    return all(
        one.tags[name].value == other.tags[name].value
        and one.tags[name].confidence == pytest.approx(other.tags[name].confidence, abs=1e-5)
        for name in one.tags | other.tags
    )


@pytest.mark.parametrize("batch_size", [1, 7, 64, 500])
def test_any_batch_size_gives_the_same_tags(
    engine: TaggingEngine, trained: Path, items: list[Item], batch_size: int
) -> None:
    other = load_bundle(trained / "bundle", batch_size=batch_size)
    assert all(same(a, b) for a, b in zip(engine.tag(items), other.tag(items), strict=True))


def test_any_order_gives_the_same_tags(engine: TaggingEngine, items: list[Item]) -> None:
    shuffled = random.Random(0).sample(items, len(items))
    by_id = {tags.id: tags for tags in engine.tag(items)}
    assert all(same(tags, by_id[tags.id]) for tags in engine.tag(shuffled))


def test_answers_come_in_the_order_asked_and_lazily(engine: TaggingEngine, items: list[Item]) -> None:
    taken = []

    def source() -> object:
        for item in items * 20:
            taken.append(item)
            yield item

    stream = engine.stream(source())  # type: ignore[arg-type]
    assert next(stream).id == items[0].id
    assert len(taken) <= 4 * engine.batch_size
    assert [tags.id for tags in engine.tag(items)] == [item.id for item in items]


def test_a_picture_is_a_path_bytes_or_opened_alike(engine: TaggingEngine, items: list[Item]) -> None:
    item = next(item for item in items if item.image is not None)
    encoded = Path(str(item.image)).read_bytes()
    forms = [item.image, str(item.image), encoded, Image.open(io.BytesIO(encoded))]
    answers = engine.tag([Item("x", item.title, form) for form in forms])
    assert all(same(answers[0], other) for other in answers[1:])


def test_what_cannot_be_read_is_told_and_what_remains_is_used(engine: TaggingEngine, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"\xff\xd8 not a picture")
    picture = Image.new("RGB", (60, 80), "red")
    asked = [
        Item("both", "Red Shirt", picture),
        Item("text", "Red Shirt"),
        Item("image", None, picture),
        Item("gone", "Red Shirt", tmp_path / "gone.jpg"),
        Item("broken", "Red Shirt", broken),
        Item("nothing", "  ", tmp_path / "gone.jpg"),
        Item("NA", "NA", None),
    ]
    answers = {tags.id: tags for tags in engine.tag(asked)}
    assert [answers[name].inputs for name in ("both", "text", "image")] == [("image", "text"), ("text",), ("image",)]
    assert answers["gone"].inputs == answers["broken"].inputs == ("text",)
    assert answers["gone"].image_problem == "no such file"
    assert "not a picture" in str(answers["broken"].image_problem)
    for name in ("nothing", "NA"):  # the training catalogue reads the title NA as none
        assert answers[name].tags == {}
        assert "needs a picture or a title" in str(answers[name].problem)
    assert all(0 < tag.confidence <= 1 for tags in answers.values() for tag in tags.tags.values())


def test_mappings_are_items_too_and_hostile_titles_are_read(engine: TaggingEngine) -> None:
    titles = ["x" * 10_000, "👗👠 🧣", "\0\x1b[31m", "名前", "a " * 5_000]
    answers = engine.tag([{"id": str(i), "title": title} for i, title in enumerate(titles)])
    assert [tags.inputs for tags in answers] == [("text",)] * len(titles)
    assert set(answers[0].tags) == set(engine.bundle.spaces)


def test_no_items_give_no_tags(engine: TaggingEngine) -> None:
    assert engine.tag([]) == []


def test_bfloat16_moves_confidences_a_little(trained: Path, items: list[Item], engine: TaggingEngine) -> None:
    rough = load_bundle(trained / "bundle", precision="bf16-mixed").tag(items)
    gaps = [
        abs(a.tags[name].confidence - b.tags[name].confidence)
        for a, b in zip(engine.tag(items), rough, strict=True)
        for name in a.tags
    ]
    assert 0 < max(gaps) < 0.1
