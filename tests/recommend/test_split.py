"""The cut in time: what is a target, what is history, and that neither knows of the other side."""

import numpy as np
import pytest
from made_up_items import BEGIN, events_of, made_up_items, random_events

from fashionmt.errors import UserError
from fashionmt.recommend.histories import age_buckets, histories_of, seen_by
from fashionmt.recommend.interactions import DAY
from fashionmt.recommend.samples import RankerSamples
from fashionmt.recommend.split import before, choose_cuts, targets_between

CUT = BEGIN + 10 * DAY


def test_targets_are_what_is_new_to_who_has_a_history() -> None:
    events = events_of(
        ("a", 1, 1), ("a", 2, 2), ("a", 1, 11), ("a", 5, 12), ("a", 4, 13), ("a", 5, 14), ("new", 3, 11), ("b", 3, 1)
    )
    targets = targets_between(events, CUT, np.inf)
    assert [events.users[user] for user in targets.users] == ["a"]
    assert targets.item.tolist() == [5, 4]
    assert (targets.new_users, targets.repeats) == (1, 1)
    assert sorted(before(events, CUT).item.tolist()) == [1, 2, 3]


def test_cuts_by_share_and_by_date() -> None:
    events = events_of(*[("a", day, day) for day in range(10)])
    cuts = choose_cuts(events, None, None, 0.2, 0.3)
    parts = [events.time < cuts.validation, (events.time >= cuts.validation) & (events.time < cuts.test)]
    assert [int(part.sum()) for part in parts] == [5, 2]
    assert choose_cuts(events, "2020-09-15", "2020-09-17T00:00:00Z", 0.1, 0.1).test == 1_600_300_800


@pytest.mark.parametrize(("validation", "test"), [("1999-01-01", None), ("2020-09-18", "2020-09-15"), ("soon", None)])
def test_a_cut_with_nothing_on_one_side_is_refused(validation: str, test: str | None) -> None:
    with pytest.raises(UserError, match="recommend"):
        choose_cuts(events_of(*[("a", day, day) for day in range(10)]), validation, test, 0.1, 0.1)


def test_events_without_times_cannot_be_cut() -> None:
    events = events_of(("a", 1, np.nan))
    with pytest.raises(UserError, match="no event has a known time"):
        choose_cuts(events, None, None, 0.1, 0.1)


def test_histories_begin_with_the_newest_and_end_with_blanks() -> None:
    events = events_of(*[("a", row, row) for row in range(6)], ("b", 9, 3), users=["a", "b", "c"])
    histories = histories_of(events, np.array([0, 1, 2]), CUT, 4)
    assert histories.items.tolist() == [[5, 4, 3, 2], [9, -1, -1, -1], [-1] * 4]
    assert histories.mask.sum(1).tolist() == [4, 1, 0]
    assert (histories.ages > 0).tolist() == histories.mask.tolist()


def test_ages_are_told_by_powers_of_two() -> None:
    days = np.array([0, 0.5, 1, 2.9, 3, 7, 1e9])
    assert age_buckets(days * DAY).tolist() == [1, 1, 2, 2, 3, 4, 15]
    assert age_buckets(np.array([np.nan, -5.0])).tolist() == [0, 1]


def test_a_very_long_history_is_cut_and_yet_all_of_it_is_seen() -> None:
    events = events_of(*[("a", row % 50, row / 1000) for row in range(10_000)])
    assert histories_of(events, np.array([0]), CUT, 50).items.shape == (1, 50)
    assert sorted(set(seen_by(events, np.array([0])).item.tolist())) == list(range(50))


def test_samples_are_new_items_with_what_came_strictly_before() -> None:
    """Against a slow reading; what one moment holds is no history of it, and no item of the user's is a negative."""
    items = made_up_items()
    events = random_events(items, seed=3)
    events.time[:] = np.floor(events.time / (3 * DAY)) * 3 * DAY  # so that many are at one time
    samples = RankerSamples(events, items, 5, 1000)
    expected = []
    for place in range(len(events.user)):
        own = [at for at in range(len(events.user)) if events.user[at] == events.user[place]]
        earlier = [at for at in own if events.time[at] < events.time[place]]
        had = [at for at in own if at < place and events.item[at] == events.item[place]]
        if earlier and not had:
            expected.append((events.item[place], [events.item[at] for at in reversed(earlier)][:5]))
    batch = samples[np.arange(len(samples))]
    found = [
        (target, [item for item in row if item >= 0])
        for target, row in zip(batch.targets.tolist(), batch.histories.items.tolist(), strict=True)
    ]
    assert found == expected
    allowed = batch.allowed(samples.trends.there)
    for row, place in enumerate(samples.places):
        assert not allowed[row, events.item[events.user == events.user[place]]].any()


def test_twins_of_own_items_are_no_negatives() -> None:
    items = made_up_items(6)
    items.products[:] = [0, 1, 0, 2, 3, 0]
    events = events_of(("a", 0, 1), ("a", 1, 2), ("b", 2, 0.1), ("b", 3, 0.2), ("b", 4, 0.3), ("b", 5, 0.4))
    samples = RankerSamples(events, items, 5, 10)
    batch = samples[np.array([0])]
    assert batch.targets.tolist() == [1]
    assert batch.allowed(samples.trends.there)[0].tolist() == [False, False, False, True, True, False]
