"""What is refused of a catalogue that was read, before anything is trained on it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fashionmt.attributes import MISSING
from fashionmt.data.splits import Split
from fashionmt.errors import UserError
from fashionmt.training.loading import refuse_unlabelled


def prepared(*labels: list[int]) -> Any:
    """Of four items the third is for validation."""
    split = Split(np.array([0, 1]), np.array([2]), np.array([3]), None)
    names = ["type", "colour"][: len(labels)]
    items = SimpleNamespace(labels={name: np.array(own) for name, own in zip(names, labels, strict=True)})
    return SimpleNamespace(split=split, items=items, spaces=dict.fromkeys(names))


def test_without_a_label_in_validation_nothing_can_choose_the_weights() -> None:
    with pytest.raises(UserError, match=r"none of the 1 validation items has a label of type, colour"):
        refuse_unlabelled(prepared([0, 1, MISSING, 0], [1, 1, MISSING, MISSING]))


@pytest.mark.parametrize("label", [0, 9])
def test_one_label_will_do_even_of_a_class_that_is_not_learned(label: int) -> None:
    refuse_unlabelled(prepared([0, 1, MISSING, 0], [1, 1, label, MISSING]))
