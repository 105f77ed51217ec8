"""The ranker starts as the mean of the history, its score is the sum of its reasons, its losses are what they say."""

import math
from typing import NamedTuple

import numpy as np
import pytest
import torch
from made_up_items import BEGIN, made_up_items, random_events

from fashionmt.recommend.baselines import HistoryContent
from fashionmt.recommend.histories import Histories
from fashionmt.recommend.interactions import DAY, Interactions
from fashionmt.recommend.items import Items
from fashionmt.recommend.learned import Learned
from fashionmt.recommend.losses import bce_loss, bpr_loss, draw_negatives, softmax_loss
from fashionmt.recommend.people import People, best_unseen, people_at
from fashionmt.recommend.ranker import Ranker, RankerSizes
from fashionmt.recommend.trends import trends_at

NOW = BEGIN + 200 * DAY


class World(NamedTuple):
    """Thirty people at a moment."""

    items: Items
    events: Interactions
    people: People


@pytest.fixture(scope="module")
def world() -> World:
    items = made_up_items()
    events = random_events(items)
    return World(items, events, people_at(events, np.arange(30), NOW, 8))


def ranker_of(vectors: bool = True, trained: bool = False) -> Ranker:
    """`trained`: as if, no weight of it is 0."""
    torch.manual_seed(0)
    ranker = Ranker(RankerSizes(16, 8, 4, 12, 5, vectors))
    if trained:
        with torch.no_grad():
            for parameter in ranker.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
    return ranker


def test_untrained_it_is_the_mean_of_the_history(world: World) -> None:
    items, events, people = world
    ranker = ranker_of()
    untrained = Learned.of("", ranker, items.vectors, torch.arange(5), trends_at(events, len(items), NOW))
    mean = HistoryContent("", items.vectors, "mean")
    mask = people.histories.mask
    with torch.no_grad():
        taken = items.vectors[people.histories.items.clamp(min=0)] * mask[..., None]
        exactly = taken.sum(1) / mask.sum(1, keepdim=True)
        torch.testing.assert_close(ranker.users(untrained.space, people.histories), exactly, rtol=0, atol=1e-7)
    torch.testing.assert_close(untrained.scores(people), ranker.scale().item() * mean.scores(people))
    assert torch.equal(best_unseen(untrained.scores(people), people, 10), best_unseen(mean.scores(people), people, 10))


@pytest.mark.parametrize("vectors", [True, False])
def test_shares_add_up_to_the_score(world: World, vectors: bool) -> None:
    items, events, people = world
    ranker, mask = ranker_of(vectors, trained=True), people.histories.mask[:, None]
    numbers = trends_at(events, len(items), NOW)
    learned = Learned.of("", ranker, items.vectors, torch.tensor([3, 1, 4, -1, 5]), numbers)
    chosen = torch.arange(20).expand(30, -1)
    with torch.no_grad():
        shares = ranker.shares(learned.space, people.histories, chosen)
    assert (shares[~mask.expand_as(shares)] == 0).all()
    summed = shares.sum(2) + learned.space.biases[:20] + learned.priors[:20]
    torch.testing.assert_close(summed, learned.scores(people)[:, :20], rtol=1e-4, atol=1e-4)
    best = shares.masked_fill(~mask, -math.inf).argmax(2)
    assert torch.equal(learned.reasons(people, chosen), torch.gather(people.histories.items, 1, best))


def test_a_padded_history_is_the_history(world: World) -> None:
    ranker = ranker_of(trained=True)
    short = Histories(torch.tensor([[3, 7]]), torch.tensor([[1, 4]]))
    padded = Histories(torch.tensor([[3, 7, -1, -1]]), torch.tensor([[1, 4, 0, 0]]))
    space = ranker.space(world.items.vectors, torch.arange(5))
    torch.testing.assert_close(ranker.users(space, short), ranker.users(space, padded))


def test_an_item_does_without_what_is_its_own_when_that_is_dropped(world: World) -> None:
    ranker = ranker_of(trained=True)
    bare = ranker.space(world.items.vectors, torch.full((5,), -1))
    dropped = ranker.space(world.items.vectors, torch.arange(5), torch.tensor([0.0, 1, 1, 1, 1]))
    assert torch.equal(dropped.vectors[0], bare.vectors[0])
    assert not torch.equal(dropped.vectors[1], bare.vectors[1])
    assert torch.equal(dropped.vectors[5:], bare.vectors[5:])
    assert (dropped.biases != 0).tolist() == [False] + [True] * 4 + [False] * 55


def test_losses_are_what_they_say() -> None:
    scores = torch.tensor([[1.0, 2.0, -1.0, 0.5], [0.0, 0.0, 3.0, 1.0]])
    targets = torch.tensor([1, 2])
    allowed = torch.tensor([[True, True, False, True], [False, True, False, True]])
    first = math.exp(2) / (math.exp(1) + math.exp(2) + math.exp(0.5))
    second = math.exp(3) / (math.exp(0) + math.exp(3) + math.exp(1))
    assert softmax_loss(scores, targets, allowed).item() == pytest.approx(-(math.log(first) + math.log(second)) / 2)
    negatives = torch.tensor([[0], [3]])
    against = (math.log1p(math.exp(-1)) + math.log1p(math.exp(-2))) / 2
    assert bpr_loss(scores, targets, negatives).item() == pytest.approx(against)
    ones = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-3))) / 2
    zeros = math.log1p(math.exp(1))
    assert bce_loss(scores, targets, negatives).item() == pytest.approx((ones + zeros) / 2)


def test_a_softmax_without_negatives_is_finite() -> None:
    scores = torch.zeros(1, 3, requires_grad=True)
    loss = softmax_loss(scores, torch.tensor([0]), torch.zeros(1, 3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert scores.grad is not None
    assert scores.grad.isfinite().all()


def test_negatives_are_drawn_of_what_is_allowed() -> None:
    allowed = torch.zeros(2, 9, dtype=torch.bool)
    allowed[0, [2, 5]] = True
    drawn = draw_negatives(allowed, 200)
    assert set(drawn[0].tolist()) == {2, 5}
    assert len(set(drawn[1].tolist())) == 9
