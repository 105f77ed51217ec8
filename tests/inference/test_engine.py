"""The engine's tags do not depend on company, order or batch size, and every input has its answer."""

import io
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tagged import decided_by

from fashionmt.batch import Batch, TaggerOutput
from fashionmt.bundle import Bundle, read_bundle
from fashionmt.confidence import Threshold, Thresholds
from fashionmt.data.sample import sample_catalogue
from fashionmt.data.tables import Table
from fashionmt.errors import UserError
from fashionmt.inference import Item, ItemTags, Tag, TaggingEngine, load_bundle
from fashionmt.inference.engine import AHEAD, PreparedBatch
from fashionmt.novelty import Novelty
from fashionmt.paths import cache_dir
from fashionmt.problems import Code, Problem


@pytest.fixture(scope="module")
def engine(trained: Path) -> TaggingEngine:
    return load_bundle(trained / "bundle")


@pytest.fixture
def items(engine: TaggingEngine) -> list[Item]:
    drawn = sample_catalogue(cache_dir())
    rows = [row.values for row in islice(Table(drawn.catalogue).rows(), 90)]
    return [Item(row["id"], row["productDisplayName"], drawn.images / f"{row['id']}.jpg") for row in rows]


@pytest.fixture(scope="module")
def decided(trained: Path) -> Bundle:
    """The trained bundle, with thresholds that accept some answers and not others, whatever the item."""
    heads = {name: Threshold(0.9, 0.5 + 0.08 * i) for i, name in enumerate(read_bundle(trained / "bundle").spaces)}
    heads["season"] = Threshold(0.9, None)
    return decided_by(read_bundle(trained / "bundle"), Thresholds(heads, Threshold(0.8, 0.1)))


def same(one: ItemTags, other: ItemTags) -> bool:
    if (one.id, one.inputs, one.picture_problem, one.problem) != (
        other.id,
        other.inputs,
        other.picture_problem,
        other.problem,
    ):
        return False
    return all(
        one.tags[name].value == other.tags[name].value
        and one.tags[name].confidence == pytest.approx(other.tags[name].confidence, abs=1e-5)
        for name in one.tags | other.tags
    )


def code_of(problem: Problem | None) -> Code | None:
    return None if problem is None else problem.code


def sure(tag: Tag) -> float:
    assert tag.confidence is not None
    return tag.confidence


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
    assert len(taken) <= (torch.get_num_threads() + AHEAD) * engine.batch_size
    assert [tags.id for tags in engine.tag(items)] == [item.id for item in items]


def test_batches_side_by_side_are_answered_in_order_each_on_one_core(
    trained: Path, items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, cores = load_bundle(trained / "bundle", batch_size=8), set()
    expected = engine.answer(engine.prepare(items[:8]))
    prepare = engine.prepare

    def slow_at_first(batch: list[Item]) -> PreparedBatch:
        cores.add(torch.get_num_threads())
        time.sleep(0.3 if batch[0] is items[0] else 0)
        return prepare(batch)

    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        monkeypatch.setattr(engine, "prepare", slow_at_first)
        tagged = engine.tag(items)
        assert torch.get_num_threads() == 4
    finally:
        torch.set_num_threads(before)
    assert [tags.id for tags in tagged] == [item.id for item in items]
    assert all(same(one, other) for one, other in zip(tagged, expected, strict=False))
    assert cores == {1}


def test_a_stream_that_is_left_computes_no_more(
    trained: Path, items: list[Item], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, begun = load_bundle(trained / "bundle", batch_size=1), []
    prepare = engine.prepare

    def counted(batch: list[Item]) -> PreparedBatch:
        begun.append(batch)
        return prepare(batch)

    monkeypatch.setattr(engine, "prepare", counted)
    stream = engine.stream(items)
    next(stream)
    stream.close()  # type: ignore[attr-defined]  # a generator
    assert len(begun) <= torch.get_num_threads() + AHEAD + 1 < len(items)
    before = len(begun)
    time.sleep(0.2)
    assert len(begun) == before


def test_what_the_source_raises_is_raised(engine: TaggingEngine, items: list[Item]) -> None:
    def source() -> Iterator[Item]:
        yield from items
        raise UserError("items.csv", "ends in the middle", "Copy it again")

    with pytest.raises(UserError, match="ends in the middle"):
        engine.tag(source())


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
    assert code_of(answers["gone"].picture_problem) == Code.IMAGE_NOT_FOUND
    assert code_of(answers["broken"].picture_problem) == Code.IMAGE_FORMAT_REFUSED
    assert code_of(answers["nothing"].problem) == Code.IMAGE_NOT_FOUND
    assert code_of(answers["NA"].problem) == Code.NOTHING_TO_READ  # the training catalogue reads the title NA as none
    assert answers["nothing"].tags == answers["NA"].tags == {}
    assert all(0 < sure(tag) <= 1 for tags in answers.values() for tag in tags.tags.values())


def test_a_mapping_with_another_name_is_refused(engine: TaggingEngine) -> None:
    with pytest.raises(UserError, match=r"'titel'.*Did you mean title"):
        engine.tag([{"id": "1", "titel": "Red Shirt"}])


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
        abs(sure(a.tags[name]) - sure(b.tags[name]))
        for a, b in zip(engine.tag(items), rough, strict=True)
        for name in a.tags
    ]
    assert max(gaps) > 0
    assert float(np.mean(gaps)) < 0.01  # of this hardly trained bundle, whose temperatures sharpen every rounding


def test_what_is_accepted_is_at_or_above_its_threshold(decided: Bundle, items: list[Item]) -> None:
    assert decided.decoder.thresholds is not None
    tagged = TaggingEngine(decided).tag([*items, Item("nothing")])
    for tags in tagged:
        for name, tag in tags.tags.items():
            threshold = decided.decoder.thresholds.heads[name].confidence
            assert tag.accepted is (threshold is not None and sure(tag) >= threshold)
    assert {tags.tags["gender"].accepted for tags in tagged[:-1]} == {True, False}
    assert {tags.accepted for tags in tagged[:-1]} == {True, False}
    assert tagged[-1].accepted is False
    # The item's confidence is at most that of each of its answers.
    assert all(min(sure(tag) for tag in tags.tags.values()) >= 0.1 for tags in tagged if tags.accepted)


def test_a_bundle_without_thresholds_accepts_nothing(decided: Bundle, items: list[Item]) -> None:
    tagged = TaggingEngine(decided_by(decided, None)).tag(items)
    assert not any(tags.accepted or tag.accepted for tags in tagged for tag in tags.tags.values())


def test_items_that_show_one_input_are_decided_by_that_views_own_thresholds(
    trained: Path, decided: Bundle, items: list[Item]
) -> None:
    kept = read_bundle(trained / "bundle")
    assert set(kept.alone) == {"image", "text"}
    assert (
        len({kept.decoder.temperatures["season"], *(each.temperatures["season"] for each in kept.alone.values())}) == 3
    )
    every = Thresholds({name: Threshold(0.9, 0.0) for name in kept.spaces}, Threshold(0.9, 0.0))
    by_title = replace(decided, alone={"text": replace(kept.alone["text"], thresholds=every)})
    shown = [
        item if i % 3 == 0 else replace(item, image=None) if i % 3 == 1 else replace(item, title=None)
        for i, item in enumerate(items)
    ]
    for i, (with_own, without) in enumerate(
        zip(TaggingEngine(by_title).tag(shown), TaggingEngine(decided).tag(shown), strict=True)
    ):
        if i % 3 == 1:
            assert with_own.accepted
            assert all(tag.accepted for tag in with_own.tags.values())
            assert not without.tags["season"].accepted
        else:
            assert same(with_own, without)
            assert with_own.accepted is without.accepted


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
    taxonomy = engine.bundle.decoder.taxonomy
    assert taxonomy is not None
    assert taxonomy.attributes == ("articleType", "subCategory", "masterCategory")
    spaces = [engine.bundle.spaces[name] for name in taxonomy.attributes]
    known = {tuple(s.classes[i] for s, i in zip(spaces, row, strict=True)) for row in taxonomy.combinations}
    noise = [Item(str(seed), image=Image.effect_noise((18, 24), 10.0 * seed).convert("RGB")) for seed in range(1, 30)]
    said = {tuple(tags.tags[name].value for name in taxonomy.attributes) for tags in engine.tag([*items, *noise])}
    assert said <= known
    assert len(said) > 3


def test_a_bundle_without_a_taxonomy_answers_head_by_head(decided: Bundle, items: list[Item]) -> None:
    each = replace(decided, decoder=replace(decided.decoder, taxonomy=None))
    for joint, single in zip(TaggingEngine(decided).tag(items), TaggingEngine(each).tag(items), strict=True):
        for name in ("baseColour", "gender", "season"):
            assert joint.tags[name] == single.tags[name]


# What looks like nothing in training


def test_of_an_unknown_item_nothing_is_accepted_but_what_was_given(decided: Bundle, items: list[Item]) -> None:
    known = [
        replace(item, given={"gender": "Men"}, title=item.title if i % 3 else None) for i, item in enumerate(items)
    ]
    without = TaggingEngine(decided).tag(known)
    tagged = TaggingEngine(replace(decided, novelty=Novelty({"image+text": -np.inf}))).tag(known)
    assert {tags.inputs for tags in tagged} >= {("image", "text"), ("image",)}
    for tags, before in zip(tagged, without, strict=True):
        if tags.inputs != ("image", "text"):
            assert tags == before
            continue
        assert tags.review_reasons == ("unknown", *before.review_reasons)
        assert not tags.accepted
        assert tags.tags["gender"] == before.tags["gender"]
        others = {name: tag for name, tag in before.tags.items() if name != "gender"}
        assert all(tags.tags[name] == replace(tag, accepted=False) for name, tag in others.items())


def test_a_trained_bundle_calls_few_of_its_own_catalogue_unknown(engine: TaggingEngine, items: list[Item]) -> None:
    assert engine.bundle.novelty is not None
    share = np.mean([tags.review_reasons[:1] == ("unknown",) for tags in engine.tag(items)])
    assert share < 0.1


# What is known already


def test_a_known_article_type_fixes_its_parents_and_is_kept(decided: Bundle, items: list[Item]) -> None:
    taxonomy = decided.decoder.taxonomy
    assert taxonomy is not None
    spaces = [decided.spaces[name] for name in taxonomy.attributes]
    parents = {row[0]: row for row in taxonomy.combinations}
    for article in range(len(spaces[0])):
        known = [replace(item, given={"articleType": spaces[0].classes[article]}) for item in items[:5]]
        allowed = {row for row in taxonomy.combinations if row[0] == article}
        for tags in TaggingEngine(decided).tag(known):
            said = tuple(s.classes.index(tags.tags[n].value) for n, s in zip(taxonomy.attributes, spaces, strict=True))
            assert said in allowed
            assert tags.tags["articleType"].given
            assert tags.tags["articleType"].confidence is None
    assert len(parents) == len(spaces[0])


def test_what_is_not_known_is_answered_as_without(decided: Bundle, items: list[Item]) -> None:
    engine = TaggingEngine(decided)
    half = [replace(item, given={"baseColour": "Red"} if i % 2 else {}) for i, item in enumerate(items)]
    for before, after, item in zip(engine.tag(items), engine.tag(half), half, strict=True):
        if not item.given:
            assert same(before, after)
            continue
        assert after.tags["baseColour"].value == "Red"
        others = set(before.tags) - {"baseColour"}
        assert all(after.tags[name] == before.tags[name] for name in others)


def test_values_that_go_together_in_no_combination_are_both_kept(decided: Bundle, items: list[Item]) -> None:
    taxonomy = decided.decoder.taxonomy
    assert taxonomy is not None
    article, sub, master = taxonomy.combinations[0]
    other = next(row[2] for row in taxonomy.combinations if row[2] != master)
    names = taxonomy.attributes
    given = {
        names[0]: decided.spaces[names[0]].classes[article],
        names[2]: decided.spaces[names[2]].classes[other],
    }
    tags = TaggingEngine(decided).tag([replace(items[0], given=given)])[0]
    assert {name: tags.tags[name].value for name in given} == given
    assert tags.tags[names[1]].value in decided.spaces[names[1]].classes
    assert sub is not None


def test_a_given_value_that_the_model_is_sure_is_another_is_for_review(decided: Bundle, items: list[Item]) -> None:
    assert decided.decoder.thresholds is not None
    heads = dict(decided.decoder.thresholds.heads) | {"gender": Threshold(0.9, 0.0), "season": Threshold(0.9, None)}
    engine = TaggingEngine(decided_by(decided, Thresholds(heads, Threshold(0.8, 0.0))))
    alone = engine.tag(items[:20])
    classes = decided.spaces["gender"].classes
    for tags, item in zip(alone, items[:20], strict=True):
        own = tags.tags["gender"].value
        wrong = next(name for name in classes if name != own)
        told = engine.tag([replace(item, given={"gender": wrong, "season": "Monsoon"})])[0]
        assert f"contradicts:gender={own}" in told.review_reasons
        assert "unknown_value:season" in told.review_reasons
        assert not told.tags["gender"].accepted
        assert not told.accepted
        right = engine.tag([replace(item, given={"gender": own})])[0]
        assert right.tags["gender"].accepted
        assert not any(reason.startswith("contradicts") for reason in right.review_reasons)


def test_an_item_of_which_all_is_known_has_no_confidence(decided: Bundle, items: list[Item]) -> None:
    engine = TaggingEngine(decided)
    own = engine.tag(items[:1])[0]
    told = engine.tag([replace(items[0], given={name: tag.value for name, tag in own.tags.items()})])[0]
    assert told.confidence is None
    assert told.accepted
    assert told.review_reasons == ()


def test_an_answer_that_is_no_number_is_a_problem_of_its_item_alone(engine: TaggingEngine, items: list[Item]) -> None:
    prepared = engine.prepare(items[:4])
    expected = engine.answer(prepared)
    forward = engine.bundle.tagger.forward

    def broken(batch: Batch) -> TaggerOutput:
        output = forward(batch)
        output.logits["gender"][1, 0] = float("nan")
        return output

    engine.bundle.tagger.forward = broken  # type: ignore[method-assign]
    try:
        tagged = engine.answer(prepared)
    finally:
        del engine.bundle.tagger.forward
    assert code_of(tagged[1].problem) == Code.MODEL_NONFINITE
    assert all(same(tagged[i], expected[i]) for i in (0, 2, 3))
