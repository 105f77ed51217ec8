"""Late heads mix probabilities over the inputs that are there; hybrid heads average logarithms."""

import math

import pytest
import torch
from tiny import AWKWARD, CLASSES
from torch import Tensor

from fashionmt.model.heads import Fused, Heads, HybridHeads, LateHeads

MODALITIES = ("image", "text")
SIZE = 5


def _fused(scale: float = 1.0) -> Fused:
    """Items with both inputs, a picture, a title."""
    draw = torch.Generator().manual_seed(1)
    return Fused(
        scale * torch.randn(3, SIZE, generator=draw),
        {name: scale * torch.randn(3, SIZE, generator=draw) for name in MODALITIES},
        {"image": torch.tensor([True, True, False]), "text": torch.tensor([True, False, True])},
    )


def _late(classes: dict[str, int] = CLASSES) -> LateHeads:
    torch.manual_seed(0)
    heads = LateHeads(MODALITIES, SIZE, classes)
    torch.nn.init.normal_(heads.shares)
    return heads


def _row(fused: Fused, row: int) -> Fused:
    apart = {name: value[[row]] for name, value in fused.apart.items()}
    return Fused(fused.embedding[[row]], apart, {name: value[[row]] for name, value in fused.consulted.items()})


def _probabilities(heads: Heads, features: Tensor, name: str) -> Tensor:
    linear = heads.linear[f"head_{name}"].state_dict()
    exponents = (linear["weight"] @ features + linear["bias"]).exp()
    return exponents / exponents.sum()


@torch.no_grad()
def test_late_is_a_share_of_each_modalitys_probabilities_item_by_item() -> None:
    heads, fused = _late(), _fused()
    found = heads(fused)
    for a, name in enumerate(CLASSES):
        for row in range(3):
            there = [m for m, modality in enumerate(MODALITIES) if fused.consulted[modality][row]]
            total = sum(math.exp(float(heads.shares[a, m])) for m in there)
            mixed = torch.zeros(CLASSES[name])
            for m in there:
                modality = MODALITIES[m]
                of = _probabilities(heads.by_modality[modality], fused.apart[modality][row], name)
                mixed += math.exp(float(heads.shares[a, m])) / total * of
            torch.testing.assert_close(found[name][row], mixed.log())


@torch.no_grad()
def test_what_is_not_consulted_is_not_read() -> None:
    heads, fused = _late(), _fused()
    other = _fused()
    other.apart["image"][2] += 10
    other.apart["text"][1] -= 10
    assert all(torch.equal(heads(other)[name], heads(fused)[name]) for name in CLASSES)
    other.apart["text"][0] -= 10
    assert not torch.equal(heads(other)["colour"], heads(fused)["colour"])


def test_what_is_not_consulted_gets_no_gradient() -> None:
    heads, fused = _late(), _fused()
    for value in fused.apart.values():
        value.requires_grad_()
    sum(value[:, 0].sum() for value in heads(fused).values()).backward()
    used = {name: value.grad.abs().sum(1).gt(0).tolist() for name, value in fused.apart.items()}
    assert used == {name: value.tolist() for name, value in fused.consulted.items()}
    assert bool(heads.shares.grad.isfinite().all())


@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16"])
@torch.no_grad()
def test_one_modality_answers_by_its_heads_and_nothing_is_lost_to_half_precision(half: bool) -> None:
    heads = LateHeads(("text",), SIZE, CLASSES)
    fused = Fused(torch.zeros(3, SIZE), {"text": _fused().apart["text"]}, {"text": torch.ones(3, dtype=torch.bool)})
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        found, plain = heads(fused), heads.by_modality["text"](Fused(fused.apart["text"]))
    for name, value in found.items():
        torch.testing.assert_close(value, plain[name].float().log_softmax(1))


def test_modalities_count_the_same_at_the_start() -> None:
    heads, hybrid = LateHeads(MODALITIES, SIZE, CLASSES), HybridHeads(MODALITIES, SIZE, CLASSES)
    assert not bool(heads.shares.any() | hybrid.shares.any())


@torch.no_grad()
def test_hybrid_is_a_share_of_early_and_late_logarithms_item_by_item() -> None:
    torch.manual_seed(0)
    heads, fused = HybridHeads(MODALITIES, SIZE, CLASSES), _fused()
    heads.shares.normal_()
    found, late = heads(fused), heads.late(fused)
    for a, name in enumerate(CLASSES):
        share = 1 / (1 + math.exp(-float(heads.shares[a])))
        for row in range(3):
            early = _probabilities(heads.early, fused.embedding[row], name)
            expected = share * early.log() + (1 - share) * late[name][row]
            torch.testing.assert_close(found[name][row], expected)


@pytest.mark.parametrize("kind", [LateHeads, HybridHeads])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_answers_of_the_surest_heads_are_finite_float32_and_learn(kind: type[LateHeads], dtype: torch.dtype) -> None:
    """Probabilities of e-1000 are 0 in every type; their logarithms are not."""
    torch.manual_seed(0)
    heads = kind(MODALITIES, SIZE, CLASSES)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype is torch.bfloat16):
        found = heads(_fused(scale=1000.0))
    assert {value.dtype for value in found.values()} == {torch.float32}
    assert min(float(value.detach().min()) for value in found.values()) < -150
    torch.stack([value[:, 0].sum() for value in found.values()]).sum().backward()
    assert all(bool(value.isfinite().all()) for value in found.values())
    assert all(parameter.grad is None or bool(parameter.grad.isfinite().all()) for parameter in heads.parameters())


@pytest.mark.parametrize("kind", [LateHeads, HybridHeads])
def test_attributes_may_bear_names_that_modules_use(kind: type[LateHeads]) -> None:
    assert tuple(kind(MODALITIES, SIZE, dict.fromkeys(AWKWARD, 2))(_fused())) == AWKWARD
