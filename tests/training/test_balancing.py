"""Each balancer is its paper's formula, leaves out what has no loss, and goes on from its saved state."""

import copy
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from fashionmt.training.balancing import (
    BALANCERS,
    Balancer,
    FamoBalancer,
    FixedBalancer,
    RandomBalancer,
    UncertaintyBalancer,
)

TOP = Path(__file__).resolve().parents[2]
LOSSES = (2.0, 0.5, 0.01)
TASKS = (1.0, 2.0, 0.5)
OF_TWO = ((2.0, 1.0, 0.0, 0.0), (4.0, 0.0, 3.0, 0.0))
"""What each of two processes has for losses."""
ONE_OF_TWO = f"""
import json, sys, torch
from fashionmt.training.balancing import BALANCERS
rank, store = int(sys.argv[1]), sys.argv[2]
torch.distributed.init_process_group("gloo", init_method="file://" + store, rank=rank, world_size=2)
torch.manual_seed(rank)
found = {{}}
for kind in ("famo", "random"):
    balancer = BALANCERS[kind]((1.0,) * 4)
    for step in range(3):
        losses = torch.tensor({OF_TWO}[rank]) / (1 + step)
        found[kind] = balancer(losses).weights.tolist()
        balancer.look_back(losses * torch.tensor([0.5, 0.9, 0.7, 1.0]))
print(json.dumps(found))
torch.distributed.destroy_process_group()
"""


def _losses(values: Iterable[float] = LOSSES) -> Tensor:
    return torch.tensor(list(values), requires_grad=True)


def _steps(count: int, seed: int = 0) -> list[Tensor]:
    """Losses that fall at different rates, with noise."""
    draw = torch.Generator().manual_seed(seed)
    rates = torch.tensor([0.1, 0.01, 0.0])
    return [torch.exp(-rates * step + 0.2 * torch.randn(3, generator=draw)) for step in range(count)]


@pytest.mark.parametrize("kind", BALANCERS)
def test_the_weights_are_those_that_the_gradients_get(kind: str) -> None:
    balancer, losses = BALANCERS[kind](TASKS), _losses()
    total, weights = balancer(losses)
    total.backward()
    torch.testing.assert_close(losses.grad, weights)
    assert not weights.requires_grad


@pytest.mark.parametrize("kind", BALANCERS)
def test_a_loss_that_is_zero_or_counts_nothing_takes_no_part(kind: str) -> None:
    """As if the head were not there: the others' weights are in the same proportion, and nothing of it is learned."""
    balancer, losses = BALANCERS[kind]((1.0, 0.0, 1.0, 1.0)), _losses((2.0, 1.0, 0.0, 0.5))
    torch.manual_seed(0)
    if isinstance(balancer, UncertaintyBalancer):
        torch.nn.init.constant_(balancer.log_variances, 0.3)
    total, weights = balancer(losses)
    total.backward()
    assert bool(weights.isfinite().all())
    assert weights[1] == 0
    if not isinstance(balancer, UncertaintyBalancer):  # it has another term
        torch.testing.assert_close(total, (weights * losses).sum())
    if isinstance(balancer, UncertaintyBalancer):
        assert balancer.log_variances.grad is not None
        assert balancer.log_variances.grad[[1, 2]].tolist() == [0, 0]
        assert bool(balancer.log_variances.grad[[0, 3]].all())


@pytest.mark.parametrize("kind", BALANCERS)
def test_a_batch_without_any_label_gives_zero_and_zero_gradients(kind: str) -> None:
    balancer = BALANCERS[kind](TASKS)
    losses = _losses((0.0, 0.0, 0.0))
    total, _ = balancer(losses * 3)
    total.backward()
    assert total.item() == 0
    assert losses.grad is not None
    assert bool(losses.grad.isfinite().all())
    assert balancer(_losses()).total.item() > 0


@pytest.mark.parametrize("kind", BALANCERS)
def test_a_loss_that_is_not_a_number_is_not_hidden(kind: str) -> None:
    assert bool(BALANCERS[kind](TASKS)(_losses((1.0, float("nan"), 1.0))).total.isnan())


@pytest.mark.parametrize("kind", BALANCERS)
def test_a_single_head_is_weighed_as_without_balancing(kind: str) -> None:
    torch.testing.assert_close(BALANCERS[kind]((0.5,))(_losses((3.0,))).weights, torch.tensor([0.5]))


def test_fixed_is_the_weighted_sum() -> None:
    assert FixedBalancer(TASKS)(_losses()).total.item() == pytest.approx(2 + 2 * 0.5 + 0.5 * 0.01)


def test_random_weights_are_the_softmax_of_normals_from_torchs_generator() -> None:
    torch.manual_seed(3)
    total, weights = RandomBalancer(TASKS)(_losses())
    torch.manual_seed(3)
    shares = torch.randn(3).softmax(0)
    torch.testing.assert_close(weights, 3 * shares * torch.tensor(TASKS))
    torch.testing.assert_close(total, (weights * _losses()).sum())
    assert not torch.equal(RandomBalancer(TASKS)(_losses()).weights, weights)


@pytest.mark.parametrize("kind", ["random", "famo"])
def test_the_heads_that_have_a_loss_share_out_their_number(kind: str) -> None:
    weights = BALANCERS[kind]((1.0, 1.0, 1.0))(_losses((1.0, 0.0, 2.0))).weights
    assert weights[1] == 0
    assert weights.sum().item() == pytest.approx(2)


def test_two_processes_weigh_alike_and_by_the_losses_that_each_has(tmp_path: Path) -> None:
    commands = [[sys.executable, "-c", ONE_OF_TWO, str(rank), str(tmp_path / "store")] for rank in range(2)]
    environment = os.environ | {"PYTHONPATH": str(TOP)}
    both = [subprocess.Popen(each, stdout=subprocess.PIPE, text=True, env=environment) for each in commands]
    first, second = (json.loads(process.communicate(timeout=120)[0]) for process in both)
    assert first == second
    one = FamoBalancer((1.0,) * 4)
    for step in range(3):
        losses = torch.tensor([3.0, 1.0, 3.0, 0.0]) / (1 + step)
        weights = one(losses).weights
        one.look_back(losses * torch.tensor([0.5, 0.9, 0.7, 1.0]))
    assert first["famo"] == pytest.approx(weights.tolist(), rel=1e-5)
    assert first["random"][3] == 0
    assert sum(first["random"]) == pytest.approx(3)


def test_random_weights_are_one_on_average() -> None:
    torch.manual_seed(0)
    balancer = RandomBalancer((1.0, 1.0, 1.0))
    mean = torch.stack([balancer(_losses()).weights for _ in range(4000)]).mean(0)
    torch.testing.assert_close(mean, torch.ones(3), atol=0.05, rtol=0)


def test_uncertainty_is_kendalls_sum() -> None:
    balancer = UncertaintyBalancer(TASKS)
    sigma = torch.tensor([0.5, 1.0, 3.0])
    with torch.no_grad():
        balancer.log_variances.copy_(2 * sigma.log())
    total, weights = balancer(_losses())
    torch.testing.assert_close(weights, torch.tensor(TASKS) / sigma**2)
    torch.testing.assert_close(total, (torch.tensor(TASKS) * (_losses() / sigma**2 + sigma.log())).sum())


def test_uncertainty_settles_where_each_head_weighs_half_the_inverse_of_its_loss() -> None:
    balancer = UncertaintyBalancer(TASKS)
    optimizer = torch.optim.Adam(balancer.parameters(), 0.05)
    for _ in range(1000):
        optimizer.zero_grad()
        balancer(_losses()).total.backward()
        optimizer.step()
    expected = torch.tensor(TASKS) / (2 * torch.tensor(LOSSES))
    torch.testing.assert_close(balancer(_losses()).weights, expected, rtol=1e-3, atol=0)


def _famo_steps(balancer: Balancer, steps: list[Tensor], scale: Iterable[float] = (1.0, 1.0, 1.0)) -> list[Tensor]:
    """The weights of each step; what the losses become is noise."""
    found = []
    for losses, later in zip(steps, _steps(len(steps), 1), strict=True):
        found.append(balancer(losses * torch.tensor(list(scale))).weights)
        balancer.look_back(later * torch.tensor(list(scale)))
    return found


def test_famo_steps_as_algorithm_1_by_automatic_differentiation() -> None:
    """z = softmax(xi), weights c z / loss with c = 1 / sum(z / loss), and xi along the gradient of z at the gains."""
    balancer = FamoBalancer((1.0, 1.0, 1.0))
    xi = torch.zeros(3, requires_grad=True)
    adam = torch.optim.Adam([xi], lr=0.025, weight_decay=0.001)
    for before, after in zip(_steps(50), _steps(50, 1), strict=True):
        ratio = xi.detach().softmax(0) / before
        torch.testing.assert_close(balancer(before).weights, 3 * ratio / ratio.sum())
        balancer.look_back(after)
        (xi.grad,) = torch.autograd.grad(xi.softmax(0), xi, before.log() - after.log())
        adam.step()
    torch.testing.assert_close(balancer.logits.data, xi.data)


def test_famo_holds_back_what_gains_fastest() -> None:
    balancer = FamoBalancer((1.0, 1.0, 1.0))
    for _ in range(20):
        balancer(_losses((1.0, 1.0, 1.0)))
        balancer.look_back(_losses((0.5, 0.9, 1.1)))
    first, second, third = balancer(_losses((1.0, 1.0, 1.0))).weights.tolist()
    assert first < 0.9
    assert first < second < third
    assert third > 1.1


def test_famo_weights_add_up_to_the_heads_that_count() -> None:
    balancer = FamoBalancer((1.0, 1.0, 1.0))
    for weights in _famo_steps(balancer, _steps(5)):
        assert weights.sum().item() == pytest.approx(3)
    assert FamoBalancer((1.0, 1.0, 1.0))(_losses((1.0, 0.0, 2.0))).weights.tolist() == pytest.approx([4 / 3, 0, 2 / 3])


def test_famo_is_blind_to_the_scale_of_a_loss() -> None:
    plain, scaled = FamoBalancer((1.0, 1.0, 1.0)), FamoBalancer((1.0, 1.0, 1.0))
    _famo_steps(plain, _steps(20))
    _famo_steps(scaled, _steps(20), (100.0, 1.0, 0.01))
    torch.testing.assert_close(plain.logits, scaled.logits)


def test_famo_learns_nothing_of_a_head_without_a_loss() -> None:
    """The others learn as if there were only they."""
    three, two = FamoBalancer((1.0, 1.0, 1.0)), FamoBalancer((1.0, 1.0))
    for before, after in zip(_steps(10), _steps(10, 1), strict=True):
        absent = torch.tensor([1.0, 1.0, 0.0])
        three(before * absent)
        three.look_back(after * absent)
        two(before[:2])
        two.look_back(after[:2])
    assert three.logits[2] == 0
    torch.testing.assert_close(three.logits[:2], two.logits.data, rtol=1e-2, atol=1e-3)


def test_famo_learns_nothing_from_a_batch_without_any_label() -> None:
    balancer = FamoBalancer(TASKS)
    _famo_steps(balancer, _steps(3))
    before = balancer.logits.clone()
    balancer(torch.zeros(3))
    balancer.look_back(torch.zeros(3))
    assert torch.equal(balancer.logits, before)


@pytest.mark.parametrize("kind", BALANCERS)
def test_only_a_balancer_that_looks_back_does(kind: str) -> None:
    balancer = BALANCERS[kind](TASKS)
    balancer(_losses())
    before = {name: value.clone() for name, value in balancer.state_dict().items() if isinstance(value, Tensor)}
    balancer.look_back(_losses((1.0, 1.0, 1.0)))
    changed = any(not torch.equal(value, balancer.state_dict()[name]) for name, value in before.items())
    assert changed is balancer.looks_back


def test_famos_moments_follow_it_where_it_moves() -> None:
    """Here to another dtype, as every machine has it; to another device it is the same way."""
    first = FamoBalancer(TASKS)
    _famo_steps(first, _steps(5))
    second = copy.deepcopy(first).double()
    _famo_steps(first, _steps(5, 2))
    _famo_steps(second, [losses.double() for losses in _steps(5, 2)])
    torch.testing.assert_close(second.logits.data, first.logits.data.double(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", BALANCERS)
def test_a_balancer_goes_on_from_its_saved_state(kind: str) -> None:
    def fed(balancer: Balancer, steps: list[Tensor]) -> list[float]:
        found = []
        for i, losses in enumerate(steps):
            torch.manual_seed(i)
            found.append(balancer(losses).weights.tolist())
            balancer.look_back(losses * losses)
        return found

    steps = _steps(20)
    unbroken, first, second = (BALANCERS[kind](TASKS) for _ in range(3))
    fed(unbroken, steps[:10])
    fed(first, steps[:10])
    second.load_state_dict(first.state_dict())
    assert fed(second, steps[10:]) == fed(unbroken, steps[10:])
