"""The average is the recursion by hand, integers are not averaged, and batch normalisation's statistics fit it."""

import pytest
import torch
from tiny import random_batch, tiny_config, tiny_tagger
from torch import nn

from fashionmt.training.averaging import WeightAverage


class _Model(nn.Module):
    """One weight, one floating buffer, and buffers that have no average."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))
        self.register_buffer("mean", torch.zeros(2), persistent=False)
        self.register_buffer("seen", torch.tensor(0))
        self.register_buffer("positions", torch.arange(7), persistent=False)

    def set(self, value: float) -> None:
        with torch.no_grad():
            self.weight.fill_(value)
            self.mean.fill_(-value)
            self.seen.fill_(int(value))


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.9, 0.999])
def test_it_is_the_recursion_with_a_decay_that_warms_up(decay: float) -> None:
    model = _Model()
    average = WeightAverage(model, decay)
    expected = 0.0
    for step in range(40):
        model.set(10.0 + step)
        average.update_parameters(model)
        keep = min(decay, (1 + step) / (10 + step)) if step else 0.0
        expected = keep * expected + (1 - keep) * (10 + step)
        assert average.module.weight.tolist() == pytest.approx([expected] * 2)
        assert average.module.mean.tolist() == pytest.approx([-expected] * 2)


def test_the_random_start_is_forgotten_within_steps() -> None:
    """Unlike at a constant 0.999, of which 95 % would still be the start."""
    model = _Model()
    model.set(100.0)
    average = WeightAverage(model, 0.999)
    average.update_parameters(model)
    model.set(0.0)
    for _ in range(50):
        average.update_parameters(model)
    assert abs(average.module.weight[0].item()) < 1e-3


def test_what_is_not_a_floating_number_is_the_newest() -> None:
    model = _Model()
    average = WeightAverage(model, 0.999)
    for step in range(30):
        model.set(step)
        average.update_parameters(model)
    assert average.module.seen.item() == 29
    assert torch.equal(average.module.positions, torch.arange(7))


def test_to_swap_is_to_exchange_and_to_swap_twice_is_nothing() -> None:
    model = _Model()
    average = WeightAverage(model, 0.5)
    for value in (1.0, 2.0):
        model.set(value)
        average.update_parameters(model)
    weight, kept = model.weight, average.module.weight.clone()
    average.swap(model)
    assert model.weight is weight  # an optimiser holds it
    assert torch.equal(model.weight, kept)
    assert average.module.weight.tolist() == [2, 2]
    assert model.mean.tolist() == pytest.approx((-kept).tolist())
    average.swap(model)
    assert model.weight.tolist() == [2, 2]
    assert torch.equal(average.module.weight, kept)


def test_it_is_a_copy_that_learns_nothing() -> None:
    model = _Model()
    average = WeightAverage(model, 0.5)
    model.set(5.0)
    assert average.module.weight.tolist() == [0, 0]
    assert not any(parameter.requires_grad for parameter in average.parameters())
    assert model.weight.requires_grad


def test_the_statistics_of_batch_normalisation_are_averaged_with_the_weights() -> None:
    """In evaluation mode the average normalises by what its own weights give, not by the newest weights' statistics."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)).train()
    average = WeightAverage(model, 0.95)
    inputs = torch.randn(256, 3)
    for step in range(200):
        with torch.no_grad():  # weights that swing, as those of a high learning rate do
            model[0].bias.fill_(5.0 if step % 2 else -5.0)
            model(inputs)
        average.update_parameters(model)
    newest, averaged = model.eval()(inputs), average.module.eval()(inputs)
    assert averaged.mean(0).abs().max().item() < 0.3
    assert newest.mean(0).abs().min().item() > 0.7
    assert average.module[1].num_batches_tracked.item() == 200


def test_a_whole_tagger_can_be_averaged() -> None:
    """Image tower, text tower and wide path, with the index buffers of a BERT."""
    tagger, batch = tiny_tagger(tiny_config(wide=True)), random_batch(4)
    average = WeightAverage(tagger, 0.9)
    for _ in range(3):
        average.update_parameters(tagger)
    expected = tagger(batch).logits
    for name, logits in average.module.eval()(batch).logits.items():
        torch.testing.assert_close(logits, expected[name])
    average.swap(tagger)
    for name, logits in tagger(batch).logits.items():
        torch.testing.assert_close(logits, expected[name])
