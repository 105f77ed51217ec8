"""A view of an item is what the tagger says of it with the other input hidden."""

import pytest
import torch
from tiny import CLASSES, one_thread, tiny_config, tiny_dataset, tiny_tagger

from fashionmt.batch import Batch
from fashionmt.data import CatalogueDataset
from fashionmt.training.item_views import collect_views

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)

CPU = torch.device("cpu")


def _hide(batch: Batch, image: bool, title: bool) -> Batch:
    """Of the items that have both."""
    both = batch.has_image & batch.has_title
    batch.has_image, batch.has_title = batch.has_image & ~(both & image), batch.has_title & ~(both & title)
    return batch


@pytest.fixture(scope="module")
def items() -> CatalogueDataset:
    return tiny_dataset(23)


def test_the_views_are_those_of_items_whose_other_input_is_hidden(items: CatalogueDataset) -> None:
    tagger = tiny_tagger()
    views = collect_views(tagger, items, CPU, 5)
    assert len(views) == 23
    assert len(views.outputs) == 3
    for view, (image, title) in zip(views.outputs, [(False, False), (False, True), (True, False)], strict=True):
        with torch.no_grad():
            expected = tagger(_hide(items[range(23)], image, title))
        # In batches of another size products add up in another order.
        assert torch.allclose(view.embedding, expected.embedding, atol=1e-5)
        assert view.logits.keys() == CLASSES.keys()
        assert all(torch.allclose(view.logits[name], expected.logits[name], atol=1e-5) for name in CLASSES)
    assert torch.equal(views.labels["row"], torch.arange(23))


def test_a_tagger_of_one_input_has_one_view(items: CatalogueDataset) -> None:
    views = collect_views(tiny_tagger(tiny_config(image=False)), items, CPU, 8)
    assert len(views.outputs) == 1
    assert len(views) == 23
