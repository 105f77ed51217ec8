"""Ranking metrics against hand-made numbers, a slow reading of the formulas, scikit-learn, and ranx if it is there."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.metrics import ndcg_score
from torch import Tensor

from fashionmt.bootstrap import Bootstrap
from fashionmt.ranking.metrics import METRICS, Relevant, find_hits, mean, measure

ITEMS = 30


def slow(name: str, ranked: list[int], wanted: set[int], k: int) -> float:
    """One user's figure, by the formulas as they are written in textbooks."""
    if not wanted:
        return math.nan
    first = [item for item in ranked[:k] if item >= 0]
    hits = [item in wanted for item in first]
    if name == "Recall":
        return sum(hits) / len(wanted)
    if name == "Hit":
        return float(any(hits))
    if name == "MRR":
        return max([1 / (place + 1) for place, hit in enumerate(hits) if hit], default=0.0)
    if name == "MAP":
        return sum(sum(hits[: place + 1]) / (place + 1) for place, hit in enumerate(hits) if hit) / min(len(wanted), k)
    ideal = sum(1 / math.log2(place + 2) for place in range(min(len(wanted), k)))
    return sum(1 / math.log2(place + 2) for place, hit in enumerate(hits) if hit) / ideal


@pytest.fixture(scope="module")
def rankings() -> tuple[Tensor, list[set[int]]]:
    """60 users' whole rankings of 30 items, and what is relevant to them: the first none, the second all of them."""
    random = np.random.default_rng(0)
    top = torch.from_numpy(np.stack([random.permutation(ITEMS) for _ in range(60)]))
    wanted = [set(random.choice(ITEMS, random.integers(1, 9), replace=False).tolist()) for _ in range(58)]
    return top, [set(), set(range(ITEMS)), *wanted]


@pytest.mark.parametrize("k", [1, 3, 10, 29, 30, 50])
def test_it_equals_the_formulas(rankings: tuple[Tensor, list[set[int]]], k: int) -> None:
    top, wanted = rankings
    found = measure(top, Relevant.from_lists(wanted), k)
    for name in METRICS:
        expected = [slow(name, ranked.tolist(), each, k) for ranked, each in zip(top, wanted, strict=True)]
        torch.testing.assert_close(found[f"{name}@{k}"], torch.tensor(expected, dtype=torch.float64), equal_nan=True)


@pytest.mark.parametrize("k", [1, 5, 30])
def test_ndcg_is_scikit_learns(rankings: tuple[Tensor, list[set[int]]], k: int) -> None:
    top, wanted = rankings
    scores, labels = np.zeros((59, ITEMS)), np.zeros((59, ITEMS))
    for user, (ranked, each) in enumerate(zip(top[1:], wanted[1:], strict=True)):
        scores[user, ranked.numpy()] = np.arange(ITEMS, 0, -1)
        labels[user, list(each)] = 1
    found = measure(top[1:], Relevant.from_lists(wanted[1:]), k)[f"NDCG@{k}"]
    assert found.mean().item() == pytest.approx(ndcg_score(labels, scores, k=k, ignore_ties=True), abs=1e-12)


@pytest.mark.slow  # ranx compiles its metrics when first called, for a minute: so it is in no extra either
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("k", [1, 5, 20])
def test_they_are_those_of_ranx(rankings: tuple[Tensor, list[set[int]]], k: int) -> None:
    """Its `map` divides by all relevant items and ours by min(R, k): the same where R <= k, and so compared there."""
    ranx = pytest.importorskip("ranx")
    top, wanted = rankings
    users = [user for user, each in enumerate(wanted) if each]
    qrels = ranx.Qrels({str(user): {str(item): 1 for item in sorted(wanted[user])} for user in users})
    run = ranx.Run({str(u): {str(item): 1.0 - at / 100 for at, item in enumerate(top[u].tolist())} for u in users})
    theirs = {"MAP": "map", "NDCG": "ndcg", "Recall": "recall", "Hit": "hit_rate", "MRR": "mrr"}
    ours = measure(top[users], Relevant.from_lists([wanted[user] for user in users]), k)
    for name, called in theirs.items():
        ranx.evaluate(qrels, run, f"{called}@{k}")
        scores = dict(run.scores[f"{called}@{k}"])
        compared = [at for at, user in enumerate(users) if name != "MAP" or len(wanted[user]) <= k]
        expected = torch.tensor([scores[str(users[at])] for at in compared], dtype=torch.float64)
        torch.testing.assert_close(ours[f"{name}@{k}"][compared], expected)


def test_numbers_by_hand() -> None:
    """One hit at the top of five relevant items; and hits at the places 2 and 4 of two."""
    top = torch.tensor([[0, 10, 11, 12, 13], [10, 0, 11, 1, 12]])
    found = measure(top, Relevant.from_lists([[0, 1, 2, 3, 4], [1, 0]]), 5)
    assert found["MAP@5"].tolist() == pytest.approx([0.2, (1 / 2 + 2 / 4) / 2])
    assert found["MRR@5"].tolist() == [1.0, 0.5]
    assert found["Recall@5"].tolist() == [0.2, 1.0]
    assert found["NDCG@5"][1].item() == pytest.approx((1 / math.log2(3) + 1 / math.log2(5)) / (1 + 1 / math.log2(3)))


def test_fewer_items_than_places() -> None:
    """A catalogue of two: the denominator stays min(R, k), absent places are misses."""
    found = measure(torch.tensor([[1, -1, -1], [0, 1, -1]]), Relevant.from_lists([[1], [5, 1]]), 3)
    assert found["MAP@3"].tolist() == [1.0, 0.25]
    assert found["Hit@3"].tolist() == [1.0, 1.0]
    narrow = measure(torch.tensor([[1, 0], [0, 1]]), Relevant.from_lists([[1], [5, 1]]), 3)
    assert narrow["MAP@3"].tolist() == [1.0, 0.25]


def test_pairs_in_any_order_and_twice() -> None:
    relevant = Relevant.from_pairs(torch.tensor([2, 0, 2, 2]), torch.tensor([4, 9, 1, 4]), 4)
    assert relevant.offsets.tolist() == [0, 1, 1, 3, 3]
    assert relevant.items.tolist() == [9, 1, 4]
    assert Relevant.from_lists([[], []]).counts.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: find_hits(torch.tensor([[1, 1]]), Relevant.from_lists([[1]])), "twice"),
        (lambda: find_hits(torch.tensor([[1, 2]]), Relevant.from_lists([[1], [2]])), "1 rankings for 2 users"),
        (lambda: Relevant.from_pairs(torch.tensor([3]), torch.tensor([0]), 2), "user 3 of 2"),
    ],
)
def test_what_is_refused(call: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        call()


def test_the_mean_leaves_out_users_without_a_figure_and_counts_the_others() -> None:
    values = torch.tensor([1.0, torch.nan, 0.0, 0.5], dtype=torch.float64)
    estimate = mean(values, Bootstrap(["a", "b", "c", "d"], 200))
    assert (estimate.value, estimate.items) == (0.5, 3)
    assert estimate.low is not None
    assert estimate.high is not None
    assert 0 <= estimate.low <= 0.5 <= estimate.high <= 1
