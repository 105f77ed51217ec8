"""Other columns through their tower, and what the tagger does with them."""

import pytest
import torch
from tiny import COLUMNS, random_batch, rows_of, tiny_config, tiny_tagger

from fashionmt.model.modalities import drop_modalities, drop_tabular, views
from fashionmt.model.tabular_tower import SIZE, TabularTower

KINDS = ["concat", "gated", "product", "cross_attention", "late", "hybrid"]


def test_features_depend_on_each_column_and_on_the_item_alone() -> None:
    torch.manual_seed(0)
    tower = TabularTower(*COLUMNS)
    batch = random_batch()
    before = tower(batch)
    assert before.shape == (6, SIZE)
    changed = random_batch()
    changed.categories[2, 1] = (changed.categories[2, 1] + 1) % COLUMNS[1][1]
    changed.numbers[4, 3] += 0.5
    different = (tower(changed) - before).abs().sum(1) > 1e-4
    assert different.tolist() == [False, False, True, False, True, False]


@pytest.mark.parametrize("kind", KINDS)
def test_the_tagger_reads_them_where_they_are_there(kind: str) -> None:
    tagger = tiny_tagger(tiny_config(kind=kind, drop_tabular=0.0), columns=COLUMNS)
    assert tagger.modalities == ("image", "text", "tabular")
    batch, other, hidden = random_batch(), random_batch(), random_batch()
    other.numbers = 1 - other.numbers
    other.has_tabular = torch.tensor([True, False] * 3)
    hidden.has_tabular = torch.tensor([True, False] * 3)
    logits, changed, without = (tagger(shown).logits["colour"] for shown in (batch, other, hidden))
    assert ((logits - changed).abs().sum(1) > 1e-5).tolist() == [True] * 6
    torch.testing.assert_close(changed[1::2], without[1::2])  # what is hidden is not read


def test_an_item_is_answered_alike_alone_and_in_a_batch() -> None:
    tagger = tiny_tagger(tiny_config(), columns=COLUMNS)
    batch = random_batch()
    whole = tagger(batch).logits["season"]
    for row in range(6):
        torch.testing.assert_close(tagger(rows_of(batch, [row])).logits["season"][0], whole[row], atol=1e-5, rtol=1e-4)


def test_they_stay_beside_each_input_alone_and_are_hidden_as_often_as_told() -> None:
    there = torch.ones(20_000, dtype=torch.bool)
    present = {"image": there, "text": there, "tabular": there}
    assert [{name: bool(v.all()) for name, v in view.items()} for view in views(present)] == [
        {"image": True, "text": True, "tabular": True},
        {"image": True, "text": False, "tabular": True},
        {"image": False, "text": True, "tabular": True},
    ]
    kept = drop_modalities(present, {"image": 0.3, "text": 0.3})
    assert kept["tabular"].all()
    assert not kept["image"].all()
    hidden = drop_tabular(present, 0.25)
    assert abs(float(hidden["tabular"].float().mean()) - 0.75) < 0.02
    assert hidden["image"].all()
    assert hidden["text"].all()
    assert drop_tabular({"image": there}, 0.5).keys() == {"image"}


def test_a_picture_alone_is_still_one_view() -> None:
    there = torch.ones(3, dtype=torch.bool)
    assert len(views({"image": there, "tabular": there})) == 1
