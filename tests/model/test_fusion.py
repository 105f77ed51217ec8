"""Fusions compute what their formulas say, in any order of the features, and a new one is a subclass and a name."""

import math
from collections.abc import Mapping

import pytest
import torch
import torch.nn.functional as F
from tiny import random_batch, tiny_config, tiny_tagger
from torch import Tensor, nn

from fashionmt.config import FusionConfig
from fashionmt.errors import UserError
from fashionmt.model.fusion import (
    FUSIONS,
    AverageFusion,
    ConcatFusion,
    CrossAttentionFusion,
    EarlyFusion,
    Fusion,
    GatedFusion,
    HybridFusion,
    LateFusion,
    ProductFusion,
    build_fusion,
)
from fashionmt.model.modalities import Present

SIZES = {"image": 5, "text": 3}
BOTH = {name: torch.ones(4, dtype=torch.bool) for name in SIZES}


def _features(sizes: Mapping[str, int] = SIZES) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    return {name: torch.randn(4, size, generator=draw) for name, size in sizes.items()}


def _sizes(kind: str) -> dict[str, int]:
    """What towers a fusion can join."""
    return {"image": 6, "text": 6} if kind == "average" else SIZES


def _fusion(kind: str, sizes: Mapping[str, int] = SIZES) -> Fusion:
    torch.manual_seed(0)
    return build_fusion(sizes, FusionConfig(kind=kind, size=6, heads=2, dropout=0.5)).eval()


def _embedding(fusion: Fusion, features: dict[str, Tensor], present: Present = BOTH) -> Tensor:
    embedding: Tensor = fusion(features, present).embedding
    return embedding


def _hidden(layer: nn.Module, features: Tensor) -> Tensor:
    """Linear, layer norm, GELU, from the layer's weights."""
    state = layer.state_dict()
    return F.gelu(
        F.layer_norm(F.linear(features, state["0.weight"], state["0.bias"]), (6,), state["1.weight"], state["1.bias"])
    )


def test_concat_is_one_hidden_layer_over_features_side_by_side() -> None:
    fusion, features = _fusion("concat"), _features()
    assert isinstance(fusion, ConcatFusion)
    expected = _hidden(fusion.hidden, torch.cat([features["image"], features["text"]], dim=1))
    torch.testing.assert_close(_embedding(fusion, features), expected)


def test_gated_is_a_share_of_each_modality_for_each_feature() -> None:
    fusion, features = _fusion("gated"), _features()
    assert isinstance(fusion, GatedFusion)
    hidden = {name: _hidden(fusion.hidden[name], features[name]) for name in SIZES}
    gates = F.linear(torch.cat([features["image"], features["text"]], dim=1), fusion.gate.weight, fusion.gate.bias)
    fused = _embedding(fusion, features)
    for row in range(4):
        for feature in range(6):
            image, text = gates[row, feature].exp(), gates[row, 6 + feature].exp()
            expected = (image * hidden["image"][row, feature] + text * hidden["text"][row, feature]) / (image + text)
            torch.testing.assert_close(fused[row, feature], expected)


def test_gated_shares_sum_to_one() -> None:
    """Modalities that say the same are fused to what they say, whatever the gates are."""
    fusion = _fusion("gated", {"image": 5, "text": 5})
    assert isinstance(fusion, GatedFusion)
    fusion.hidden["text"].load_state_dict(fusion.hidden["image"].state_dict())
    nn.init.normal_(fusion.gate.weight, std=10)
    same = _features()["image"]
    torch.testing.assert_close(_embedding(fusion, {"image": same, "text": same}), _hidden(fusion.hidden["image"], same))


@pytest.mark.parametrize(("kept", "modality"), [(slice(0, 6), "image"), (slice(6, 12), "text")])
def test_a_wide_open_gate_lets_one_modality_through(kept: slice, modality: str) -> None:
    fusion, features = _fusion("gated"), _features()
    assert isinstance(fusion, GatedFusion)
    with torch.no_grad():
        fusion.gate.bias[kept] += 1000
    torch.testing.assert_close(_embedding(fusion, features), _hidden(fusion.hidden[modality], features[modality]))


def test_product_is_the_product_of_each_modalitys_projection() -> None:
    fusion, features = _fusion("product"), _features()
    assert isinstance(fusion, ProductFusion)
    fused = _embedding(fusion, features)
    for row in range(4):
        expected = torch.ones(6)
        for name in SIZES:
            state = fusion.project[name].state_dict()
            expected = expected * torch.tanh(state["weight"] @ features[name][row] + state["bias"])
        torch.testing.assert_close(fused[row], expected)


def _attend(attention: nn.Module, queries: Tensor, keys: Tensor) -> Tensor:
    """Two heads of three features, one query at a time, from the weights."""
    state = attention.state_dict()
    project = zip(state["in_proj_weight"].chunk(3), state["in_proj_bias"].chunk(3), (queries, keys, keys), strict=True)
    q, k, v = (given @ weight.T + bias for weight, bias, given in project)
    heard = torch.empty_like(queries)
    for i in range(len(queries)):
        for head in (slice(0, 3), slice(3, 6)):
            share = torch.softmax(torch.stack([q[i, head] @ key / 3**0.5 for key in k[:, head]]), 0)
            heard[i, head] = share @ v[:, head]
    return heard @ state["out_proj.weight"].T + state["out_proj.bias"]


@pytest.mark.parametrize("sizes", [SIZES, {"text": 3}, {"image": 5, "text": 3, "colour": 2}], ids=len)
@torch.no_grad()
def test_cross_attention_lets_each_modality_read_the_others(sizes: dict[str, int]) -> None:
    fusion = _fusion("cross_attention", sizes)
    assert isinstance(fusion, CrossAttentionFusion)
    features = {name: torch.randn(4, size) for name, size in sizes.items()}
    fused = _embedding(fusion, features)
    for row in range(4):
        slots = {name: fusion.slots[name](features[name][row]).view(-1, 6) for name in sizes}
        told = []
        for name in sizes:
            others = torch.cat([slots[other] for other in sizes if other != name or len(sizes) == 1])
            heard = _attend(fusion.attention[name], slots[name], others)
            told.append(F.layer_norm(slots[name] + heard, (6,)).mean(0))  # its norm starts as the plain one
        torch.testing.assert_close(fused[row], _hidden(fusion.hidden, torch.cat(told)), rtol=1e-4, atol=1e-5)


def test_late_keeps_the_modalities_apart_and_its_embedding_is_the_mean_of_those_that_are_there() -> None:
    fusion, features = _fusion("late"), _features()
    assert isinstance(fusion, LateFusion)
    present = {"image": torch.tensor([True, False, True, False]), "text": torch.tensor([True, True, False, False])}
    fused = fusion(features, present)
    image, text = (_hidden(fusion.hidden[name], features[name]) for name in SIZES)
    torch.testing.assert_close(fused.apart, {"image": image, "text": text})
    nothing = (image[3] + text[3]) / 2  # its missing embeddings are all there is
    torch.testing.assert_close(fused.embedding, torch.stack([(image[0] + text[0]) / 2, text[1], image[2], nothing]))


def test_hybrid_is_concat_and_late_together() -> None:
    fusion, features = _fusion("hybrid"), _features()
    assert isinstance(fusion, HybridFusion)
    fused, late = fusion(features, BOTH), fusion.late(features, BOTH)
    assert torch.equal(fused.embedding, fusion.early(features, BOTH).embedding)
    assert torch.equal(fused.apart["image"], late.apart["image"])
    assert torch.equal(fused.apart["text"], late.apart["text"])
    assert fused.consulted.keys() == SIZES.keys()


@pytest.mark.parametrize("share", [None, 0.2])
@torch.no_grad()
def test_average_weighs_unit_vectors_and_what_is_alone_is_all(share: float | None) -> None:
    sizes = _sizes("average")
    fusion = build_fusion(sizes, FusionConfig(kind="average", image_share=share))
    assert isinstance(fusion, AverageFusion)
    assert fusion.shares.requires_grad is (share is None)
    if share is None:
        fusion.shares.copy_(torch.tensor([0.3, 1.1]))
    image_share = 1 / (1 + math.exp(1.1 - 0.3)) if share is None else share
    features = _features(sizes)
    present = {"image": torch.tensor([True, False, True, False]), "text": torch.tensor([True, True, False, False])}
    fused = _embedding(fusion, features, present)
    image, text = (features[name] / features[name].norm(dim=1, keepdim=True) for name in sizes)
    both = image_share * image + (1 - image_share) * text
    expected = torch.stack([both[0], text[1], image[2], both[3]]) * 6**0.5
    torch.testing.assert_close(fused, expected)


def test_an_average_of_unequal_features_is_refused() -> None:
    with pytest.raises(UserError, match=r"^model\.fusion\.kind=average: .*\(image 5, text 3\)"):
        _fusion("average")


@pytest.mark.parametrize("kind", FUSIONS)
def test_the_order_of_the_features_does_not_matter(kind: str) -> None:
    fusion, features = _fusion(kind, _sizes(kind)), _features(_sizes(kind))
    turned = _embedding(fusion, dict(reversed(features.items())), dict(reversed(BOTH.items())))
    assert torch.equal(_embedding(fusion, features), turned)


@pytest.mark.parametrize("kind", FUSIONS)
def test_one_modality_is_enough(kind: str) -> None:
    fused = _embedding(_fusion(kind, {"text": _sizes(kind)["text"]}), _features(_sizes(kind)))
    assert fused.shape == (4, 6)
    assert len(fused.unique(dim=0)) == 4


def test_a_new_fusion_is_a_subclass_and_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class SumFusion(EarlyFusion):
        def __init__(self, sizes: Mapping[str, int], config: FusionConfig) -> None:
            super().__init__(sizes, config)
            self.project = nn.ModuleDict({name: nn.Linear(size, config.size) for name, size in sizes.items()})

        def join(self, features: dict[str, Tensor]) -> Tensor:
            return torch.stack([self.project[name](features[name]) for name in self.sizes]).sum(0)

    monkeypatch.setitem(FUSIONS, "sum", SumFusion)
    tagger, batch = tiny_tagger(tiny_config(kind="sum")), random_batch()
    assert isinstance(tagger.fusion, SumFusion)
    assert tagger.image is not None
    assert tagger.text is not None
    projected = [
        tagger.fusion.project["image"](tagger.image(batch.pixels)),
        tagger.fusion.project["text"](tagger.text(batch)),
    ]
    torch.testing.assert_close(tagger(batch).embedding, projected[0] + projected[1])


def test_an_unknown_fusion_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        UserError, match=r"^model\.fusion\.kind=cat: .*concat, gated, product, cross_attention, average, late, hybrid"
    ):
        tiny_tagger(tiny_config(image=False, kind="cat"))
