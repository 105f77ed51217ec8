"""The vectors by which items are compared: unit vectors, so that the dot product of two is their cosine.

Without a head it is the tagger's fused embedding. A `SimilarityHead` is a linear map of that and of the answers: what
the wide path reads in a title is in these alone. Answers go in as the roots of their probabilities, whose dot product
is the Bhattacharyya coefficient of two distributions (1 where they are the same, 0 where they share no class).

B items, D fused features, C classes of an attribute, F numbers that the head reads, E numbers of its vectors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from fashionmt.batch import TaggerOutput


@dataclass(frozen=True, eq=False)
class SimilarityHead:
    """A linear map of what the tagger says of an item."""

    weight: Tensor
    """float32 (E, F): the fused embedding's D, then the C of each attribute in `temperatures`, in its order."""
    bias: Tensor
    """float32 (E,)."""
    temperatures: Mapping[str, float] = field(default_factory=dict)
    """Attribute whose answers are read -> what its logits are divided by."""

    def __post_init__(self) -> None:
        if self.weight.ndim != 2 or self.bias.shape != self.weight.shape[:1] or not self.weight.numel():
            raise ValueError(f"weight {tuple(self.weight.shape)} and bias {tuple(self.bias.shape)} are no linear map")
        for name, value in (("weight", self.weight), ("bias", self.bias)):
            if value.dtype != torch.float32 or not bool(value.isfinite().all()):
                raise ValueError(f"{name} is not of finite float32 numbers")
        for attribute, temperature in self.temperatures.items():
            if type(temperature) not in (int, float) or not 0 < temperature < torch.inf:
                raise ValueError(f"the temperature of {attribute}: {temperature!r} is no positive number")

    @property
    def size(self) -> int:
        """E."""
        return len(self.bias)

    def check(self, features: int, classes: Mapping[str, int]) -> None:
        """Raise `ValueError` unless a tagger of D `features` and `classes`, attribute -> C, says what this reads."""
        if unknown := self.temperatures.keys() - classes.keys():
            raise ValueError(f"{min(unknown)!r} is no attribute of the tagger")
        said = features + sum(classes[name] for name in self.temperatures)
        if said != self.weight.shape[1]:
            raise ValueError(f"it reads {self.weight.shape[1]} numbers, and the tagger says {said}")


def item_vectors(head: SimilarityHead | None, output: TaggerOutput) -> Tensor:
    """Unit vectors of B items, float32: (B, E), or (B, D) without a head. An item that says nothing, whose numbers are
    all 0, is 0: as near to one item as to any other."""
    if head is None:
        return F.normalize(output.embedding.float())
    features = head_features(output, head.temperatures)
    with torch.autocast(features.device.type, enabled=False):
        return F.normalize(F.linear(features, head.weight.to(features), head.bias.to(features)))


def head_features(output: TaggerOutput, temperatures: Mapping[str, float]) -> Tensor:
    """What a head reads, float32 (B, F): the embedding as a unit vector, and roots of probabilities."""
    answers = [(output.logits[name].float() / value).softmax(1).sqrt() for name, value in temperatures.items()]
    return torch.cat([F.normalize(output.embedding.float()), *answers], dim=1)


def save_head(head: SimilarityHead, path: Path) -> None:
    """Write the tensors as safetensors; the temperatures go where the caller keeps its JSON."""
    save_file({"weight": head.weight.cpu().contiguous(), "bias": head.bias.cpu().contiguous()}, path)


def read_head(path: Path, temperatures: Mapping[str, float]) -> SimilarityHead:
    """The inverse of `save_head`. Raises `ValueError` for tensors that are no head's."""
    stored = load_file(path)
    if stored.keys() != {"weight", "bias"}:
        raise ValueError(f"{path.name} holds {', '.join(sorted(stored))}")
    return SimilarityHead(stored["weight"], stored["bias"], dict(temperatures))
