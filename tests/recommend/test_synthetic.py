"""Made-up people: always the same ones, who keep the rules that the module states, and the oracle knows them."""

import numpy as np
import pytest
import torch
from made_up_items import made_up_items

from fashionmt.config import SyntheticConfig
from fashionmt.recommend.baselines import HistoryContent
from fashionmt.recommend.evaluation import Question, judge
from fashionmt.recommend.interactions import DAY, Interactions
from fashionmt.recommend.oracle import Oracle
from fashionmt.recommend.split import before, choose_cuts, targets_between
from fashionmt.recommend.synthetic import BEGIN, Synthetic
from fashionmt.recommend.trends import trends_at, weekly_trends


@pytest.fixture(scope="module")
def made() -> Synthetic:
    return Synthetic(made_up_items(200), SyntheticConfig(users=150, days=200))


@pytest.fixture(scope="module")
def events(made: Synthetic) -> Interactions:
    return made.interactions()


def test_the_same_seed_makes_the_same_people(made: Synthetic, events: Interactions) -> None:
    again = Synthetic(made.items, made.config).interactions()
    assert np.array_equal(again.item, events.item)
    assert np.array_equal(again.time, events.time)
    other = Synthetic(made.items, SyntheticConfig(users=150, days=200, seed=1)).interactions()
    assert not np.array_equal(other.item[:20], events.item[:20])


def test_they_are_called_synthetic(events: Interactions) -> None:
    assert all(user.startswith("synthetic-") for user in events.users)


def test_nobody_takes_twice_or_before_the_launch(made: Synthetic, events: Interactions) -> None:
    pairs = list(zip(events.user.tolist(), events.item.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    assert ((events.time - BEGIN) / DAY >= made.launch[events.item]).all()


def test_most_dress_in_one_gender(made: Synthetic, events: Interactions) -> None:
    genders = made.items.attributes["gender"].to_numpy()[events.item]
    shares = []
    for user in set(events.user.tolist()):
        own = genders[(events.user == user) & (genders != "Unisex")]
        if len(own) >= 5:
            shares.append(max((own == "Men").mean(), (own == "Women").mean()))
    assert np.mean(shares) > 0.8


def test_a_preference_is_a_distribution_over_what_is_not_owned(made: Synthetic, events: Interactions) -> None:
    now = BEGIN + 150 * DAY
    users = np.arange(20)
    chances = made.preference(users, now)
    np.testing.assert_allclose(chances.sum(axis=1), 1)
    past = before(events, now)
    for user in users:
        assert (chances[user, past.item[past.user == user]] == 0).all()


def test_the_oracle_is_far_above_what_sees_picks(made: Synthetic, events: Interactions) -> None:
    cut = choose_cuts(events, None, None, 0.1, 0.3).test
    question = Question(made.items, before(events, cut), targets_between(events, cut, np.inf), 10, 50, 100)
    oracle, mean = judge(question, Oracle(made)), judge(question, HistoryContent("", made.items.vectors, "mean"))
    assert oracle["metrics"]["NDCG@10"]["low"] > mean["metrics"]["NDCG@10"]["high"]


def test_without_the_attributes_people_differ_in_nothing() -> None:
    items = made_up_items(30)
    made = Synthetic(items, SyntheticConfig(users=10, gender=None, type="none", colour=None, price=None))
    assert np.allclose(made._person(3).tastes, 0)


def test_a_week_knows_nothing_of_itself_or_of_later(made: Synthetic, events: Interactions) -> None:
    """The numbers of a week are those of a moment at its begin, from the events before it."""
    trends = weekly_trends(events, len(made.items))
    for week in (3, 10, len(trends.numbers) - 1):
        start = trends.begin + week * 7 * DAY
        expected = trends_at(before(events, start), len(made.items), start)
        torch.testing.assert_close(trends.numbers[week], expected, rtol=1e-4, atol=1e-4)
    assert trends.weeks(np.array([trends.begin - 5, trends.begin + 8 * DAY, 1e12])).tolist() == [
        0,
        1,
        len(trends.numbers) - 1,
    ]


def test_numbers_are_centred_on_what_is_known(made: Synthetic, events: Interactions) -> None:
    numbers = trends_at(events, len(made.items), BEGIN + 200 * DAY)
    new = numbers[:, 3] == 1
    known = torch.from_numpy(np.unique(events.item))
    assert not new[known].any()
    torch.testing.assert_close(numbers[known, :3].mean(0), torch.zeros(3), atol=1e-4, rtol=0)
    assert (numbers[new, :3] == 0).all()
