"""The differences of two systems are those of a loop over the items that both answered."""

import numpy as np
import pytest
from made_up import CLASSES, WriteRow, answers_of

from fashionmt.benchmark.compare import all_differences, paired_difference
from fashionmt.errors import UserError


def test_each_difference_is_that_of_a_loop_over_the_common_items() -> None:
    ours = answers_of(["both", "title"], 0.8, 1, confident=False)
    theirs = (
        answers_of(["title"], 0.6, 2, confident=False).query("id not in ('i3', 'i8')").sample(frac=1, random_state=0)
    )
    found = all_differences([ours], [theirs], "both", "title", draws=100)
    assert found["items"] == 58
    wrong = {"ours": [], "theirs": []}
    pairs = {"ours": ours[ours["view"] == "both"].set_index("id"), "theirs": theirs.set_index("id")}
    for name in CLASSES:
        for side, table in pairs.items():
            share = np.mean([table.loc[i, f"{name}.true"] == table.loc[i, f"{name}.answered"] for i in theirs["id"]])
            assert found["attributes"][name][side] == pytest.approx(share)
            wrong[side].append(share)
        compared = found["attributes"][name]
        assert compared["difference"]["value"] == pytest.approx(compared["ours"] - compared["theirs"])
        assert compared["difference"]["low"] < compared["difference"]["value"] < compared["difference"]["high"]
    named = ours.query("view == 'both' and id in @theirs['id'] and `colour.title_names` == 'none'").set_index("id")
    right = named["colour.true"] == named["colour.answered"]
    assert found["none_named"]["colour"]["ours"] == pytest.approx(right.mean())
    assert found["none_named"]["colour"]["difference"]["items"] == len(named)
    exact = {
        side: np.mean(
            [
                all(table.loc[i, f"{name}.true"] == table.loc[i, f"{name}.answered"] for name in CLASSES)
                for i in theirs["id"]
            ]
        )
        for side, table in pairs.items()
    }
    assert (found["exact_match"]["ours"], found["exact_match"]["theirs"]) == pytest.approx(tuple(exact.values()))
    assert found["mean"]["difference"]["value"] == pytest.approx(np.mean(wrong["ours"]) - np.mean(wrong["theirs"]))


def test_one_seed_each_gives_what_two_folders_give(write_row: WriteRow) -> None:
    ours, theirs = write_row("net", right=0.8), write_row("linear", seed=1)
    tables = (answers_of(["title"], 0.8, 0, confident=False), answers_of(["title"], 0.7, 1, confident=False))
    found = all_differences([tables[0]], [tables[1]], "title", "title", draws=100)
    for name in CLASSES:
        alone = paired_difference(ours, theirs, "title", name, draws=100)
        assert found["attributes"][name]["difference"] == pytest.approx(alone.to_json())
    assert found["exact_match"]["difference"] == paired_difference(ours, theirs, "title", "all", draws=100).to_json()


def test_the_difference_of_seeds_is_of_their_means_and_wider_than_of_one() -> None:
    seeds = [answers_of(["title"], right, seed, confident=False) for seed, right in enumerate((0.5, 0.9, 0.99))]
    linear = answers_of(["title"], 0.7, 9, confident=False)
    alone = [all_differences([seed], [linear], "title", "title", 300)["exact_match"] for seed in seeds]
    found = all_differences(seeds, [linear], "title", "title", 300)["exact_match"]["difference"]
    assert found["value"] == pytest.approx(np.mean([one["difference"]["value"] for one in alone]))
    widths = [one["difference"]["high"] - one["difference"]["low"] for one in alone]
    assert found["high"] - found["low"] > max(widths)
    swapped = all_differences([linear], seeds, "title", "title", 300)["exact_match"]["difference"]
    assert swapped["value"] == pytest.approx(-found["value"])


@pytest.mark.parametrize(("attribute", "metric"), [("colour", "macro_f1"), ("all", "accuracy")])
def test_a_part_is_refused_where_it_would_be_passed_over(write_row: WriteRow, attribute: str, metric: str) -> None:
    ours, theirs = write_row("net"), write_row("linear", seed=1)
    with pytest.raises(UserError, match="part=none: is for the accuracy of one attribute"):
        paired_difference(ours, theirs, "title", attribute, metric=metric, part="none")
