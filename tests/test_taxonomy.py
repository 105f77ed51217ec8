"""The combinations are those of the training rows, every class stays an answer, and a damaged table is refused."""

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch

from fashionmt.errors import UserError
from fashionmt.taxonomy import Taxonomy, learn_taxonomy

CLASSES = {"article": 4, "sub": 3, "master": 2}
Rows = list[tuple[int, ...]]


def learn(rows: Rows, classes: dict[str, int] = CLASSES) -> Taxonomy:
    columns = zip(*rows, strict=True)
    return learn_taxonomy({name: np.array(c) for name, c in zip(classes, columns, strict=True)}, classes)


def test_it_holds_the_combinations_of_fully_labelled_rows_and_how_often() -> None:
    rows = [(0, 0, 0)] * 5 + [(1, 0, 0)] * 3 + [(2, 1, 1)] * 2 + [(3, 2, 1), (1, 1, 1)]
    taxonomy = learn([*rows, (0, -1, 0), (-1, 2, 0), (4, 0, 0), (0, 3, 1)])  # no label, and classes not learned
    assert taxonomy.attributes == ("article", "sub", "master")
    assert dict(zip(taxonomy.combinations, taxonomy.counts, strict=True)) == Counter(rows)
    assert taxonomy.completed == []


def test_a_class_that_no_full_row_holds_is_completed_from_the_nearest_full_combination() -> None:
    full = [(0, 0, 0)] * 5 + [(1, 0, 0)] * 3 + [(2, 1, 1)]
    # Article 3 is twice seen below sub 1; sub 2 only with nothing else, and gets the most frequent partners.
    taxonomy = learn([*full, (3, 1, -1), (3, 1, -1), (3, -1, 0), (-1, 2, -1)])
    assert taxonomy.completed == [(0, 2, 0), (3, 1, 1)]
    assert set(taxonomy.combinations) == {*full, (0, 2, 0), (3, 1, 1)}


def test_two_classes_that_occur_only_together_stay_together() -> None:
    taxonomy = learn([(0, 0, 0), (1, 0, 0), (2, 1, 1), (3, 2, -1)])
    assert taxonomy.completed == [(3, 2, 1)]


@pytest.mark.parametrize("seed", range(20))
def test_every_learned_class_stands_in_a_combination(seed: int) -> None:
    draw = np.random.default_rng(seed)
    rows = [tuple(int(draw.integers(-1, size)) for size in CLASSES.values()) for _ in range(12)]
    rows += [(i, -1, -1) for i in range(4)] + [(-1, i, -1) for i in range(3)] + [(-1, -1, 0), (-1, -1, 1)]
    taxonomy = learn([*rows, (0, 0, 0)])
    for place, size in enumerate(CLASSES.values()):
        assert {row[place] for row in taxonomy.combinations} == set(range(size))
    assert Taxonomy.from_json(json.loads(json.dumps(taxonomy.to_json())), CLASSES) == taxonomy


def test_rows_of_which_none_is_fully_labelled_are_refused() -> None:
    with pytest.raises(UserError, match="no training row is labelled in all of article, sub, master"):
        learn([(0, 0, -1), (1, -1, 1)])


def test_an_items_combination_is_found_or_missing() -> None:
    taxonomy = learn([(0, 0, 0), (1, 0, 0), (2, 1, 1), (3, 2, 1)])
    items = torch.tensor([(2, 1, 1), (0, 0, 0), (2, 1, 0), (2, -1, 1), (4, 0, 0)])
    found = taxonomy.index_of(dict(zip(CLASSES, items.T, strict=True)))
    assert found.tolist() == [2, 0, -1, -1, -1]
    assert [column[2].item() for column in taxonomy.columns.values()] == [2, 1, 1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"attributes": ["article", "sub", "cut"]}, "attributes"),
        ({"attributes": ["article", "sub", "sub"]}, "attributes"),
        ({"combinations": []}, "no combinations"),
        ({"combinations": [[1, 0, 0], [0, 0, 0], [2, 1, 1], [3, 2, 1]]}, "ascending"),
        ({"combinations": [[0, 0, 0], [0, 0, 0], [2, 1, 1], [3, 2, 1]]}, "ascending"),
        ({"combinations": [[0, 0, 0], [1, 0, 0], [2, 1, 1], [4, 2, 1]]}, "every class of article"),
        ({"combinations": [[-1, 0, 0], [1, 0, 0], [2, 1, 1], [3, 2, 1]]}, "every class of article"),
        ({"combinations": [[0, 0, 0], [1, 0, 0], [2, 1, 1], [3, 1, 1]]}, "every class of sub"),
        ({"combinations": [[0, 0], [1, 0], [2, 1], [3, 2]]}, "3 class indices"),
        ({"combinations": [[0, 0, 0], [1, 0, False], [2, 1, 1], [3, 2, 1]]}, "3 class indices"),
        ({"combinations": [[0, 0, 0], [1, 0, 0.0], [2, 1, 1], [3, 2, 1]]}, "3 class indices"),
        ({"counts": [1, 1, 1]}, "counts"),
        ({"counts": [1, 1, 1, -1]}, "counts"),
        ({"counts": [1, 1, 1, 0.5]}, "counts"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(change: dict[str, Any], told: str) -> None:
    stored = learn([(0, 0, 0), (1, 0, 0), (2, 1, 1), (3, 2, 1)]).to_json()
    Taxonomy.from_json(stored, CLASSES)
    with pytest.raises(ValueError, match=told):
        Taxonomy.from_json(stored | change, CLASSES)
