"""A tagger as an ONNX graph: the batch's tensors by name in, logits and the fused embedding out.

B items, T tokens and G n-grams of the longest title: each may be any number, one too.
"""

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fashionmt.batch import Batch
from fashionmt.errors import UserError
from fashionmt.inference.runtimes.exported import EMBEDDING, LOGITS
from fashionmt.model import Tagger

READS = {
    "image": ("pixels", "has_image"),
    "text": ("token_ids", "token_mask", "ngram_ids", "ngram_weights", "has_title"),
    "tabular": ("numbers", "categories", "has_tabular"),
}
"""Modality -> fields of a batch."""
LONGEST = {"token_ids": "tokens", "token_mask": "tokens", "ngram_ids": "ngrams", "ngram_weights": "ngrams"}
"""Fields whose second dimension is as long as the longest title."""


class TaggerGraph(nn.Module):
    """A tagger that takes tensors and gives tensors, in the order of `inputs` and `outputs`."""

    def __init__(self, tagger: Tagger, attributes: tuple[str, ...], example: Batch) -> None:
        """`example`: a batch of the shapes that the tagger reads."""
        super().__init__()
        self.tagger = _without_bags(copy.deepcopy(tagger).cpu().eval())
        self.inputs = tuple(name for modality in tagger.modalities for name in READS[modality])
        self.attributes = attributes
        self.outputs = (*(f"{LOGITS}{name}" for name in attributes), EMBEDDING)
        self._unread = [name for names in READS.values() for name in names if name not in self.inputs]
        self._widths = {name: getattr(example, name).shape[1:] for name in self._unread}
        self._kinds = {name: getattr(example, name).dtype for name in self._unread}

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """The logits of each attribute, (B, C), then the embedding, (B, D)."""
        given: dict[str, Any] = dict(zip(self.inputs, tensors, strict=True))
        count = tensors[0].shape[0]
        blank: dict[str, Any]
        blank = {name: torch.zeros((count, *self._widths[name]), dtype=self._kinds[name]) for name in self._unread}
        output = self.tagger(Batch(**given, **blank, labels={}))
        return (*(output.logits[name] for name in self.attributes), output.embedding)


class WeightedRows(nn.Module):
    """What an `EmbeddingBag` that sums does, in operations that ONNX has."""

    def __init__(self, bag: nn.EmbeddingBag) -> None:
        super().__init__()
        self.weight = bag.weight

    def forward(self, ids: Tensor, per_sample_weights: Tensor) -> Tensor:
        """int64 (B, G) and float (B, G) -> float (B, D)."""
        return (self.weight[ids] * per_sample_weights.unsqueeze(2)).sum(1)


def write_graph(graph: TaggerGraph, example: Batch, path: Path) -> None:
    """Write the model as one file. `example`: a batch of several items. Raises `UserError` for a tagger with an
    operation that ONNX has not."""
    tensors = tuple(getattr(example, name) for name in graph.inputs)
    try:
        with torch.inference_mode(), _quiet():
            program: Any = torch.onnx.export(
                graph,
                tensors,
                dynamo=True,
                dynamic_shapes=(tuple(_sizes(graph)),),
                input_names=list(graph.inputs),
                output_names=list(graph.outputs),
                opset_version=18,  # the least that both runtimes' quantised convolutions need
                verbose=False,
            )
            program.save(path)
    except (torch.onnx.errors.OnnxExporterError, RuntimeError) as error:
        wrong = f"torch cannot write its model as ONNX ({type(error.__cause__ or error).__name__})"
        repair = "Use runtime=torch with this bundle: lstm towers, for one, have no such form"
        raise UserError("task=export", wrong, repair) from error


def _sizes(graph: TaggerGraph) -> Iterator[Mapping[int, Any]]:
    """Of each input, the dimensions that may be any number."""
    dims = {name: torch.export.Dim(name, min=1, max=1 << 20) for name in ("items", "ngrams")}
    dims["tokens"] = torch.export.Dim("tokens", min=1, max=_most_tokens(graph.tagger))
    for name in graph.inputs:
        yield {0: dims["items"]} | ({1: dims[LONGEST[name]]} if name in LONGEST else {})


def _most_tokens(tagger: Tagger) -> int:
    shape = tagger.encoder_config() or {}
    return int(shape.get("max_position_embeddings", 1 << 20))


def _without_bags(tagger: Tagger) -> Tagger:
    for module in list(tagger.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.EmbeddingBag):
                setattr(module, name, WeightedRows(child))
    return tagger


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter's notes on its own work are not for who exports."""
    loggers = [logging.getLogger(name) for name in ("onnxscript", "onnx_ir", "torch.onnx")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
