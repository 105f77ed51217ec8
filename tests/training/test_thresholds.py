"""A threshold keeps its promise over many draws, is the one a plain walk finds, and is None where nothing is known."""

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from fashionmt.config import ThresholdConfig
from fashionmt.decoding import Decoder
from fashionmt.training.thresholds import STEPS, choose_threshold, choose_thresholds, independent_items, lower_bound

ALONE = np.arange(3000)


def drawn(items: int, draw: np.random.Generator, overconfident: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Confidences from 0.2 to 1, and answers right as often as that, or less."""
    confidence = 1 - 0.8 * draw.random(items) ** 4
    right = draw.random(items) < confidence - overconfident
    return torch.tensor(confidence), torch.tensor(right)


def true_accuracy(threshold: float, overconfident: float) -> float:
    """Of what the threshold accepts, in the distribution that `drawn` draws from: the mean of a uniform's 1 - 0.8 u^4
    below u* with 1 - 0.8 u*^4 = threshold."""
    top = min(1.0, ((1 - threshold) / 0.8) ** 0.25)
    return 1 - 0.8 * top**4 / 5 - overconfident


@pytest.mark.parametrize(("target", "overconfident"), [(0.97, 0.0), (0.9, 0.0), (0.95, 0.02)])
@pytest.mark.parametrize("delta", [0.1, 0.3])
def test_the_accepted_miss_their_accuracy_in_no_more_than_delta_of_the_draws(
    target: float, overconfident: float, delta: float
) -> None:
    draws, missed, found = 600, 0, 0
    for seed in range(draws):
        threshold = choose_threshold(*drawn(800, np.random.default_rng(seed), overconfident), target, delta)
        found += threshold is not None
        missed += threshold is not None and true_accuracy(threshold, overconfident) < target
    # Three standard errors of a share that is delta.
    assert missed / draws <= delta + 3 * (delta * (1 - delta) / draws) ** 0.5
    assert found > 0.2 * draws  # not kept by accepting nothing


def test_a_threshold_chosen_without_the_bound_would_break_it() -> None:
    """The simulation can tell: with no bound at all, about half of the draws miss."""
    missed = 0
    for seed in range(200):
        confidence, right = drawn(800, np.random.default_rng(seed))
        order = confidence.argsort(descending=True)
        running = right[order].double().cumsum(0) / torch.arange(1, 801)
        last = int(torch.nonzero(running >= 0.97).max())
        missed += true_accuracy(float(confidence[order][last]), 0.0) < 0.97
    assert missed > 0.4 * 200


@pytest.mark.parametrize("seed", range(8))
def test_it_is_what_a_walk_item_by_item_finds(seed: int) -> None:
    confidence, right = drawn(700, np.random.default_rng(seed))
    expected = None
    for doubt in np.geomspace(0.1, 1, STEPS):
        accepted = [bool(r) for c, r in zip(confidence, right, strict=True) if c >= 1 - doubt]
        test = binomtest(sum(accepted), len(accepted), alternative="greater")
        if test.proportion_ci(confidence_level=0.8, method="exact").low < 0.9:
            break
        expected = 1 - doubt
    assert choose_threshold(confidence, right, 0.9, 0.2) == expected
    assert expected is not None


def test_the_bound_is_scipys_exact_one() -> None:
    correct, items = np.array([0.0, 1, 5, 99, 100, 229]), np.array([4.0, 1, 9, 100, 100, 229])
    expected = [
        binomtest(int(k), int(n), alternative="greater").proportion_ci(0.9, method="exact").low
        for k, n in zip(correct, items, strict=True)
    ]
    assert lower_bound(correct, items, 0.1).tolist() == pytest.approx(expected)
    assert lower_bound(np.array([0.0]), np.array([0.0]), 0.1).tolist() == [0.0]


def test_items_enough_for_the_bound_are_accepted_and_one_fewer_are_not() -> None:
    for count, accepts in ((230, True), (229, False)):  # 0.99^229 is just above 0.1
        ones = torch.ones(count, dtype=torch.float64)
        assert (choose_threshold(ones, ones.bool(), 0.99, 0.1) is not None) is accepts


def test_where_all_are_right_all_are_accepted() -> None:
    confidence, _ = drawn(2000, np.random.default_rng(0))
    assert choose_threshold(confidence, torch.ones(2000, dtype=torch.bool), 0.95, 0.1) == 0.0


@pytest.mark.parametrize("items", [0, 1, 500])
def test_where_all_are_wrong_or_none_is_there_nothing_is_accepted(items: int) -> None:
    confidence, _ = drawn(items, np.random.default_rng(0))
    assert choose_threshold(confidence, torch.zeros(items, dtype=torch.bool), 0.9, 0.1) is None


def test_heads_and_items_have_thresholds_for_targets_of_their_own() -> None:
    draw = torch.Generator().manual_seed(0)
    logits = {name: 3 * torch.randn(3000, 4, generator=draw) for name in ("colour", "season", "cut")}
    labels = {name: torch.multinomial(value.softmax(1), 1, generator=draw).squeeze(1) for name, value in logits.items()}
    labels["cut"][:] = -1  # labelled nowhere
    config = ThresholdConfig(target_accuracy=0.9, item_target_accuracy=0.8, delta=0.05)
    decoded = Decoder()(logits)
    chosen = choose_thresholds(decoded, labels, {"colour": None, "season": 0.95, "cut": None}, config, ALONE)
    assert {name: head.target_accuracy for name, head in chosen.heads.items()} == {
        "colour": 0.9,
        "season": 0.95,
        "cut": 0.9,
    }
    assert chosen.heads["cut"].confidence is None
    right = {name: decoded.answers[name] == labels[name] for name in ("colour", "season")}
    for name, outcome in right.items():
        assert chosen.heads[name].confidence == choose_threshold(
            decoded.confidence[name], outcome, chosen.heads[name].target_accuracy, 0.05
        )
    assert chosen.item.target_accuracy == 0.8
    both = right["colour"] & right["season"]
    assert chosen.item.confidence == choose_threshold(decoded.item_confidence, both, 0.8, 0.05)
    unset = choose_thresholds(decoded, labels, dict.fromkeys(logits), ThresholdConfig(), ALONE)
    assert unset.item.target_accuracy == ThresholdConfig().target_accuracy
    laxest = choose_thresholds(decoded, labels, dict.fromkeys(logits) | {"season": 0.7}, ThresholdConfig(), ALONE)
    assert laxest.item.target_accuracy == 0.7


# Items that are drawn together


def in_groups(draw: np.random.Generator, items: int = 1500) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Families of 1 to 9 items, all of one confidence and all right or all wrong."""
    sizes = draw.integers(1, 10, items)
    confidence, right = drawn(items, draw)
    group = np.repeat(np.arange(items), sizes)[:items]
    return confidence[group], right[group], group


def test_the_accepted_keep_their_accuracy_where_items_come_in_families() -> None:
    """And would not, counted one by one: the simulation can tell."""
    draws, target, delta = 400, 0.95, 0.1
    missed = {"by family": 0, "one by one": 0}
    found = 0
    for seed in range(draws):
        confidence, right, group = in_groups(np.random.default_rng(seed))
        for name, groups in (("by family", group), ("one by one", None)):
            threshold = choose_threshold(confidence, right, target, delta, groups)
            missed[name] += threshold is not None and true_accuracy(threshold, 0.0) < target
            found += name == "by family" and threshold is not None
    assert missed["by family"] / draws <= delta + 3 * (delta * (1 - delta) / draws) ** 0.5
    assert missed["one by one"] / draws > 0.17
    assert found > 0.2 * draws


@pytest.mark.parametrize("size", [1, 3, 10])
def test_copies_of_an_item_are_worth_one(size: int) -> None:
    right = np.repeat(np.random.default_rng(0).random(600) < 0.9, size)
    groups = np.repeat(np.arange(600), size)
    assert independent_items(right, groups, 0.05) == pytest.approx(600, rel=0.01)
    assert independent_items(right, groups, 0.05) <= 600


def test_the_worth_is_that_of_the_variance_over_draws_of_groups() -> None:
    """Against drawing: families of which each member is right with a chance of the family's own."""
    draw = np.random.default_rng(0)
    chance = draw.beta(6, 2, 400)

    def families(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        group = generator.integers(0, 400, 120).repeat(5)
        return generator.random(600) < chance[group], np.arange(120).repeat(5)

    found = [families(np.random.default_rng(seed)) for seed in range(1500)]
    accuracies = np.array([right.mean() for right, _ in found])
    expected = accuracies.mean() * (1 - accuracies.mean()) / accuracies.var()
    assert np.mean([independent_items(*one, 0.05) for one in found]) == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(("groups", "shape"), [(5, (9, 1)), (13, (9, 1)), (13, (49, 1)), (40, (95, 5))])
def test_few_groups_of_accuracies_of_their_own_keep_the_promise(groups: int, shape: tuple[float, float]) -> None:
    """Blocks of a hundred items, say. Every item is as sure as all others, and the target a hair above their accuracy:
    whatever accepts them misses it."""
    draws, delta, each = 500, 0.1, 100
    target = shape[0] / sum(shape) + 1e-9
    sure, drawn_with = torch.full((groups * each,), 1 - 1e-9, dtype=torch.float64), np.arange(groups).repeat(each)
    missed = 0
    for seed in range(draws):
        draw = np.random.default_rng(seed)
        right = draw.random(groups * each) < draw.beta(*shape, groups).repeat(each)
        missed += choose_threshold(sure, torch.tensor(right), target, delta, drawn_with) is not None
    # Three standard errors, and a third of delta: Student's t is exact for normal means alone.
    assert missed / draws <= delta * 4 / 3 + 3 * (delta * (1 - delta) / draws) ** 0.5


def test_what_no_drawn_group_shows_is_not_taken_for_what_is_not_there() -> None:
    """One block in ten has two wrong answers in ten: most draws of ten blocks hold such a one, and all the others are
    right throughout."""
    accepted = 0
    for seed in range(300):
        draw = np.random.default_rng(seed)
        right = draw.random(1000) < np.where(draw.random(10) < 0.1, 0.8, 1.0).repeat(100)
        sure = torch.full((1000,), 1 - 1e-9, dtype=torch.float64)
        accepted += choose_threshold(sure, torch.tensor(right), 0.99, 0.05, np.arange(10).repeat(100)) is not None
    assert accepted <= 0.05 * 300


@pytest.mark.parametrize(
    ("right", "groups", "worth"),
    [
        ([], [], 0),
        ([False] * 6, [0, 0, 1, 1, 2, 2], 3),
        ([True, False, True, True], [7, 7, 7, 7], 1),
    ],
)
def test_one_group_counts_once_and_so_does_each_where_nothing_is_right(
    right: list[bool], groups: list[int], worth: int
) -> None:
    assert independent_items(np.array(right, dtype=bool), np.array(groups, dtype=np.int64), 0.05) == worth


def test_one_mistake_among_families_does_not_make_them_worth_more_than_none_does() -> None:
    """By itself it would look like one of items drawn one by one: 598 of these 600."""
    groups = np.arange(300).repeat(2)
    right = np.ones((3, 600), dtype=bool)
    right[1, 0] = right[2, 0] = right[2, 500] = False
    worth = [independent_items(one, groups, 0.05) for one in right]
    assert worth[0] == pytest.approx(300, rel=0.05)
    assert worth[0] < worth[1] < worth[2] < 420
    bounds = [
        lower_bound(np.array([one.mean() * of]), np.array([of]), 0.05)[0] for one, of in zip(right, worth, strict=True)
    ]
    assert bounds == sorted(bounds, reverse=True)


@pytest.mark.parametrize(("families", "size", "accuracy"), [(100, 10, 0.988), (200, 5, 0.9895), (300, 3, 0.9895)])
def test_families_that_miss_the_target_a_little_are_accepted_no_more_often_than_allowed(
    families: int, size: int, accuracy: float
) -> None:
    """Half of the mistakes are of whole families, half of single items; each item is as sure as all others."""
    accepted, wrong = 0, (1 - accuracy) / 2
    sure, groups = torch.full((families * size,), 1 - 1e-9, dtype=torch.float64), np.arange(families).repeat(size)
    for seed in range(400):
        draw = np.random.default_rng(seed)
        right = (draw.random(families) >= wrong).repeat(size) & (draw.random(families * size) >= wrong)
        accepted += choose_threshold(sure, torch.tensor(right), 0.99, 0.05, groups) is not None
    assert accepted <= 0.05 * 400
