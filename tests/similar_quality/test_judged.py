"""What is relevant and what is left out, against a comparison of every pair."""

import numpy as np
import pytest

from fashionmt.similar_quality.judged import Judged


def _drawn(seed: int) -> Judged:
    draw = np.random.default_rng(seed)
    labels = {name: draw.integers(-1, 3, 40) for name in ("type", "colour")}
    return Judged(labels, draw.integers(0, 12, 40).astype(str))


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_a_comparison_of_every_pair_says(seed: int) -> None:
    judged = _drawn(seed)
    relevant = judged.relevant
    for i in range(40):
        pair = [judged.labels[name] for name in judged.labels]
        alike = [
            j
            for j in range(40)
            if all(column[i] == column[j] and column[i] >= 0 for column in pair)
            and judged.families[i] != judged.families[j]
        ]
        assert relevant.items[relevant.offsets[i] : relevant.offsets[i + 1]].tolist() == alike
        own = [j for j in range(40) if judged.families[i] == judged.families[j]]
        assert judged.same_product[i].tolist() == own


def test_an_item_that_lacks_a_label_is_like_none() -> None:
    judged = Judged({"type": np.array([0, 0, 0]), "colour": np.array([-1, -1, 1])}, np.array(["a", "b", "c"]))
    assert judged.relevant.counts.tolist() == [0, 0, 0]


def test_a_class_that_training_could_not_learn_is_a_class() -> None:
    """Its index is past the last logit; items of it are alike all the same."""
    judged = Judged({"type": np.array([7, 7])}, np.array(["a", "b"]))
    assert judged.relevant.items.tolist() == [1, 0]
