"""What the tagger does about inputs that are not there: a learned embedding, trained by dropping inputs at random."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fashionmt.shown import PRIMARY

Present = dict[str, Tensor]
"""Modality -> bool (B,): which items have it."""


class MissingEmbeddings(nn.Module):
    """A learned vector in place of the features of an input that is not there."""

    def __init__(self, sizes: Mapping[str, int]) -> None:
        """`sizes`: modality -> its tower's feature size."""
        super().__init__()
        self.vectors = nn.ParameterDict({name: nn.Parameter(torch.zeros(size)) for name, size in sizes.items()})

    def forward(self, features: dict[str, Tensor], present: Present) -> dict[str, Tensor]:
        """Modality -> float (B, size), replaced where `present` is False."""
        return {
            name: torch.where(present[name].unsqueeze(1), value, self.vectors[name].to(value.dtype))
            for name, value in features.items()
        }


def consulted(present: Present) -> Present:
    """Whose answers count where each modality answers by itself: those that are there, and all, by their missing
    embeddings, for an item that has none."""
    nothing = ~torch.stack(list(present.values())).any(dim=0)
    return {name: there | nothing for name, there in present.items()}


def views(present: Present) -> list[Present]:
    """What is there; then, of picture and title, each without the other. An item that has but one of them keeps it in
    every view."""
    names = _primary(present)
    if len(names) < 2:
        return [present]
    complete = torch.stack([present[name] for name in names]).all(dim=0)
    hidden = [[name for name in names if name != kept] for kept in names]
    return [present, *(present | {name: present[name] & ~complete for name in others} for others in hidden)]


def drop_modalities(present: Present, probability: Mapping[str, float]) -> Present:
    """Hide picture or title of some items that have both: at most one each, so that no item is left with nothing."""
    names = _primary(present)
    if len(names) < 2:
        return present
    complete = torch.stack([present[name] for name in names]).all(dim=0)
    draw = torch.rand(len(complete)).to(complete.device)
    kept, start = dict(present), 0.0
    for name in names:
        hit = (draw >= start) & (draw < start + probability[name])
        kept[name] = present[name] & ~(hit & complete)
        start += probability[name]
    return kept


def drop_tabular(present: Present, probability: float) -> Present:
    """Hide the other columns of some items, if the model reads any."""
    if "tabular" not in present:
        return present
    there = present["tabular"]
    return present | {"tabular": there & (torch.rand(len(there)).to(there.device) >= probability)}


def _primary(present: Present) -> list[str]:
    return [name for name in present if name in PRIMARY]
