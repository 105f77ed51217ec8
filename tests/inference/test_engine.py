"""The engine's tags do not depend on company, order or batch size, and every input has its answer."""

import io
import random
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tagged import same, sure

from fashionmt.batch import Batch, TaggerOutput
from fashionmt.errors import UserError
from fashionmt.inference import Item, TaggingEngine, load_bundle
from fashionmt.inference.engine import AHEAD, PreparedBatch
from fashionmt.problems import Code, Problem


def code_of(problem: Problem | None) -> Code | None:
    return None if problem is None else problem.code


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
