"""Decoders fitted to labelled items are judged on others, whole families apart, and promise no more than these keep."""

import numpy as np
import pytest
import torch
from tiny import tiny_spaces

from fashionmt.calibrate.account import Account
from fashionmt.calibrate.fitting import FEWEST, Fitter, enough_labels, judged
from fashionmt.calibrate.labelled import Labelled
from fashionmt.config import ThresholdConfig
from fashionmt.decoding import Decoder, Decoders
from fashionmt.training.answers import Answers

SPACES = tiny_spaces()
BOTH = "image+text"
TARGET = 0.9


def labelled(count: int, right: float, seed: int = 0, family: int = 1, lacking: int = 0) -> Labelled:
    """Items of families of `family`, whose answers are right or wrong together; every answer is as sure as all others.
    The last `lacking` have a title alone."""
    draw = torch.Generator().manual_seed(seed)
    groups = np.arange(count) // family
    well = (torch.rand(count, generator=draw) < right)[torch.from_numpy(groups)]
    labels = {name: torch.randint(0, len(space), (count,), generator=draw) for name, space in SPACES.items()}
    logits = {
        name: 8 * torch.nn.functional.one_hot((labels[name] + (~well).long()) % len(space), len(space)).float()
        for name, space in SPACES.items()
    }
    shown = [BOTH] * (count - lacking) + ["text"] * lacking
    views = {BOTH: shown, "image": ["image"] * (count - lacking) + ["text"] * lacking, "text": ["text"] * count}
    said = {view: Answers(logits, labels, torch.zeros(count, 0), each) for view, each in views.items()}
    return Labelled(said, groups, SPACES, Account(count))


def fitter(items: Labelled) -> Fitter:
    targets = dict.fromkeys(SPACES, TARGET)
    return Fitter(items, Decoders(Decoder()), targets, ThresholdConfig(), enough_labels(items, ()))


def test_each_item_is_judged_once_in_order_by_what_was_fitted_without_its_family() -> None:
    items = labelled(600, 0.95, family=3, lacking=60)
    fit, fits = fitter(items), list[np.ndarray]()

    def watched(rows: np.ndarray) -> Decoders:
        fits.append(rows)
        return fit(rows)

    watcher = type("Watcher", (), {"__call__": lambda _, rows: watched(rows), "labelled": items})()
    together, by_view = judged(watcher, 4)
    assert len(fits) == 4
    for rows in fits:
        others = np.setdiff1d(np.arange(600), rows)
        assert not set(items.groups[rows]) & set(items.groups[others])
    assert sorted(np.concatenate([np.setdiff1d(np.arange(600), rows) for rows in fits]).tolist()) == list(range(600))
    for name in SPACES:
        assert torch.equal(together.answers[name], items.whole.logits[name].argmax(1))
    assert {view: len(rows) for view, (_, rows) in by_view.items()} == {"image": 540, "text": 600}
    assert by_view["image"][1].tolist() == list(range(540))


@pytest.mark.parametrize(("right", "accepts"), [(0.97, True), (0.8, False)])
def test_confidences_are_what_such_items_are_worth(right: float, accepts: bool) -> None:
    decoders = fitter(labelled(2000, right)).all()
    unseen = labelled(2000, right, seed=1)
    decoded = decoders(unseen.whole.logits, unseen.whole.views)
    for name in SPACES:
        assert float(decoded.confidence[name].mean()) == pytest.approx(right, abs=0.02)
        assert bool(decoded.accepted[name].all()) is accepts
        assert bool(decoded.accepted[name].any()) is accepts


def test_by_what_it_is_judged_is_not_what_it_was_fitted_to() -> None:
    """Half of the families are always right: had a fold seen its own items, its folds' confidences would differ."""
    items = labelled(3 * FEWEST, 0.5, family=30)
    together, _ = judged(fitter(items), 5)
    sure = together.confidence["colour"]
    assert len({round(float(value), 6) for value in sure}) > 1
    right = together.answers["colour"] == items.whole.labels["colour"]
    # Leaving a right family out makes the others look worse, and so the confidence in it lower.
    assert float(sure[right].mean()) < float(sure[~right].mean())


def test_an_attribute_of_few_labels_and_a_taxonomy_of_which_one_is_missing_are_not_fitted() -> None:
    items = labelled(400, 0.9, lacking=350)
    first, *others = SPACES
    items.whole.labels[first][FEWEST - 1 :] = -1
    enough = enough_labels(items, ())
    assert enough["text"] == frozenset(others)
    assert enough[BOTH] == frozenset()
    assert enough_labels(items, (first, others[0]))["text"] == frozenset(others[1:])
