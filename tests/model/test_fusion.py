"""Fusions compute what their formulas say, in any order of the features, and a new one is a subclass and a name."""

from collections.abc import Mapping

import pytest
import torch
import torch.nn.functional as F
from tiny import random_batch, tiny_config, tiny_tagger
from torch import Tensor, nn

from fashionmt.config import FusionConfig
from fashionmt.errors import UserError
from fashionmt.model.fusion import FUSIONS, ConcatFusion, Fusion, GatedFusion, build_fusion

SIZES = {"image": 5, "text": 3}


def _features(count: int = 4) -> dict[str, Tensor]:
    draw = torch.Generator().manual_seed(1)
    return {name: torch.randn(count, size, generator=draw) for name, size in SIZES.items()}


def _fusion(kind: str, sizes: Mapping[str, int] = SIZES) -> Fusion:
    torch.manual_seed(0)
    return build_fusion(sizes, FusionConfig(kind=kind, size=6, dropout=0.5)).eval()


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
    torch.testing.assert_close(fusion(features), expected)


def test_gated_is_a_share_of_each_modality_for_each_feature() -> None:
    fusion, features = _fusion("gated"), _features()
    assert isinstance(fusion, GatedFusion)
    hidden = {name: _hidden(fusion.hidden[name], features[name]) for name in SIZES}
    gates = F.linear(torch.cat([features["image"], features["text"]], dim=1), fusion.gate.weight, fusion.gate.bias)
    fused = fusion(features)
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
    torch.testing.assert_close(fusion({"image": same, "text": same}), _hidden(fusion.hidden["image"], same))


@pytest.mark.parametrize(("kept", "modality"), [(slice(0, 6), "image"), (slice(6, 12), "text")])
def test_a_wide_open_gate_lets_one_modality_through(kept: slice, modality: str) -> None:
    fusion, features = _fusion("gated"), _features()
    assert isinstance(fusion, GatedFusion)
    with torch.no_grad():
        fusion.gate.bias[kept] += 1000
    torch.testing.assert_close(fusion(features), _hidden(fusion.hidden[modality], features[modality]))


@pytest.mark.parametrize("kind", ["concat", "gated"])
def test_the_order_of_the_features_does_not_matter(kind: str) -> None:
    fusion, features = _fusion(kind), _features()
    assert torch.equal(fusion(features), fusion(dict(reversed(features.items()))))


@pytest.mark.parametrize("kind", ["concat", "gated"])
def test_one_modality_is_enough(kind: str) -> None:
    fused = _fusion(kind, {"text": 3})(_features())
    assert fused.shape == (4, 6)
    assert len(fused.unique(dim=0)) == 4


def test_a_new_fusion_is_a_subclass_and_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class SumFusion(Fusion):
        def __init__(self, sizes: Mapping[str, int], config: FusionConfig) -> None:
            super().__init__(sizes, config)
            self.project = nn.ModuleDict({name: nn.Linear(size, config.size) for name, size in sizes.items()})

        def forward(self, features: dict[str, Tensor]) -> Tensor:
            return torch.stack([self.project[name](features[name]) for name in self.sizes]).sum(0)

    monkeypatch.setitem(FUSIONS, "sum", SumFusion)
    tagger, batch = tiny_tagger(tiny_config(kind="sum")), random_batch()
    assert isinstance(tagger.fusion, SumFusion)
    assert tagger.image is not None
    assert tagger.text is not None
    projected = [
        tagger.fusion.project["image"](tagger.image(batch.pixels)),
        tagger.fusion.project["text"](tagger.text(batch.token_ids, batch.token_mask)),
    ]
    torch.testing.assert_close(tagger(batch).embedding, projected[0] + projected[1])


def test_an_unknown_fusion_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"^model\.fusion\.kind=cat: .*concat, gated"):
        tiny_tagger(tiny_config(image=False, kind="cat"))
