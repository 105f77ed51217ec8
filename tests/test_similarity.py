"""Vectors of items are unit vectors, and what a head reads is the embedding beside the roots of probabilities."""

import math

import pytest
import torch
from tiny import one_thread, random_batch, tiny_tagger
from torch import Tensor

from fashionmt.batch import TaggerOutput
from fashionmt.similarity import SimilarityHead, head_features, item_vectors

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)

OUTPUT = TaggerOutput({"colour": torch.tensor([[0.0, math.log(3.0)]])}, torch.tensor([[3.0, 4.0]]))
"""Of one item: the unit vector (0.6, 0.8), and probabilities 1/4 and 3/4."""


def _unit(values: Tensor) -> bool:
    return torch.allclose(values.double().norm(dim=1), torch.ones(len(values), dtype=torch.double), atol=1e-6)


def test_without_a_head_it_is_the_fused_embedding_as_unit_vectors() -> None:
    assert torch.allclose(item_vectors(None, OUTPUT), torch.tensor([[0.6, 0.8]]))
    with torch.no_grad():
        output = tiny_tagger()(random_batch())
    vectors = item_vectors(None, output)
    assert _unit(vectors)
    expected = torch.stack([row / math.sqrt(sum(float(x) ** 2 for x in row)) for row in output.embedding])
    assert torch.allclose(vectors, expected, atol=1e-6)


def test_a_head_reads_the_embedding_and_the_roots_of_probabilities() -> None:
    expected = torch.tensor([[0.6, 0.8, 0.5, math.sqrt(0.75)]])
    assert torch.allclose(head_features(OUTPUT, {"colour": 1.0}), expected)
    warm = head_features(OUTPUT, {"colour": 2.0})[0, 2:] ** 2
    assert torch.allclose(warm, torch.tensor([1 / (1 + math.sqrt(3)), math.sqrt(3) / (1 + math.sqrt(3))]))
    assert head_features(OUTPUT, {}).shape == (1, 2)


def test_attributes_are_read_in_the_order_that_the_head_names_them() -> None:
    output = TaggerOutput({"a": torch.zeros(1, 1), "b": torch.zeros(1, 4)}, torch.ones(1, 1))
    assert head_features(output, {"b": 1.0, "a": 1.0}).tolist() == [[1.0, 0.5, 0.5, 0.5, 0.5, 1.0]]


def test_a_head_is_a_linear_map_of_what_it_reads() -> None:
    head = SimilarityHead(torch.tensor([[1.0, 0, 2, 0], [0, 1, 0, 0]]), torch.tensor([-0.6, -0.4]), {"colour": 1.0})
    assert head.size == 2
    assert torch.allclose(item_vectors(head, OUTPUT), torch.tensor([[1.0, 0.4]]) / math.hypot(1.0, 0.4))


def test_a_head_gives_unit_vectors_in_float32_whatever_it_is_given() -> None:
    head = SimilarityHead(torch.randn(5, 16 + 7), torch.randn(5), {"season": 0.5, "colour": 2.0})
    with torch.no_grad():
        output = tiny_tagger()(random_batch())
        vectors = item_vectors(head, output)
        half = TaggerOutput({n: v.bfloat16() for n, v in output.logits.items()}, output.embedding.bfloat16())
        with torch.autocast("cpu", torch.bfloat16):
            coarse, inside = item_vectors(head, half), item_vectors(head, output)
    assert _unit(vectors)
    assert _unit(coarse)
    assert coarse.dtype == inside.dtype == torch.float32
    assert torch.equal(inside, vectors)


@pytest.mark.parametrize("head", [None, SimilarityHead(torch.eye(2), torch.zeros(2))])
def test_an_item_that_says_nothing_is_no_nan(head: SimilarityHead | None) -> None:
    vectors = item_vectors(head, TaggerOutput({}, torch.tensor([[0.0, 0.0], [1.0, 0.0]])))
    assert vectors.tolist() == [[0.0, 0.0], [1.0, 0.0]]
