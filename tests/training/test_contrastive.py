"""The contrastive loss and the recall are those of a loop over pairs; the scale stays where training is stable."""

import math

import pytest
import torch
import torch.nn.functional as F
from tiny import random_batch
from torch import Tensor

from fashionmt.config import ImageTowerConfig, ModelConfig, OptimConfig, TextTowerConfig
from fashionmt.model import build_two_towers
from fashionmt.training.contrastive import ContrastModule, PairVectors, contrastive_loss, retrieval_recall, title_groups
from fashionmt.training.optim import build_optimizer


def _vectors(count: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    image, text = (F.normalize(torch.randn(count, 6, generator=draw), dim=1) for _ in range(2))
    return image, text


def _one_way(queries: Tensor, keys: Tensor, groups: list[int], scale: float) -> float:
    """The mean over items of -log of its own pair's share among its own and those of other titles."""
    losses = []
    for i in range(len(queries)):
        own = math.exp(scale * float(queries[i] @ keys[i]))
        others = [
            math.exp(scale * float(queries[i] @ keys[j])) for j in range(len(keys)) if j != i and groups[j] != groups[i]
        ]
        losses.append(-math.log(own / (own + sum(others))))
    return sum(losses) / len(losses)


@pytest.mark.parametrize("groups", [[0, 1, 2, 3, 4], [0, 1, 0, 2, 0], [0, 0, 1, 1, 1], [0, 0, 0, 0, 0]])
def test_the_loss_is_that_of_each_pair_among_those_of_other_titles(groups: list[int]) -> None:
    image, text = _vectors(5)
    found = contrastive_loss(image, text, torch.tensor(groups), torch.tensor(7.0))
    expected = (_one_way(image, text, groups, 7.0) + _one_way(text, image, groups, 7.0)) / 2
    assert float(found) == pytest.approx(expected, rel=1e-5)


def test_its_gradients_are_finite_even_where_all_titles_are_the_same() -> None:
    image, text = (value.requires_grad_() for value in _vectors(4))
    for groups in ([0, 0, 0, 0], [0, 0, 1, 2]):
        contrastive_loss(image, text, torch.tensor(groups), torch.tensor(100.0)).backward()
    assert image.grad is not None
    assert bool(image.grad.isfinite().all())


def test_it_keeps_its_digits_under_bfloat16() -> None:
    image, text = _vectors(5)
    given = image, text, torch.arange(5), torch.tensor(50.0)
    with torch.autocast("cpu", torch.bfloat16):
        under = contrastive_loss(*given)
    assert torch.equal(under, contrastive_loss(*given))


def test_titles_that_read_the_same_are_one_group_whatever_their_padding() -> None:
    ids = torch.tensor([[5, 6, 0], [5, 6, 9], [5, 6, 7], [6, 5, 0], [5, 0, 0]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 0], [1, 1, 1], [1, 1, 0], [1, 0, 0]], dtype=torch.bool)
    groups = title_groups(ids, mask).tolist()
    assert groups[0] == groups[1]
    assert len(set(groups)) == 4


@pytest.mark.parametrize("rank", [1, 2, 10])
def test_recall_is_the_share_of_pictures_that_find_their_title(rank: int) -> None:
    image, text = _vectors(700, seed=3)  # more than are ranked at once
    image = F.normalize(image + 0.7 * text, dim=1)
    groups = torch.arange(700) // 2
    text = text[groups * 2]
    hits = 0
    for i in range(700):
        better = sum(float(image[i] @ text[j]) > float(image[i] @ text[i]) for j in range(0, 700, 2))
        hits += better < rank
    assert retrieval_recall(image, text, groups, rank) == pytest.approx(hits / 700)


def test_recall_of_fewer_titles_than_ranks_is_one() -> None:
    image, text = _vectors(3)
    assert retrieval_recall(image, text, torch.arange(3), 10) == 1.0


def test_vectors_of_several_batches_are_joined_with_their_titles() -> None:
    vectors, batches = PairVectors(), [random_batch(4, seed=1), random_batch(4, seed=1), random_batch(3, seed=2)]
    batches[1].token_ids = F.pad(batches[1].token_ids, (0, 3), value=8)
    batches[1].token_mask = F.pad(batches[1].token_mask, (0, 3))
    for batch in batches:
        vectors.add(batch, torch.ones(len(batch), 2), torch.zeros(len(batch), 2))
    image, text, groups = vectors.joined()
    assert image.shape == text.shape == (11, 2)
    assert groups[:4].tolist() == groups[4:8].tolist()
    assert len(set(groups.tolist())) == 7


def _module(ema: float | None = None, **image: str) -> ContrastModule:
    model = ModelConfig(
        image=ImageTowerConfig(**image), text=TextTowerConfig(hidden_size=16, layers=1, heads=2, max_tokens=12)
    )
    return ContrastModule(build_two_towers(model, 8, 40), OptimConfig(ema=ema), 0)


def test_the_scale_starts_and_ends_as_in_the_paper() -> None:
    towers = _module().towers
    assert towers.scale.detach().item() == pytest.approx(1 / 0.07)
    for log_scale, kept in ((9.0, 100.0), (-1.0, 1.0), (2.0, math.exp(2.0))):
        torch.nn.init.constant_(towers.log_scale, log_scale)
        towers.clamp_scale()
        assert towers.scale.detach().item() == pytest.approx(kept)


def test_vectors_are_of_length_one_and_of_one_size() -> None:
    image, text = _module().towers.eval()(random_batch(3))
    assert image.shape == text.shape == (3, 8)
    torch.testing.assert_close(torch.cat([image, text]).norm(dim=1), torch.ones(6))


def test_projections_and_scale_learn_at_the_rate_of_new_parts_and_trained_towers_at_theirs() -> None:
    towers = _module().towers
    assert towers.config.image is not None
    towers.config.image.pretrained = towers.image.starts_trained = True
    config = OptimConfig(learning_rate=0.1, pretrained_learning_rate=0.01)
    groups = build_optimizer(towers, config).param_groups
    rates = {id(p): (group["lr"], group["weight_decay"]) for group in groups for p in group["params"]}
    for name, parameter in towers.named_parameters():
        rate, decay = rates[id(parameter)]
        assert rate == (0.01 if name.startswith("image.") else 0.1)
        assert (decay > 0) == (parameter.ndim > 1)
