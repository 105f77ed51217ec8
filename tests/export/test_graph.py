"""An exported model answers as the tagger does, whatever it reads and however many items come at once."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tiny import COLUMNS, random_batch, rows_of, tiny_config, tiny_tagger

from fashionmt.batch import Batch, TaggerOutput
from fashionmt.config import ImageTowerConfig, ModelConfig, TextTowerConfig, WidePathConfig
from fashionmt.errors import UserError
from fashionmt.model import Tagger
from fashionmt.model.tabular_tower import NO_COLUMNS

pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from fashionmt.export.graph import TaggerGraph, write_graph
from fashionmt.inference.runtimes import has_runtime, load_model

MODELS = {
    "wide, with colours": tiny_config(wide=True, kind="gated"),
    "late, columns": tiny_config(kind="late"),
    "picture": tiny_config(text=False),
    "title": tiny_config(image=False, wide=True),
    "title, columns": replace(tiny_config(image=False), wide=WidePathConfig(columns=True)),
    "n-grams": replace(tiny_config(image=False), text=TextTowerConfig(kind="ngram", hidden_size=16)),
}
MODELS["wide, with colours"].image = ImageTowerConfig(colour_statistics=True)
MODELS["wide, with colours"].wide = WidePathConfig(silent_titles=True)
RUNTIMES = [name for name in ("onnx", "openvino") if has_runtime(name)]


def a_tagger(name: str) -> Tagger:
    config: ModelConfig = MODELS[name]
    tagger = tiny_tagger(config, columns=COLUMNS if "columns" in name else NO_COLUMNS)
    if tagger.wide is not None and tagger.wide.columns is not None:
        tagger.wide.columns.weight.normal_()
    if tagger.silent_titles is not None:
        tagger.silent_titles.names_class[1::3] = 1.0
        tagger.silent_titles.shares[:] = torch.tensor([[0.5, 0.75], [1.5, 0.25], [2.0, 0.5]])
    return tagger


def a_batch(count: int, seed: int) -> Batch:
    """Some items lack their picture or title; titles are as long as they come."""
    batch = random_batch(count, seed)
    batch.has_image[1::3] = False
    batch.has_title[2::3] = False
    batch.has_tabular[::4] = False
    longest = int(batch.token_mask.sum(1).max())
    batch.token_mask[~batch.has_title] = False
    batch.ngram_weights[~batch.has_title] = 0
    batch.token_ids, batch.token_mask = batch.token_ids[:, :longest], batch.token_mask[:, :longest]
    return batch


SLOW = ("late, columns", "picture")  # a ResNet takes half a minute to be written


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in SLOW else n for n in MODELS])
def test_it_answers_as_the_tagger(name: str, tmp_path: Path) -> None:
    tagger, example = a_tagger(name), a_batch(5, seed=0)
    graph = TaggerGraph(tagger, tuple(tagger.heads.names), example)
    write_graph(graph, example, tmp_path / "model.onnx")
    asked = [example, a_batch(9, seed=1), rows_of(a_batch(6, seed=2), [4])]
    for exported in (load_model(runtime, (tmp_path / "model.onnx").read_bytes()) for runtime in RUNTIMES):
        for batch in asked:
            assert_same(exported(batch), tagger(batch))


def assert_same(found: TaggerOutput, expected: TaggerOutput) -> None:
    assert found.logits.keys() == expected.logits.keys()
    for attribute, logits in expected.logits.items():
        torch.testing.assert_close(found.logits[attribute], logits.detach(), atol=2e-4, rtol=1e-4)
    torch.testing.assert_close(found.embedding, expected.embedding.detach(), atol=2e-4, rtol=1e-4)


def test_the_tagger_itself_is_left_as_it_was(tmp_path: Path) -> None:
    tagger, example = a_tagger("title"), a_batch(4, seed=0)
    before = {name: value.clone() for name, value in tagger.state_dict().items()}
    kinds = [type(module) for module in tagger.modules()]
    write_graph(TaggerGraph(tagger, ("colour", "season"), example), example, tmp_path / "model.onnx")
    assert [type(module) for module in tagger.modules()] == kinds
    assert all(torch.equal(value, before[name]) for name, value in tagger.state_dict().items())


def test_a_model_that_onnx_has_no_form_for_is_refused(tmp_path: Path) -> None:
    text = TextTowerConfig(kind="lstm", hidden_size=16, layers=1)
    tagger, example = tiny_tagger(replace(tiny_config(image=False), text=text)), a_batch(5, seed=0)
    with pytest.raises(UserError, match=r"cannot write its model as ONNX.*runtime=torch"):
        write_graph(TaggerGraph(tagger, ("colour", "season"), example), example, tmp_path / "model.onnx")
