"""A bundle's decoders, fitted anew to labelled items; what such decoders are worth on items they were not fitted to.

N items, A attributes.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn.model_selection import GroupKFold
from tqdm import tqdm

from fashionmt.attributes import MISSING
from fashionmt.calibrate.labelled import Labelled
from fashionmt.config import ThresholdConfig
from fashionmt.decoding import Decoded, Decoder, Decoders, in_order
from fashionmt.training.answers import Answers
from fashionmt.training.decoders import fit_view

FEWEST = 100
"""Labels below which an attribute keeps what it has: a temperature and three numbers are fitted."""
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Fitter:
    """Fits decoders to any of the labelled items."""

    labelled: Labelled
    before: Decoders
    """The bundle's: of them is what stays as it is."""
    targets: Mapping[str, float]
    """Attribute -> the accuracy its accepted answers are to have."""
    config: ThresholdConfig
    fitted: Mapping[str, frozenset[str]]
    """By view, the attributes of which there are labels enough; of the taxonomy's all or none."""

    def __call__(self, rows: Rows) -> Decoders:
        """The decoders for items like `rows`, places of labelled items."""
        whole, *alone = self.labelled.said
        own = {view: self._fit(view, rows) for view in alone}
        kept = {view: decoder for view, decoder in own.items() if decoder is not None}
        return Decoders(self._fit(whole, rows) or self.before.whole, dict(self.before.alone) | kept)

    def all(self) -> Decoders:
        """Those for items like all of them."""
        return self(np.arange(len(self.labelled)))

    def _fit(self, view: str, rows: Rows) -> Decoder | None:
        """None where there is nothing to fit."""
        if not self.fitted[view]:
            return None
        rows = rows[self.labelled.said[view].showing(view).numpy()[rows]]
        answers = self.labelled.said[view].where(_mask(rows, len(self.labelled)))
        start = self.before.of(view)
        return fit_view(answers, self.labelled.groups[rows], self.targets, self.config, start, self.fitted[view])


def enough_labels(labelled: Labelled, taxonomy: tuple[str, ...]) -> dict[str, frozenset[str]]:
    """By view, the attributes that have `FEWEST` labels among the items that show it. Those of the `taxonomy` are
    answered together, and fitted together or not at all."""
    return {view: _enough(answers, taxonomy) for view, answers in labelled.by_view().items()}


def _enough(answers: Answers, taxonomy: tuple[str, ...]) -> frozenset[str]:
    counts = {name: int((labels != MISSING).sum()) for name, labels in answers.labels.items()}
    there = {name for name, count in counts.items() if count >= FEWEST}
    return frozenset(there if there >= set(taxonomy) else there - set(taxonomy))


def judged(fit: Fitter, folds: int) -> tuple[Decoded, dict[str, tuple[Decoded, Rows]]]:
    """What is answered and accepted of each item by decoders that were fitted to the other folds, whole families in
    one: as each shows itself, in order; and by each view alone, with the places of the items that have it.

    Raises `ValueError` for fewer families than folds.
    """
    labelled = fit.labelled
    _, *alone = labelled.said
    splitter = GroupKFold(folds, shuffle=True, random_state=0)
    parts: list[tuple[Decoded, Rows]] = []
    by_view: dict[str, list[tuple[Decoded, Rows]]] = {view: [] for view in alone}
    dealt = list(splitter.split(labelled.groups, groups=labelled.groups))
    for others, rows in tqdm(dealt, desc="judging", unit="fold", delay=2.0, disable=None, leave=False):
        decoders = fit(others)
        own = labelled.whole.where(_mask(rows, len(labelled)))
        parts.append((decoders(own.logits, own.views), rows))
        for view in alone:
            shown = rows[labelled.said[view].showing(view).numpy()[rows]]
            shows = labelled.said[view].where(_mask(shown, len(labelled)))
            if len(shows):
                by_view[view].append((decoders.of(view)(shows.logits), shown))
    together, _ = _together(parts)
    return together, {view: _together(each) for view, each in by_view.items() if each}


def _together(parts: list[tuple[Decoded, Rows]]) -> tuple[Decoded, Rows]:
    """The items of all folds, in the catalogue's order, and their places."""
    rows = np.concatenate([those for _, those in parts])
    order = rows.argsort()
    return in_order([decoded for decoded, _ in parts], torch.from_numpy(order)), rows[order]


def _mask(rows: Rows, count: int) -> torch.Tensor:
    mask = torch.zeros(count, dtype=torch.bool)
    mask[torch.from_numpy(rows)] = True
    return mask
