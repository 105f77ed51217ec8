"""What is missing is replaced item by item, and modality dropout hides as often as told, never everything."""

import pytest
import torch

from fashionmt.model.modalities import MissingEmbeddings, consulted, drop_modalities

COUNT = 20_000
ALL = torch.ones(COUNT, dtype=torch.bool)


def _missing() -> MissingEmbeddings:
    torch.manual_seed(0)
    missing = MissingEmbeddings({"image": 3, "text": 2})
    for vector in missing.vectors.values():
        torch.nn.init.normal_(vector)
    return missing


def test_features_are_replaced_where_missing_and_kept_elsewhere() -> None:
    missing = _missing()
    features = {"image": torch.randn(4, 3), "text": torch.randn(4, 2)}
    present = {"image": torch.tensor([True, False, True, False]), "text": torch.tensor([False, False, True, True])}
    filled = missing(features, present)
    assert filled.keys() == features.keys()
    for name in features:
        for row in range(4):
            expected = features[name][row] if present[name][row] else missing.vectors[name]
            assert torch.equal(filled[name][row], expected)


def test_an_embedding_learns_from_the_items_that_miss_it_alone() -> None:
    missing = _missing()
    features = torch.randn(4, 3, requires_grad=True)
    upstream = torch.randn(4, 3)
    filled = missing({"image": features}, {"image": torch.tensor([True, False, False, True])})
    filled["image"].backward(upstream)
    torch.testing.assert_close(missing.vectors["image"].grad, upstream[1] + upstream[2])
    assert features.grad is not None
    torch.testing.assert_close(features.grad, upstream * torch.tensor([[1.0], [0.0], [0.0], [1.0]]))


def test_features_keep_their_type_under_autocast() -> None:
    filled = _missing()({"text": torch.randn(2, 2).bfloat16()}, {"text": torch.tensor([True, False])})
    assert filled["text"].dtype == torch.bfloat16


def test_those_that_are_there_are_consulted_and_all_where_none_is() -> None:
    present = {"image": torch.tensor([True, True, False, False]), "text": torch.tensor([True, False, True, False])}
    found = {name: value.tolist() for name, value in consulted(present).items()}
    assert found == {"image": [True, True, False, True], "text": [True, False, True, True]}


@pytest.mark.parametrize(("drop_image", "drop_title"), [(0.3, 0.2), (0.1, 0.0), (0.45, 0.45)])
def test_inputs_are_dropped_at_their_rates_and_never_both(drop_image: float, drop_title: float) -> None:
    torch.manual_seed(0)
    kept = drop_modalities({"image": ALL, "text": ALL}, {"image": drop_image, "text": drop_title})
    four_sigma = 4 * (0.25 / COUNT) ** 0.5
    assert abs(float((~kept["image"]).float().mean()) - drop_image) < four_sigma
    assert abs(float((~kept["text"]).float().mean()) - drop_title) < four_sigma
    assert bool((kept["image"] | kept["text"]).all())


def test_nothing_is_dropped_from_an_item_that_lacks_an_input() -> None:
    torch.manual_seed(0)
    present = {"image": torch.arange(COUNT) % 2 == 0, "text": torch.arange(COUNT) % 3 == 0}
    kept = drop_modalities(present, {"image": 0.45, "text": 0.45})
    complete = present["image"] & present["text"]
    for name in present:
        assert torch.equal(kept[name][~complete], present[name][~complete])
        assert 0.5 < float(kept[name][complete].float().mean()) < 0.6


def test_nothing_is_dropped_at_rate_zero() -> None:
    kept = drop_modalities({"image": ALL, "text": ALL}, {"image": 0.0, "text": 0.0})
    assert bool(kept["image"].all())
    assert bool(kept["text"].all())


def test_the_only_input_of_a_model_is_never_dropped() -> None:
    kept = drop_modalities({"text": ALL}, {"image": 0.9, "text": 0.9})
    assert bool(kept["text"].all())
