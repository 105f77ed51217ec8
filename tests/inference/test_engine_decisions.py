"""Which answers the engine accepts, which combinations it gives, and what it calls unknown."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tagged import decided_by, same, sure

from fashionmt.bundle import Bundle, read_bundle
from fashionmt.confidence import Threshold, Thresholds
from fashionmt.inference import Item, TaggingEngine
from fashionmt.novelty import Novelty


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
