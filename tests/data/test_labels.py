"""Label spaces learned from training rows: what is rare, what is unlearned, what cannot be learned."""

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from fashionmt.attributes import LabelSpace
from fashionmt.config import AttributeConfig, DataConfig
from fashionmt.data.findings import Findings
from fashionmt.data.labels import OTHER, Labels, learn_label_spaces
from fashionmt.errors import UserError

COLUMN = ["Red", "Red", "Red", "Blue", "Blue", "Teal", None, "Teal", "Aqua"]
TRAIN = np.array([0, 1, 2, 3, 4, 5, 6])
"""Red 3, Blue 2, Teal 1 in training (and 1 outside), Aqua only outside."""


def learn(
    column: list[str | None], train: list[int] | np.ndarray, min_count: int, rare: str = "mask", **given: Any
) -> tuple[LabelSpace, list[str | None], Findings]:
    findings = Findings()
    labels: Labels = {"colour": column}
    config = DataConfig(attributes={"colour": AttributeConfig()}, min_count=min_count, rare=rare, **given)
    spaces, renamed = learn_label_spaces(labels, np.asarray(train), config, findings)
    return spaces["colour"], renamed["colour"], findings


@pytest.mark.parametrize(
    ("min_count", "classes", "unlearned"),
    [
        (1, ("Blue", "Red", "Teal"), ("Aqua",)),
        (2, ("Blue", "Red"), ("Aqua", "Teal")),
    ],
)
def test_masked_classes_stay_known_but_have_no_logit(
    min_count: int, classes: tuple[str, ...], unlearned: tuple[str, ...]
) -> None:
    space, column, findings = learn(COLUMN, TRAIN, min_count)
    assert (space.classes, space.unlearned) == (classes, unlearned)
    assert column == COLUMN
    (record,) = findings.to_json()
    assert record["what"] == f"colour classes with fewer than {min_count} training rows"
    assert (record["count"], record["examples"]) == (len(unlearned), list(unlearned))


@pytest.mark.parametrize(
    ("min_count", "classes", "expected"),
    [
        (2, ("Blue", OTHER, "Red"), ["Red"] * 3 + ["Blue"] * 2 + [OTHER, None, OTHER, OTHER]),
        (3, (OTHER, "Red"), ["Red"] * 3 + [OTHER] * 3 + [None, OTHER, OTHER]),
    ],
)
def test_rare_classes_become_other(min_count: int, classes: tuple[str, ...], expected: list[str | None]) -> None:
    space, column, _ = learn(COLUMN, TRAIN, min_count, "other")
    assert (space.classes, space.unlearned) == (classes, ())
    assert column == expected
    assert COLUMN[5] == "Teal"  # the labels handed over are not changed


def test_other_is_no_class_where_no_training_row_would_teach_it() -> None:
    space, column, _ = learn(COLUMN, TRAIN, 1, "other")
    assert (space.classes, space.unlearned) == (("Blue", "Red", "Teal"), ("Aqua",))
    assert column == COLUMN


@pytest.mark.parametrize("rare", ["mask", "other"])
def test_without_rare_classes_nothing_is_renamed_and_nothing_found(rare: str) -> None:
    space, column, findings = learn(["b", "a", None, "a", "b"], [0, 1, 2, 3, 4], 2, rare)
    assert (space.classes, space.unlearned) == (("a", "b"), ())
    assert column == ["b", "a", None, "a", "b"]
    assert findings.to_json() == []


@pytest.mark.parametrize("rare", ["mask", "other"])
@pytest.mark.parametrize("seed", range(5))
def test_learned_classes_are_those_that_a_count_finds(rare: str, seed: int) -> None:
    draw = random.Random(seed)
    names = [*"abcdefgh", None]
    column = draw.choices(names, weights=[64, 32, 16, 8, 4, 2, 2, 1, 9], k=300)
    train = sorted(draw.sample(range(300), 150))
    counts = Counter(column[row] for row in train)
    often = {name for name in "abcdefgh" if counts[name] >= 4}
    seldom = {name for name in column if name is not None} - often
    space, renamed, _ = learn(column, train, 4, rare)
    if rare == "mask":
        assert set(space.classes) == often
        assert set(space.unlearned) == seldom
        assert renamed == column
    else:
        assert set(space.classes) == often | ({OTHER} if seldom else set())
        assert renamed == [OTHER if name in seldom else name for name in column]
    assert list(space.classes) == sorted(space.classes)
    assert all(index < len(space.every_class) for index in space.encode(renamed))


def test_each_attribute_has_its_own_space() -> None:
    labels: Labels = {"colour": ["a", "b", "a", "b"], "season": ["x", "y", "y", None]}
    config = DataConfig(attributes={name: AttributeConfig() for name in labels}, min_count=1)
    spaces, _ = learn_label_spaces(labels, np.arange(4), config, Findings())
    assert {name: space.classes for name, space in spaces.items()} == {"colour": ("a", "b"), "season": ("x", "y")}
    assert {space.attribute for space in spaces.values()} == {"colour", "season"}


@pytest.mark.parametrize(
    ("column", "train", "min_count", "wrong"),
    [
        ([None, None, None], [0, 1, 2], 1, "no class"),
        ([None, None, "a", "b"], [0, 1], 1, "no class"),  # labelled, but never in training
        (["a", "b", "c"], [0, 1, 2], 2, "no class"),
        (["a", "a", None], [0, 1, 2], 1, "only the class 'a'"),
        (["a", "a", "b"], [0, 1, 2], 2, "only the class 'a'"),
        (["a", "a", "b", "b"], [0, 1], 1, "only the class 'a'"),
        (["a", "b"], [], 1, "no class"),
    ],
)
def test_an_attribute_without_two_classes_to_learn_is_refused_with_the_repair(
    column: list[str | None], train: list[int], min_count: int, wrong: str
) -> None:
    with pytest.raises(UserError) as refused:
        learn(column, np.array(train, dtype=np.int64), min_count)
    assert str(refused.value).startswith(f"attribute colour: {wrong} with enough training rows")
    assert "lower data.min_count, or leave it out: '~data.attributes.colour'." in str(refused.value)


def test_an_attribute_that_learn_names_is_left_out_there() -> None:
    with pytest.raises(UserError, match=r"or leave it out: take colour out of data\.learn\."):
        learn(["a", "a"], [0, 1], 1, learn=["colour"])


@pytest.mark.parametrize("column", [["a", "b", "c"], ["a", "a", "b"]])
def test_other_needs_a_second_class_too(column: list[str | None]) -> None:
    """All rare: one class "Other". One learned, and the rare one outside training: nothing to tell it from."""
    train = [0, 1, 2] if column[1] == "b" else [0, 1]
    with pytest.raises(UserError, match="only the class"):
        learn(column, train, 2, "other")
