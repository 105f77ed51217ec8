"""One tagger for pictures, titles or both; what is missing cannot be read; an item's answer is its own."""

from dataclasses import replace

import pytest
import torch
from tiny import AWKWARD, CLASSES, NGRAMS, VOCABULARY, random_batch, rows_of, tiny_config, tiny_tagger
from torch import Tensor, nn

from fashionmt.batch import Batch, OtherTitles, TaggerOutput
from fashionmt.config import ModelConfig
from fashionmt.model import Tagger, rebuild_tagger
from fashionmt.model.fusion import FUSIONS
from fashionmt.model.heads import Fused, Heads
from fashionmt.model.text_tower import build_text_tower

INPUTS = {"image": (True, False), "text": (False, True), "both": (True, True)}
EARLY = ("concat", "gated", "product", "cross_attention")
"""Fusions whose heads read the embedding."""


def _config(inputs: str, kind: str = "concat", **changes: float) -> ModelConfig:
    image, text = INPUTS[inputs]
    return tiny_config(image, text, kind, **changes)


class _Averages(nn.Module):
    """In a ResNet's place where the fusion is looked at: sixteen mean colours of a picture through one layer."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 16
        self.linear = nn.Linear(3 * 16, self.size)

    def forward(self, pixels: Tensor, frozen: Tensor | None = None) -> Tensor:
        means = nn.functional.adaptive_avg_pool2d(pixels.permute(0, 3, 1, 2) / 255, 4)
        features: Tensor = self.linear(means.flatten(1))
        return features


def _light_tagger(inputs: str, kind: str) -> Tagger:
    torch.manual_seed(0)
    config = _config(inputs, kind)
    image = _Averages() if config.image is not None else None
    text = build_text_tower(config.text, VOCABULARY, NGRAMS) if config.text is not None else None
    tagger = Tagger(config, CLASSES, image, text).eval()
    for vector in tagger.missing.vectors.values():
        nn.init.normal_(vector)
    return tagger


def _same(first: TaggerOutput, second: TaggerOutput) -> bool:
    pairs = [(first.embedding, second.embedding)] + [(first.logits[name], second.logits[name]) for name in first.logits]
    return all(torch.equal(one, other) for one, other in pairs)


def _assert_close(first: TaggerOutput, second: TaggerOutput) -> None:
    torch.testing.assert_close(first.embedding, second.embedding, rtol=1e-3, atol=1e-5)
    torch.testing.assert_close(first.logits, second.logits, rtol=1e-3, atol=1e-5)


def _other_pixels(batch: Batch, rows: list[int]) -> Batch:
    pixels = batch.pixels.clone()
    pixels[rows] = 255 - pixels[rows]
    return replace(batch, pixels=pixels)


def _other_tokens(batch: Batch, rows: list[int]) -> Batch:
    ids, mask = batch.token_ids.clone(), batch.token_mask.clone()
    ids[rows] = VOCABULARY + 1 - ids[rows]
    mask[rows] = True
    return replace(batch, token_ids=ids, token_mask=mask)


def _without(batch: Batch, field: str, rows: list[int]) -> Batch:
    there = getattr(batch, field).clone()
    there[rows] = False
    return replace(batch, **{field: there})


# One tagger


@pytest.mark.parametrize("kind", EARLY)
@pytest.mark.parametrize("inputs", INPUTS)
@torch.no_grad()
def test_it_is_towers_then_fusion_then_heads(inputs: str, kind: str) -> None:
    tagger, batch = _light_tagger(inputs, kind), random_batch()
    features: dict[str, Tensor] = {}
    if tagger.image is not None:
        features["image"] = tagger.image(batch.pixels)
    if tagger.text is not None:
        features["text"] = tagger.text(batch)
    embedding = tagger.fusion(features, {}).embedding
    output = tagger(batch)
    assert torch.equal(output.embedding, embedding)
    for name in CLASSES:
        linear = tagger.heads.linear[f"head_{name}"]
        expected = embedding @ linear.weight.T + linear.bias
        torch.testing.assert_close(output.logits[name], expected)


@pytest.mark.parametrize("inputs", INPUTS)
def test_it_has_the_configured_inputs_and_no_weights_of_others(inputs: str) -> None:
    tagger = tiny_tagger(_config(inputs))
    expected = tuple(name for name, there in zip(("image", "text"), INPUTS[inputs], strict=True) if there)
    assert type(tagger) is Tagger
    assert tagger.modalities == expected
    tops = {name.split(".")[0] for name in tagger.state_dict()}
    assert tops == {*expected, "missing", "fusion", "heads"}


@pytest.mark.parametrize("kind", FUSIONS)
@pytest.mark.parametrize("inputs", INPUTS)
@torch.no_grad()
def test_outputs_have_the_declared_shapes(inputs: str, kind: str) -> None:
    output = _light_tagger(inputs, kind)(random_batch(5))
    assert output.embedding.shape == (5, 16)
    assert {name: value.shape for name, value in output.logits.items()} == {n: (5, c) for n, c in CLASSES.items()}


@pytest.mark.parametrize("inputs", INPUTS)
def test_it_is_rebuilt_from_its_config_and_weights(inputs: str) -> None:
    tagger, batch = tiny_tagger(_config(inputs)), random_batch()
    again = rebuild_tagger(tagger.config, CLASSES, tagger.encoder_config()).eval()
    again.load_state_dict(tagger.state_dict())
    with torch.no_grad():
        assert _same(again(batch), tagger(batch))


# What is missing


@pytest.mark.parametrize("kind", FUSIONS)
@torch.no_grad()
def test_the_pixels_of_a_missing_picture_are_not_read(kind: str) -> None:
    tagger, batch = _light_tagger("both", kind), random_batch()
    assert not _same(tagger(batch), tagger(_other_pixels(batch, [1, 4])))  # they are read where they are there
    missing = _without(batch, "has_image", [1, 4])
    assert _same(tagger(missing), tagger(_other_pixels(missing, [1, 4])))


@pytest.mark.parametrize("kind", FUSIONS)
@torch.no_grad()
def test_the_tokens_of_a_missing_title_are_not_read(kind: str) -> None:
    tagger, batch = _light_tagger("both", kind), random_batch()
    assert not _same(tagger(batch), tagger(_other_tokens(batch, [1, 4])))
    missing = _without(batch, "has_title", [1, 4])
    assert _same(tagger(missing), tagger(_other_tokens(missing, [1, 4])))


@torch.no_grad()
def test_a_model_of_titles_reads_no_pixels_and_a_model_of_pictures_no_tokens() -> None:
    batch = random_batch()
    of_text, of_image = tiny_tagger(_config("text")), tiny_tagger(_config("image"))
    assert _same(of_text(batch), of_text(_other_pixels(batch, list(range(6)))))
    assert _same(of_image(batch), of_image(_other_tokens(batch, list(range(6)))))


@torch.no_grad()
def test_items_that_miss_a_picture_differ_by_their_titles_alone() -> None:
    tagger, batch = tiny_tagger(_config("both")), _without(random_batch(), "has_image", [0, 1, 2])
    batch.token_ids[1], batch.token_mask[1] = batch.token_ids[0], batch.token_mask[0]
    embedding = tagger(batch).embedding
    torch.testing.assert_close(embedding[0], embedding[1], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(embedding[0], embedding[2], atol=1e-3)


@pytest.mark.parametrize(("field", "modality"), [("has_image", "image"), ("has_title", "text")])
def test_the_embedding_of_what_is_missing_gets_gradients(field: str, modality: str) -> None:
    tagger = tiny_tagger(_config("both"))
    other = "text" if modality == "image" else "image"
    sum(value.square().mean() for value in tagger(_without(random_batch(), field, [2])).logits.values()).backward()
    learned, unused = tagger.missing.vectors[modality].grad, tagger.missing.vectors[other].grad
    assert bool(learned.isfinite().all())
    assert bool((learned != 0).any())
    assert unused is None or not bool(unused.any())


# Alone or in company


@pytest.mark.parametrize("kind", FUSIONS)
@pytest.mark.parametrize("inputs", INPUTS)
@torch.no_grad()
def test_an_items_answer_does_not_depend_on_the_rest_of_the_batch(inputs: str, kind: str) -> None:
    tagger = _light_tagger(inputs, kind)
    batch = _without(_without(random_batch(6), "has_image", [3, 5]), "has_title", [4, 5])
    together = tagger(batch)
    for row in range(6):
        _assert_close(
            tagger(rows_of(batch, [row])),
            TaggerOutput({n: v[[row]] for n, v in together.logits.items()}, together.embedding[[row]]),
        )


@pytest.mark.parametrize("kind", FUSIONS)
@torch.no_grad()
def test_longer_padding_changes_no_answer(kind: str) -> None:
    tagger, batch = _light_tagger("both", kind), random_batch()
    ids, mask = nn.functional.pad(batch.token_ids, (0, 5)), nn.functional.pad(batch.token_mask, (0, 5))
    _assert_close(tagger(replace(batch, token_ids=ids, token_mask=mask)), tagger(batch))


# Modality dropout


@pytest.mark.parametrize("training", [True, False])
def test_inputs_are_dropped_while_training_alone(training: bool) -> None:
    tagger = tiny_tagger(_config("both", drop_image=0.5, drop_title=0.25)).train(training)
    tagger.image = None  # not run: what reaches the fusion is looked at, and a tower is slow
    seen: list[dict[str, Tensor]] = []
    tagger.features = lambda batch: {  # type: ignore[method-assign]
        "image": torch.full((len(batch), 512), 9.0),
        "text": torch.full((len(batch), 16), 9.0),
    }
    tagger.fusion.register_forward_pre_hook(lambda _, arguments: seen.append(arguments[0]))
    torch.manual_seed(0)
    tagger(random_batch(2000))
    hidden = {name: (value != 9.0).all(dim=1) for name, value in seen[0].items()}
    rates = {name: float(value.float().mean()) for name, value in hidden.items()}
    expected = {"image": 0.5, "text": 0.25} if training else {"image": 0.0, "text": 0.0}
    assert rates == pytest.approx(expected, abs=0.045)  # four standard deviations
    assert not bool((hidden["image"] & hidden["text"]).any())


# Training


def _loss(output: TaggerOutput, batch: Batch) -> Tensor:
    terms = [
        nn.functional.cross_entropy(output.logits[name].float(), batch.labels[name].clamp(min=0)) for name in CLASSES
    ]
    return torch.stack(terms).sum()


@pytest.mark.parametrize("kind", FUSIONS)
@pytest.mark.parametrize("inputs", INPUTS)
def test_a_step_lowers_the_loss(inputs: str, kind: str) -> None:
    tagger, batch = _light_tagger(inputs, kind), random_batch()
    before = _loss(tagger(batch), batch)
    before.backward()
    with torch.no_grad():
        for parameter in tagger.parameters():
            if parameter.grad is not None:
                parameter -= 1e-3 * parameter.grad
        assert float(_loss(tagger(batch), batch)) < float(before)


@pytest.mark.parametrize("half", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("gone", ["has_image", "has_title", "both"])
@pytest.mark.parametrize("kind", FUSIONS)
def test_answers_and_gradients_are_finite_where_no_item_has_an_input(kind: str, gone: str, half: bool) -> None:
    tagger, batch = _light_tagger("both", kind), random_batch()
    for field in ("has_image", "has_title") if gone == "both" else (gone,):
        batch = _without(batch, field, list(range(6)))
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        output = tagger(batch)
    assert all(bool(value.isfinite().all()) for value in (output.embedding, *output.logits.values()))
    _loss(output, batch).backward()
    gradients = [parameter.grad for parameter in tagger.parameters() if parameter.grad is not None]
    assert any(bool(gradient.any()) for gradient in gradients)
    assert all(bool(gradient.isfinite().all()) for gradient in gradients)


# Names


NAMES = {
    "concat": "fusion.hidden.0.bias fusion.hidden.0.weight fusion.hidden.1.bias fusion.hidden.1.weight",
    "gated": "fusion.gate.bias fusion.gate.weight fusion.hidden.image.0.bias fusion.hidden.image.0.weight "
    "fusion.hidden.image.1.bias fusion.hidden.image.1.weight fusion.hidden.text.0.bias fusion.hidden.text.0.weight "
    "fusion.hidden.text.1.bias fusion.hidden.text.1.weight",
}


@pytest.mark.parametrize("kind", NAMES)
def test_weights_bear_the_names_that_bundles_of_format_1_hold(kind: str) -> None:
    names = set(tiny_tagger(_config("both", kind)).state_dict())
    heads = {f"heads.linear.head_{name}.{part}" for name in CLASSES for part in ("bias", "weight")}
    missing = {"missing.vectors.image", "missing.vectors.text"}
    assert {name for name in names if not name.startswith(("image.", "text."))} == {
        *NAMES[kind].split(),
        *heads,
        *missing,
    }
    towers = {"text.encoder.embeddings.word_embeddings.weight", "text.encoder.encoder.layer.0.output.dense.bias"}
    assert towers <= names
    assert all(name.startswith("text.encoder.") for name in names if name.startswith("text."))


@torch.no_grad()
def test_attributes_may_bear_names_that_modules_use() -> None:
    tagger = tiny_tagger(_config("text"), dict.fromkeys(AWKWARD, 2))
    assert tuple(tagger(random_batch(3)).logits) == AWKWARD
    assert isinstance(tagger.training, bool)


def test_a_head_may_bear_any_name_that_a_module_has() -> None:
    used = {name for name in dir(nn.ModuleDict()) if not name.startswith("__")}
    names = used | {name.partition("_")[2] for name in used} - {""}
    for name in names:
        logits = Heads(2, {name: 3})(Fused(torch.zeros(1, 2)))
        assert {attribute: value.shape for attribute, value in logits.items()} == {name: (1, 3)}


# Views


def _in_training(**changes: object) -> Tagger:
    tagger = tiny_tagger(tiny_config(wide=True, **changes)).train()
    tagger.image.eval()  # batch statistics would tie an item's answer to its neighbours'
    return tagger


def test_all_views_are_the_item_and_each_input_alone() -> None:
    tagger, batch = _in_training(views="all", view_weight=0.25), random_batch()
    batch.has_image[1] = batch.has_title[2] = False
    outputs = tagger.training_outputs(batch)
    assert [share for share, _ in outputs] == pytest.approx([1 / 1.5, 0.25 / 1.5, 0.25 / 1.5])
    complete = [0, 3, 4, 5]
    pictures, titles = _without(batch, "has_title", complete), _without(batch, "has_image", complete)
    with torch.no_grad():
        for (_, output), shown in zip(outputs, (batch, pictures, titles), strict=True):
            _assert_close(output, tagger(shown))


def test_a_view_more_runs_no_tower_again() -> None:
    tagger, batch, runs = _in_training(views="all"), random_batch(), []
    tagger.image.register_forward_hook(lambda *_: runs.append("image"))
    tagger.text.register_forward_hook(lambda *_: runs.append("text"))
    tagger.training_outputs(batch)
    assert sorted(runs) == ["image", "text"]


@pytest.mark.parametrize("inputs", ["image", "text"])
def test_a_model_of_one_input_has_one_view(inputs: str) -> None:
    outputs = tiny_tagger(_config(inputs, views="all")).train().training_outputs(random_batch())
    assert [share for share, _ in outputs] == [1.0]


def test_dropped_inputs_are_one_view() -> None:
    tagger, batch = _in_training(drop_image=0.4, drop_title=0.4), random_batch(12)
    torch.manual_seed(3)
    ((share, output),) = tagger.training_outputs(batch)
    torch.manual_seed(3)
    assert share == 1.0
    assert _same(output, tagger(batch))


def _with_struck(batch: Batch) -> Batch:
    """Other, shorter titles for the same items; item 4's is empty."""
    other = random_batch(len(batch), seed=9)
    there = torch.arange(len(batch)) != 4
    batch.struck = OtherTitles(
        other.token_ids[:, :3],
        other.token_mask[:, :3] & there[:, None],
        other.ngram_ids[:, :2],
        other.ngram_weights[:, :2],
        there,
    )
    return batch


@pytest.mark.parametrize(("views", "before"), [("dropped", 1), ("all", 3)])
def test_a_struck_title_is_one_view_more_with_all_other_inputs(views: str, before: int) -> None:
    tagger, batch = _in_training(views=views, view_weight=0.5, struck_weight=0.75), _with_struck(random_batch())
    outputs = tagger.training_outputs(batch)
    weights = [1.0, *[0.5] * (before - 1), 0.75]
    assert [share for share, _ in outputs] == pytest.approx([weight / sum(weights) for weight in weights])
    with torch.no_grad():
        _assert_close(outputs[-1][1], tagger(batch.with_struck_titles()))
        assert not _same(outputs[-1][1], outputs[0][1])


def test_the_picture_tower_runs_once_for_whole_and_struck_titles() -> None:
    tagger, runs = _in_training(views="all", struck_weight=0.5), []
    tagger.image.register_forward_hook(lambda *_: runs.append("image"))
    tagger.training_outputs(_with_struck(random_batch()))
    assert runs == ["image"]


def test_struck_titles_teach_the_wide_path_nothing() -> None:
    tagger, batch = _in_training(views="dropped", struck_weight=1.0), _with_struck(random_batch())
    (_, whole), (_, struck) = tagger.training_outputs(batch)
    sum(value.square().sum() for value in struck.logits.values()).backward(retain_graph=True)
    assert tagger.wide.weight.weight.grad is None
    assert all(parameter.grad is not None for parameter in tagger.heads.parameters())
    whole.logits["colour"].square().sum().backward()
    assert tagger.wide.weight.weight.grad.abs().sum() > 0
