"""The loss is that of a loop over items and candidates, and likeness that of labels compared one by one."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fashionmt.training.graded_contrast import graded_contrast, likeness


def _vectors(count: int, seed: int) -> Tensor:
    return F.normalize(torch.randn(count, 6, generator=torch.Generator().manual_seed(seed)), dim=1)


def _loop(items: Tensor, candidates: Tensor, degrees: list[list[float]], temperature: float) -> float:
    """The formula, item by item and candidate by candidate."""
    losses = []
    for i, row in enumerate(degrees):
        if sum(degree for degree in row if degree > 0) == 0:
            continue
        exps = {j: math.exp(float(items[i] @ candidates[j]) / temperature) for j in range(len(row)) if row[j] >= 0}
        whole = sum(exps.values())
        positives = {j: row[j] for j in exps if row[j] > 0}
        losses.append(
            -sum(degree * math.log(exps[j] / whole) for j, degree in positives.items()) / sum(positives.values())
        )
    return sum(losses) / len(losses)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
@pytest.mark.parametrize(
    "degrees",
    [
        [[1, 0, 0, 0], [0, 1, 1, 0], [1, 1, 1, 1]],
        [[0.5, 1, 0.25, 0], [0, 0.1, 0, 0], [1, 0, 0, 1 / 3]],
        [[-1, 1, 0.5, 0], [0.5, -1, 0, 1], [0, 1, -1, -1]],  # what is no candidate
        [[0, 0, 0, 0], [0, 1, -1, 0], [-1, 0, 0, -1]],  # two items without a positive
    ],
)
def test_it_is_the_formula(degrees: list[list[float]], temperature: float) -> None:
    items, candidates = _vectors(3, 0), _vectors(4, 1)
    found = graded_contrast(items, candidates, torch.tensor(degrees), temperature)
    assert float(found) == pytest.approx(_loop(items, candidates, degrees, temperature), rel=1e-5)


def test_of_labels_alone_it_is_supervised_contrast() -> None:
    """Khosla et al., eq. 2: every other item is a candidate, and those of the same label are positives."""
    vectors, labels = _vectors(8, 0), torch.tensor([0, 0, 1, 1, 1, 2, 2, 0])
    degrees = (labels[:, None] == labels).float().fill_diagonal_(-1)
    cosines = (vectors @ vectors.T / 0.2).double()
    expected = []
    for i in range(8):
        others = [j for j in range(8) if j != i]
        positives = [j for j in others if labels[j] == labels[i]]
        whole = torch.logsumexp(cosines[i, others], 0)
        expected.append(-sum(float(cosines[i, p] - whole) for p in positives) / len(positives))
    assert float(graded_contrast(vectors, vectors, degrees, 0.2)) == pytest.approx(sum(expected) / 8, rel=1e-5)


def test_its_gradients_are_finite() -> None:
    for degrees in (torch.tensor([[-1.0, 1.0], [0.0, 0.0]]), torch.zeros(2, 2), -torch.ones(2, 2)):
        vectors = _vectors(2, 0).requires_grad_()
        graded_contrast(vectors, vectors, degrees, 0.01).backward()
        assert vectors.grad is not None
        assert bool(vectors.grad.isfinite().all())


def test_likeness_is_the_share_of_agreeing_attributes_raised() -> None:
    labels = {
        "type": torch.tensor([0, 0, 1, 0]),
        "colour": torch.tensor([2, 2, 2, 3]),
        "gender": torch.tensor([1, 1, 1, 0]),
    }
    thirds = torch.tensor([[3, 3, 2, 1], [3, 3, 2, 1], [2, 2, 3, 0], [1, 1, 0, 3]]) / 3
    assert torch.allclose(likeness(labels, 1.0), thirds)
    assert torch.allclose(likeness(labels, 2.0), thirds**2)


def test_what_is_not_labelled_does_not_count() -> None:
    labels = {"type": torch.tensor([0, 0, -1, -1]), "colour": torch.tensor([2, -1, 2, -1])}
    expected = torch.tensor([[1.0, 1, 1, 0], [1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
    assert torch.equal(likeness(labels, 3.0), expected)
