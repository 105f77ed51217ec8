"""Agreement is that of a loop over pairs of a family's labelled items."""

import numpy as np
import pytest

from fashionmt.attributes import MISSING
from fashionmt.data.label_agreement import family_agreement


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_a_loop_over_pairs_finds(seed: int) -> None:
    draw = np.random.default_rng(seed)
    families = draw.choice(list("abcdefgh"), 30)
    labels = draw.integers(MISSING, 3, 30)
    shares = []
    for i in range(30):
        others = [j for j in range(30) if j != i and families[j] == families[i] and labels[j] != MISSING]
        if labels[i] != MISSING and others:
            shares.append(np.mean([labels[j] == labels[i] for j in others]))
    found = family_agreement(families, labels)
    assert found["items"] == len(shares)
    assert found["agreement"] == pytest.approx(np.mean(shares))


def test_where_no_family_has_two_labelled_items_nothing_is_known() -> None:
    found = family_agreement(np.array(["a", "a", "b"]), np.array([1, MISSING, 2]))
    assert found == {"agreement": None, "items": 0}
