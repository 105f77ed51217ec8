"""Decoding equals an item-by-item reference, answers no impossible combination, and is finite whatever comes."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from fashionmt.confidence import ConfidenceMap, ConfidenceMaps, Threshold, Thresholds
from fashionmt.decoding import Decoded, Decoder, Decoders
from fashionmt.taxonomy import Taxonomy

CLASSES = {"article": 4, "colour": 5, "sub": 3, "master": 2}
COMBINATIONS = ((0, 0, 0), (0, 1, 1), (1, 0, 0), (2, 1, 1), (3, 2, 1))
TAXONOMY = Taxonomy(("article", "sub", "master"), COMBINATIONS, (9, 1, 5, 3, 2))
DECODER = Decoder(
    {"article": 0.7, "colour": 1.5, "sub": 2.0},
    {"master": [0.5, -1.0], "colour": [0.0, 1.0, 2.0, 0.0, 0.0]},
    TAXONOMY,
    1.4,
)


MAPS = ConfidenceMaps({name: ConfidenceMap(0.8, 1.3, -0.2) for name in CLASSES}, ConfidenceMap(2.0, 0.0, 0.5))
MAPPED = replace(DECODER, confidence_maps=MAPS)


def random_logits(items: int, scale: float = 3.0, seed: int = 0) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return {name: scale * torch.randn(items, size, generator=draw) for name, size in CLASSES.items()}


def softmax(values: list[float]) -> list[float]:
    exps = [math.exp(value - max(values)) for value in values]
    return [value / sum(exps) for value in exps]


def one_by_one(decoder: Decoder, logits: dict[str, Tensor], item: int) -> tuple[dict[str, int], dict[str, list[float]]]:
    """Answers and probabilities of one item, by the definition and without a tensor."""
    heads = {}
    for name, rows in logits.items():
        shift = decoder.shifts.get(name, [0.0] * CLASSES[name])
        heat = decoder.temperatures.get(name, 1.0)
        heads[name] = softmax([(value - s) / heat for value, s in zip(rows[item].tolist(), shift, strict=True)])
    answers = {name: values.index(max(values)) for name, values in heads.items()}
    if decoder.taxonomy is None:
        return answers, heads
    names = decoder.taxonomy.attributes
    scores = [
        sum(math.log(heads[name][index]) for name, index in zip(names, row, strict=True))
        for row in decoder.taxonomy.combinations
    ]
    joint = softmax([score / decoder.joint_temperature for score in scores])
    best = decoder.taxonomy.combinations[joint.index(max(joint))]
    for place, name in enumerate(names):
        answers[name] = best[place]
        heads[name] = [
            sum(p for p, row in zip(joint, decoder.taxonomy.combinations, strict=True) if row[place] == index)
            for index in range(CLASSES[name])
        ]
    return answers, heads


@pytest.mark.parametrize("decoder", [Decoder(), Decoder(taxonomy=TAXONOMY), DECODER], ids=["bare", "taxonomy", "all"])
def test_it_equals_the_item_by_item_reference(decoder: Decoder) -> None:
    logits = random_logits(40)
    decoded = decoder(logits)
    for item in range(40):
        answers, probabilities = one_by_one(decoder, logits, item)
        for name in CLASSES:
            assert decoded.answers[name][item].item() == answers[name]
            assert decoded.log_probabilities[name][item].exp().tolist() == pytest.approx(probabilities[name])
            assert decoded.confidence[name][item].item() == pytest.approx(probabilities[name][answers[name]])


@pytest.mark.parametrize("scale", [0.0, 1.0, 30.0])
def test_no_impossible_combination_is_ever_answered_and_all_known_ones_can_be(scale: float) -> None:
    answered = DECODER(random_logits(3000, scale))
    said = set(zip(*(answered.answers[name].tolist() for name in TAXONOMY.attributes), strict=True))
    assert said <= set(COMBINATIONS)
    assert scale < 1 or said == set(COMBINATIONS)
    alone = Decoder()(random_logits(3000, scale)).answers
    assert scale < 1 or bool((TAXONOMY.index_of(alone) < 0).any())


@pytest.mark.parametrize("decoder", [DECODER, MAPPED], ids=["plain", "mapped"])
@pytest.mark.parametrize("scale", [1.0, 1e3, 1e5])
def test_probabilities_sum_to_one_and_stay_finite(scale: float, decoder: Decoder) -> None:
    decoded = decoder(random_logits(200, scale))
    for name, values in decoded.log_probabilities.items():
        assert bool(values.isfinite().all())
        assert bool((values <= 0).all())
        torch.testing.assert_close(values.exp().sum(1), torch.ones(200, dtype=torch.float64))
        assert bool((decoded.confidence[name] <= 1).all())


def test_the_item_is_as_sure_as_its_best_combination_and_its_other_heads_together() -> None:
    logits = random_logits(60)
    decoded = DECODER(logits)
    every = torch.stack([decoded.confidence[name] for name in CLASSES])
    assert bool((decoded.item_confidence <= every.min(0).values + 1e-12).all())
    sure = Decoder(taxonomy=Taxonomy(("sub", "master"), tuple(itertools.product(range(3), range(2))), (1,) * 6))(logits)
    product = torch.stack(list(sure.confidence.values())).prod(0)
    torch.testing.assert_close(sure.item_confidence, product)  # independent where every combination is allowed
    alone = Decoder()(logits)
    torch.testing.assert_close(alone.item_confidence, torch.stack(list(alone.confidence.values())).prod(0))


def test_maps_change_confidences_by_their_formula_and_no_answer() -> None:
    plain, mapped = DECODER(random_logits(50)), MAPPED(random_logits(50))
    for name in CLASSES:
        assert torch.equal(mapped.answers[name], plain.answers[name])
        for before, after in zip(plain.confidence[name].tolist(), mapped.confidence[name].tolist(), strict=True):
            odds = math.exp(0.8 * math.log(before) - 1.3 * math.log(1 - before) - 0.2)
            assert after == pytest.approx(odds / (1 + odds))
        chosen = mapped.log_probabilities[name].gather(1, mapped.answers[name][:, None])[:, 0].exp()
        torch.testing.assert_close(chosen, mapped.confidence[name])
    item = plain.item_confidence
    torch.testing.assert_close(mapped.item_confidence, (2 * item.log() + 0.5).sigmoid())


def test_a_map_shares_the_rest_among_the_other_classes_as_it_was() -> None:
    plain, mapped = DECODER(random_logits(20)), MAPPED(random_logits(20))
    for name in CLASSES:
        others = plain.answers[name][:, None] != torch.arange(CLASSES[name])
        before, after = (d.log_probabilities[name].exp() * others for d in (plain, mapped))
        torch.testing.assert_close(before / before.sum(1, keepdim=True), after / after.sum(1, keepdim=True))


def test_the_map_of_ones_changes_nothing_and_every_map_keeps_the_order() -> None:
    confidence = torch.linspace(0, 1, 1001, dtype=torch.float64)
    torch.testing.assert_close(ConfidenceMap(1.0, 1.0, 0.0)(confidence), confidence)
    for numbers in ((2.0, 0.5, -1.0), (0.0, 3.0, 1.0), (1.0, 0.0, 0.0)):
        mapped = ConfidenceMap(*numbers)(confidence)
        assert bool((mapped.diff() >= 0).all())
        assert bool(((mapped >= 0) & (mapped <= 1)).all())


def test_confidences_near_one_can_still_be_ranked() -> None:
    logits = {"colour": torch.tensor([[20.0, 0.0], [22.0, 0.0]])}
    confidence = Decoder()(logits).confidence["colour"]
    assert confidence[0] < confidence[1] < 1


def test_a_taxonomy_that_has_tagged_can_still_train() -> None:
    taxonomy = Taxonomy(TAXONOMY.attributes, TAXONOMY.combinations, TAXONOMY.counts)
    with torch.inference_mode():
        Decoder(taxonomy=taxonomy)(random_logits(3))
    logits = {name: value.requires_grad_() for name, value in random_logits(3).items()}
    Decoder(taxonomy=taxonomy)(logits).item_confidence.sum().backward()
    assert logits["article"].grad is not None


def test_the_logits_given_are_not_changed() -> None:
    logits = random_logits(5)
    before = {name: value.clone() for name, value in logits.items()}
    decoded = DECODER(logits)
    assert all(torch.equal(logits[name], before[name]) for name in CLASSES)
    assert isinstance(decoded, Decoded)


def test_a_threshold_takes_what_is_at_or_above_it_and_none_takes_nothing() -> None:
    confidence = torch.tensor([0.0, 0.899, 0.9, 1.0], dtype=torch.float64)
    assert Threshold(0.99, 0.9).accepts(confidence).tolist() == [False, False, True, True]
    assert Threshold(0.99, 0.0).accepts(confidence).all()
    assert not Threshold(0.99, None).accepts(confidence).any()


THRESHOLDS = Thresholds(
    {
        "article": Threshold(0.9, 0.6),
        "colour": Threshold(0.9, None),
        "sub": Threshold(0.8, 0.0),
        "master": Threshold(0.9, 0.9),
    },
    Threshold(0.8, 0.3),
)


def test_what_is_accepted_is_as_sure_as_its_threshold_asks() -> None:
    decided = replace(MAPPED, thresholds=THRESHOLDS)(random_logits(60))
    for name, threshold in THRESHOLDS.heads.items():
        assert torch.equal(decided.accepted[name], threshold.accepts(decided.confidence[name]))
    assert 0 < int(decided.accepted["article"].sum()) < 60
    assert torch.equal(decided.item_accepted, decided.item_confidence >= 0.3)
    assert 0 < int(decided.item_accepted.sum()) < 60
    undecided = MAPPED(random_logits(60))
    assert not any(bool(value.any()) for value in (*undecided.accepted.values(), undecided.item_accepted))


# What items show

ALONE = {"image": replace(DECODER, temperatures={}, thresholds=THRESHOLDS), "text": MAPPED}


@pytest.mark.parametrize("given", [None, {"article": torch.tensor([-1, 2, 0] * 4)}], ids=["unaided", "given"])
def test_each_item_is_decoded_by_what_it_shows(given: dict[str, Tensor] | None) -> None:
    decoders, logits = Decoders(DECODER, ALONE), random_logits(12)
    views = ["text", "image+text", "image", "", "image", "text"] * 2
    decoded = decoders(logits, views, given)
    for row, view in enumerate(views):
        one = {name: value[[row]] for name, value in logits.items()}
        known = None if given is None else {name: value[[row]] for name, value in given.items()}
        expected = ALONE.get(view, DECODER)(one, known)
        for field in ("log_probabilities", "answers", "confidence", "accepted"):
            for name in CLASSES:
                assert torch.equal(getattr(decoded, field)[name][[row]], getattr(expected, field)[name])
        assert decoded.item_confidence[row] == expected.item_confidence[0]
        assert decoded.item_accepted[row] == expected.item_accepted[0]
    assert decoded.accepted["sub"].tolist() == [view == "image" for view in views]


def test_where_all_show_the_same_they_are_decoded_as_one_batch() -> None:
    logits = random_logits(5)
    for view in ("image", "image+text"):
        found, expected = Decoders(DECODER, ALONE)(logits, [view] * 5), ALONE.get(view, DECODER)(logits)
        assert torch.equal(found.item_confidence, expected.item_confidence)
    assert len(Decoders(DECODER, ALONE)({name: value[:0] for name, value in logits.items()}, []).item_confidence) == 0
