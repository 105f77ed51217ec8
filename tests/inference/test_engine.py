"""The engine's tags do not depend on company, order or batch size, and every input has its answer."""

import io
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashionmt.bundle import Bundle, read_bundle
from fashionmt.data.catalogue import CatalogueReader
from fashionmt.data.sample import sample_catalogue
from fashionmt.decoding import Threshold, Thresholds
from fashionmt.inference import Item, ItemTags, TaggingEngine, load_bundle
from fashionmt.inference.run import read_items
from fashionmt.paths import cache_dir


@pytest.fixture(scope="module")
def engine(trained: Path) -> TaggingEngine:
    return load_bundle(trained / "bundle")


@pytest.fixture
def items(engine: TaggingEngine) -> list[Item]:
    drawn = sample_catalogue(cache_dir())
    return list(read_items(CatalogueReader(drawn.catalogue, drawn.images, engine.bundle.columns), engine.bundle))[:90]


@pytest.fixture(scope="module")
def decided(trained: Path) -> Bundle:
    """The trained bundle, with thresholds that accept some answers and not others."""
    heads = {name: Threshold(0.9, 0.5 + 0.08 * i) for i, name in enumerate(read_bundle(trained / "bundle").spaces)}
    heads["season"] = Threshold(0.9, None)
    return replace(read_bundle(trained / "bundle"), thresholds=Thresholds(heads, Threshold(0.8, 0.1)))


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
    assert max(gaps) > 0
    assert float(np.mean(gaps)) < 0.01  # of this hardly trained bundle, whose temperatures sharpen every rounding


def test_what_is_accepted_is_at_or_above_its_threshold(decided: Bundle, items: list[Item]) -> None:
    assert decided.thresholds is not None
    tagged = TaggingEngine(decided).tag([*items, Item("nothing")])
    for tags in tagged:
        for name, tag in tags.tags.items():
            threshold = decided.thresholds.heads[name].confidence
            assert tag.accepted is (threshold is not None and tag.confidence >= threshold)
    assert {tags.tags["gender"].accepted for tags in tagged[:-1]} == {True, False}
    assert {tags.accepted for tags in tagged[:-1]} == {True, False}
    assert tagged[-1].accepted is False
    # The item's confidence is at most that of each of its answers.
    assert all(min(tag.confidence for tag in tags.tags.values()) >= 0.1 for tags in tagged if tags.accepted)


def test_a_bundle_without_thresholds_accepts_nothing(decided: Bundle, items: list[Item]) -> None:
    tagged = TaggingEngine(replace(decided, thresholds=None)).tag(items)
    assert not any(tags.accepted or tag.accepted for tags in tagged for tag in tags.tags.values())


def test_the_alternatives_are_the_most_probable_other_classes(decided: Bundle, items: list[Item]) -> None:
    engine = TaggingEngine(decided)
    prepared = engine.prepare(items)
    assert prepared.batch is not None
    probabilities = decided.decoder(decided.tagger(prepared.batch).logits).log_probabilities
    readable = [tags for tags in engine.answer(prepared) if tags.problem is None]
    for row, tags in enumerate(readable):
        for name, tag in tags.tags.items():
            classes = decided.spaces[name].classes
            every = dict(zip(classes, probabilities[name][row].exp().tolist(), strict=True))
            assert tag.confidence == pytest.approx(every.pop(tag.value), abs=1e-5)
            ranked = sorted(every.values(), reverse=True)[:3]
            assert [p for _, p in tag.alternatives] == pytest.approx(ranked, abs=1e-5)
            assert [every[other] for other, _ in tag.alternatives] == pytest.approx(ranked, abs=1e-5)


def test_answers_are_combinations_that_the_training_rows_hold(engine: TaggingEngine, items: list[Item]) -> None:
    taxonomy = engine.bundle.taxonomy
    assert taxonomy is not None
    assert taxonomy.attributes == ("articleType", "subCategory", "masterCategory")
    spaces = [engine.bundle.spaces[name] for name in taxonomy.attributes]
    known = {tuple(s.classes[i] for s, i in zip(spaces, row, strict=True)) for row in taxonomy.combinations}
    noise = [Item(str(seed), image=Image.effect_noise((18, 24), 10.0 * seed).convert("RGB")) for seed in range(1, 30)]
    said = {tuple(tags.tags[name].value for name in taxonomy.attributes) for tags in engine.tag([*items, *noise])}
    assert said <= known
    assert len(said) > 3


def test_a_bundle_without_a_taxonomy_answers_head_by_head(decided: Bundle, items: list[Item]) -> None:
    alone = replace(decided, taxonomy=None)
    for joint, single in zip(TaggingEngine(decided).tag(items), TaggingEngine(alone).tag(items), strict=True):
        for name in ("baseColour", "gender", "season"):
            assert joint.tags[name] == single.tags[name]
