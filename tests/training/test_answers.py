"""What a tagger says of items: every one once, in order, as tagging would; and of each view, with the rest hidden."""

import numpy as np
import pytest
import torch
from tiny import one_thread, tiny_config, tiny_dataset, tiny_tagger

from fashionmt.batch import Batch
from fashionmt.data import CatalogueDataset
from fashionmt.model import Tagger
from fashionmt.training.answers import collect_answers, collect_views

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)

CPU = torch.device("cpu")
CLASSES = {"row": 11, "colour": 4}


@pytest.fixture(scope="module")
def dataset() -> CatalogueDataset:
    whole = tiny_dataset(11)
    return CatalogueDataset(whole.items, np.array([7, 0, 2, 10, 3, 9, 5]))


@pytest.fixture
def tagger() -> Tagger:
    return tiny_tagger(tiny_config(drop_image=0.4, drop_title=0.4), CLASSES)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 64])
def test_logits_and_labels_are_each_items_own_in_the_datasets_order(
    tagger: Tagger, dataset: CatalogueDataset, batch_size: int
) -> None:
    answers = collect_answers(tagger, dataset, CPU, batch_size)
    assert answers.labels["row"].tolist() == [7, 0, 2, 10, 3, 9, 5]
    for position in range(7):
        with torch.no_grad():
            alone = tagger(dataset[[position]]).logits
        for name in CLASSES:
            torch.testing.assert_close(answers.logits[name][position], alone[name][0], rtol=1e-3, atol=1e-5)


def test_a_tagger_in_training_is_evaluated_without_dropping_or_learning(
    tagger: Tagger, dataset: CatalogueDataset
) -> None:
    expected = collect_answers(tagger, dataset, CPU, 4)
    before = {name: value.clone() for name, value in tagger.state_dict().items()}
    answers = collect_answers(tagger.train(), dataset, CPU, 4)
    assert all(torch.equal(answers.logits[name], expected.logits[name]) for name in CLASSES)
    assert all(torch.equal(value, before[name]) for name, value in tagger.state_dict().items())


# By view


def _hide(batch: Batch, image: bool, title: bool) -> Batch:
    """Of the items that have both."""
    both = batch.has_image & batch.has_title
    batch.has_image, batch.has_title = batch.has_image & ~(both & image), batch.has_title & ~(both & title)
    return batch


HIDDEN = {"image+text": (False, False), "image": (False, True), "text": (True, False)}


@pytest.fixture(scope="module")
def items() -> CatalogueDataset:
    return tiny_dataset(23)


def test_the_views_are_those_of_items_whose_other_input_is_hidden(items: CatalogueDataset) -> None:
    tagger = tiny_tagger()
    views = collect_views(tagger, items, CPU, 5)
    assert list(views) == list(HIDDEN)
    for view, answers in views.items():
        batch = _hide(items[range(23)], *HIDDEN[view])
        with torch.no_grad():
            expected = tagger(batch)
        # In batches of another size products add up in another order.
        assert torch.allclose(answers.embedding, expected.embedding, atol=1e-5)
        assert all(torch.allclose(answers.logits[name], value, atol=1e-5) for name, value in expected.logits.items())
        assert torch.equal(answers.labels["row"], torch.arange(23))
        there = [[name for name, has in (("image", image), ("text", title)) if has] for image, title in _has(batch)]
        assert list(answers.views) == ["+".join(names) for names in there]
        assert len(answers) == 23


def _has(batch: Batch) -> list[tuple[bool, bool]]:
    return list(zip(batch.has_image.tolist(), batch.has_title.tolist(), strict=True))


def test_those_that_show_a_view_can_be_taken(items: CatalogueDataset) -> None:
    answers = collect_views(tiny_tagger(), items, CPU, 5)["image"]
    shows = answers.showing("image")
    assert shows.tolist() == items[range(23)].has_image.tolist()
    assert 0 < int(shows.sum()) < 23
    kept = answers.where(shows)
    assert len(kept) == int(shows.sum())
    assert set(kept.views) == {"image"}
    assert torch.equal(kept.labels["row"], torch.arange(23)[shows])
    assert torch.equal(kept.embedding, answers.embedding[shows])
    assert all(torch.equal(value, answers.logits[name][shows]) for name, value in kept.logits.items())


def test_a_tagger_of_one_input_has_one_view(items: CatalogueDataset) -> None:
    views = collect_views(tiny_tagger(tiny_config(image=False)), items, CPU, 8)
    assert list(views) == ["text"]
    has_title = items[range(23)].has_title.tolist()
    assert list(views["text"].views) == ["text" if there else "" for there in has_title]


def test_embeddings_of_one_input_alone_need_not_be_kept(items: CatalogueDataset) -> None:
    with_all, without = (collect_views(tiny_tagger(), items, CPU, 5, embeddings) for embeddings in (True, False))
    assert torch.equal(without["image+text"].embedding, with_all["image+text"].embedding)
    assert without["image"].embedding.shape == without["text"].embedding.shape == (23, 0)
    assert torch.equal(without["text"].logits["colour"], with_all["text"].logits["colour"])
