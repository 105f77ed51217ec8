"""What the engine answers where the seller has said some of it."""

from dataclasses import replace

from tagged import decided_by, same, sure

from fashionmt.bundle import Bundle
from fashionmt.confidence import Threshold, Thresholds
from fashionmt.inference import Item, TaggingEngine


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


def test_what_goes_with_a_contradicted_value_is_accepted_only_where_the_model_says_it_by_itself(
    decided: Bundle, items: list[Item]
) -> None:
    names, engine = _with_taxonomy(decided, {})
    agreeing = set()
    for item in items[:20]:
        own = engine.tag([item])[0].tags
        for article in decided.spaces[names[0]].classes:
            told = engine.tag([replace(item, given={names[0]: article})])[0]
            right = article == own[names[0]].value
            assert told.accepted == right
            for name in names[1:]:
                agrees = told.tags[name].value == own[name].value
                agreeing.add((right, agrees))
                assert told.tags[name].accepted == agrees
                assert (f"contradicts:{name}={own[name].value}" in told.review_reasons) != agrees
    assert {(False, True), (False, False)} <= agreeing


def test_what_goes_with_a_contradicted_value_needs_a_model_that_is_sure_of_it_by_itself(
    decided: Bundle, items: list[Item]
) -> None:
    names, engine = _with_taxonomy(decided, {})
    own = engine.tag(items[:1])[0].tags
    given = {names[0]: next(name for name in decided.spaces[names[0]].classes if name != own[names[0]].value)}
    misled = engine.tag([replace(items[0], given=given)])[0].tags
    between = (sure(own[names[1]]) + sure(misled[names[1]])) / 2
    assert sure(own[names[1]]) < between
    told = _with_taxonomy(decided, {names[1]: Threshold(0.9, between)})[1].tag([replace(items[0], given=given)])[0]
    assert not told.tags[names[1]].accepted
    assert f"low_confidence:{names[1]}" in told.review_reasons


def _with_taxonomy(decided: Bundle, thresholds: dict[str, Threshold]) -> tuple[tuple[str, ...], TaggingEngine]:
    """The taxonomy's attributes, and an engine that accepts every answer to them, but for these thresholds."""
    assert decided.decoder.taxonomy is not None
    assert decided.decoder.thresholds is not None
    names = decided.decoder.taxonomy.attributes
    heads = dict(decided.decoder.thresholds.heads) | {name: Threshold(0.9, 0.0) for name in names} | thresholds
    return names, TaggingEngine(decided_by(decided, Thresholds(heads, Threshold(0.8, 0.0))))


def test_an_item_of_which_all_is_known_has_no_confidence(decided: Bundle, items: list[Item]) -> None:
    engine = TaggingEngine(decided)
    own = engine.tag(items[:1])[0]
    told = engine.tag([replace(items[0], given={name: tag.value for name, tag in own.tags.items()})])[0]
    assert told.confidence is None
    assert told.accepted
    assert told.review_reasons == ()
