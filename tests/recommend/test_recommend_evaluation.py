"""Systems on one question: baselines against slow readings, and what must not score well."""

import numpy as np
import pytest
import torch
from made_up_items import BEGIN, made_up_items, random_events

from fashionmt.recommend.baselines import (
    HistoryContent,
    Linked,
    covisitation,
    ease,
    group_popularity,
    item_knn,
    popularity,
    recent_popularity,
)
from fashionmt.recommend.evaluation import Question, beats, judge, quick_ndcg, sample_users
from fashionmt.recommend.interactions import DAY, Interactions
from fashionmt.recommend.items import Items
from fashionmt.recommend.people import People, Scorer, people_at, rank_all
from fashionmt.recommend.split import before, targets_between

CUT = BEGIN + 70 * DAY


class Constant:
    """Knows nothing."""

    name = "constant"

    def scores(self, people: People) -> torch.Tensor:
        return torch.zeros(len(people), 60)


class Knows:
    """Knows the answers."""

    name = "knows"

    def __init__(self, question: Question) -> None:
        self.question = question

    def scores(self, people: People) -> torch.Tensor:
        targets, scores = self.question.targets, torch.zeros(len(people), 60)
        for row, user in enumerate(people.users):
            place = int(np.flatnonzero(targets.users == user)[0])
            scores[row, torch.from_numpy(targets.item[targets.user == place])] = 1
        return scores


@pytest.fixture(scope="module")
def items() -> Items:
    return made_up_items()


@pytest.fixture(scope="module")
def events(items: Items) -> Interactions:
    return random_events(items, users=80)


@pytest.fixture(scope="module")
def question(items: Items, events: Interactions) -> Question:
    return Question(items, before(events, CUT), targets_between(events, CUT, np.inf), 10, 50, 100)


def test_a_constant_scorer_does_not_score_well_and_who_knows_scores_one(question: Question) -> None:
    """All ties: the lowest ids come first, whatever was taken."""
    constant, best = judge(question, Constant()), judge(question, Knows(question))
    assert constant["metrics"]["NDCG@10"]["high"] < 0.25
    assert all(figure["value"] == 1 for name, figure in best["metrics"].items() if name != "Recall@10")
    assert beats(best, [constant], "NDCG@10")
    assert not beats(constant, [best], "NDCG@10")
    targets = question.targets
    top = rank_all(Constant(), question.past, targets.users, CUT, 50, 10)
    for user, row in zip(targets.users, top.tolist(), strict=True):
        had = set(question.past.item[question.past.user == user].tolist())
        assert row == [item for item in range(60) if item not in had][:10]


def test_nobody_is_shown_what_they_had(question: Question) -> None:
    scorer = popularity(question.past, question.items)
    top = rank_all(scorer, question.past, question.users, CUT, 50, 60, size=7)
    for user, row in zip(question.users, top.tolist(), strict=True):
        had = set(question.past.item[question.past.user == user].tolist())
        assert {item for item in row if item >= 0} == set(range(60)) - had


def test_cold_and_warm_items_are_told_apart(question: Question) -> None:
    cold = set(range(60)) - set(question.past.item.tolist())
    assert set(question.cold.nonzero()[:, 0].tolist()) == cold
    counts = question.relevant(question.cold).counts + question.relevant(~question.cold).counts
    assert torch.equal(counts, question.relevant().counts)


def test_a_sample_of_users_keeps_their_targets(question: Question) -> None:
    some = sample_users(question.targets, 5, 0)
    assert len(some.users) == 5
    for row, user in enumerate(some.users):
        whole = int(np.flatnonzero(question.targets.users == user)[0])
        assert some.item[some.user == row].tolist() == question.targets.item[question.targets.user == whole].tolist()


def matrix(events: Interactions, count: int) -> np.ndarray:  # type: ignore[type-arg]
    had = np.zeros((len(events.users), count))
    had[events.user, events.item] = 1
    return had


def scored(scorer: Scorer, question: Question) -> np.ndarray:  # type: ignore[type-arg]
    return scorer.scores(people_at(question.past, question.users, CUT, 50)).numpy()


def test_popularity_is_a_count(question: Question, items: Items) -> None:
    past = question.past
    assert popularity(past, items).numbers.tolist() == np.bincount(past.item, minlength=60).tolist()
    late = past.item[past.time >= CUT - 28 * DAY]
    numbers = recent_popularity(past, items, CUT, 28).numbers
    assert np.floor(numbers.numpy()).tolist() == np.bincount(late, minlength=60).tolist()


def test_popularity_within_a_group_counts_those_of_the_same_commonest_value(question: Question, items: Items) -> None:
    past, values = question.past, items.attributes["gender"].tolist()
    group = {}
    for user in set(past.user.tolist()):
        had = [values[item] for item in past.item[past.user == user]]
        group[user] = max(sorted(set(had)), key=had.count)
    found = scored(group_popularity(past, items, "gender", 50), question)
    for row, user in enumerate(question.users.tolist()):
        same = [item for each, item in zip(past.user, past.item, strict=True) if group[each] == group[user]]
        assert np.floor(found[row]).tolist() == np.bincount(same, minlength=60).tolist()


def test_item_knn_is_the_cosine_of_columns(question: Question, items: Items) -> None:
    had = matrix(question.past, 60)
    norms = np.linalg.norm(had, axis=0)
    cosines = np.nan_to_num((had.T @ had) / (norms[:, None] * norms[None] + 3.0))
    np.fill_diagonal(cosines, 0)
    found = scored(item_knn(question.past, items, 60, 3.0), question)
    np.testing.assert_allclose(found, had[question.users] @ cosines, atol=1e-5)


def test_item_knn_keeps_the_nearest(question: Question, items: Items) -> None:
    whole, some = (item_knn(question.past, items, count, 0.0).links for count in (60, 3))
    assert not isinstance(whole, np.ndarray)
    assert not isinstance(some, np.ndarray)
    for row in range(60):
        nearest = np.sort(whole.toarray()[row])[::-1][:3]
        np.testing.assert_allclose(np.sort(some.toarray()[row])[::-1][:3], nearest)


def test_ease_is_ridge_regression_without_a_diagonal(question: Question, items: Items) -> None:
    """Each column is the ridge regression of an item on all others."""
    had = matrix(question.past, 60)
    links = ease(question.past, items, 7.0).links
    for item in (0, 13, 59):
        others = np.delete(np.arange(60), item)
        gram = had[:, others].T @ had[:, others] + 7.0 * np.eye(59)
        expected = np.linalg.solve(gram, had[:, others].T @ had[:, item])
        np.testing.assert_allclose(links[others, item], expected, atol=1e-4)
        assert links[item, item] == 0


def test_covisitation_counts_what_follows(question: Question, items: Items) -> None:
    past = question.past
    expected = np.zeros((60, 60))
    for user in set(past.user.tolist()):
        own = past.item[past.user == user]
        for place, item in enumerate(own):
            for step, following in enumerate(own[place + 1 : place + 6]):
                expected[item, following] += 1 / (step + 1)
    linked = covisitation(past, items)
    assert isinstance(linked, Linked)
    assert not isinstance(linked.links, np.ndarray)
    np.testing.assert_allclose(linked.links.toarray(), expected, rtol=1e-5)


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_content_of_the_history(question: Question, items: Items, pooling: str) -> None:
    found = scored(HistoryContent("", items.vectors, pooling), question)
    likeness = (items.vectors @ items.vectors.T).numpy()
    for row, user in enumerate(question.users.tolist()):
        own = likeness[question.past.item[question.past.user == user][::-1]]
        expected = {"last": own[0], "mean": own.mean(0), "max": own.max(0)}[pooling]
        np.testing.assert_allclose(found[row], expected, atol=1e-5)


def test_the_better_system_has_the_higher_ndcg(question: Question) -> None:
    assert quick_ndcg(question, Knows(question)) == pytest.approx(1)
    assert quick_ndcg(question, Constant()) < 0.3
