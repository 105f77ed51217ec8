"""The limits of unknown items, and what is said of what they find."""

import numpy as np
import pytest
import torch
from tiny import tiny_config, tiny_dataset, tiny_tagger

from fashionmt.data import CatalogueDataset
from fashionmt.model import Tagger
from fashionmt.novelty import energy
from fashionmt.training.answers import Answers, collect_views
from fashionmt.training.novelty import fit_novelty, measure

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def logits() -> dict[str, torch.Tensor]:
    """400 items: of half of them the heads are sure, by their labels, which are 0, 1, 2 in turns."""
    generator = torch.Generator().manual_seed(0)
    kinds = torch.arange(400) % 3
    kind = 12 * torch.nn.functional.one_hot(kinds, 3).float()
    return {
        "type": kind + torch.randn(400, 3, generator=generator),
        "season": torch.randn(400, 2, generator=generator),
    }


LABELS = {"type": torch.arange(400) % 3, "season": torch.zeros(400, dtype=torch.int64)}


def test_a_class_held_out_is_found_where_its_head_has_nothing_else(logits: dict[str, torch.Tensor]) -> None:
    limit = float(energy(logits).quantile(0.99))
    found = measure(logits, LABELS, limit)
    assert found["items"] == 400
    assert found["share"] == pytest.approx(0.01)
    assert found["found"] > 0.9
    assert found["auroc"] > 0.95


def test_nothing_is_found_where_the_held_out_head_says_nothing(logits: dict[str, torch.Tensor]) -> None:
    flat = {"type": torch.zeros(400, 3), "season": 20 * logits["season"]}
    found = measure(flat, LABELS, float(energy(flat).quantile(0.99)))
    assert found["found"] < 0.1
    assert 0.4 < found["auroc"] < 0.7


def test_items_without_a_label_of_the_head_are_known_ones_only(logits: dict[str, torch.Tensor]) -> None:
    labels = LABELS | {"type": torch.where(torch.arange(400) < 200, LABELS["type"], -1)}
    assert measure(logits, labels, 0.0)["items"] == 400
    nobody = LABELS | {"type": torch.full((400,), 3)}
    assert set(measure(logits, nobody, 0.0)) == {"items", "share"}


def labelled_dataset() -> CatalogueDataset:
    """300 items, with labels of every head."""
    dataset = tiny_dataset(300)
    dataset.items.labels["season"] = dataset.items.labels["colour"].clip(-1, 2)
    return dataset


def shown(tagger: Tagger, dataset: CatalogueDataset) -> dict[str, Answers]:
    views = collect_views(tagger, dataset, CPU, 64)
    return {view: answers.where(answers.showing(view)) for view, answers in views.items()}


def test_a_stated_share_of_held_out_items_is_called_unknown_by_each_view() -> None:
    dataset = labelled_dataset()
    novelty, found = fit_novelty(shown(tiny_tagger(), dataset), 0.1)
    assert set(novelty.limits) == set(found) == {"image+text", "image", "text"}
    assert len(set(novelty.limits.values())) == 3
    for row in found.values():
        assert 0 < row["share"] <= 0.1
        assert row["items"] <= 300
    assert found["image+text"]["items"] < found["image"]["items"]


def test_a_model_of_one_input_has_one_view() -> None:
    novelty, _ = fit_novelty(shown(tiny_tagger(tiny_config(image=False)), labelled_dataset()), 0.1)
    assert set(novelty.limits) == {"text"}


def test_too_few_items_set_no_limit() -> None:
    dataset = labelled_dataset()
    dataset.rows = np.arange(50)
    assert fit_novelty(shown(tiny_tagger(), dataset), 0.1)[0].limits == {}


def test_heads_that_answer_by_probabilities_set_no_limit() -> None:
    tagger = tiny_tagger(tiny_config(kind="late"))
    assert fit_novelty(shown(tagger, labelled_dataset()), 0.1)[0].limits == {}
