"""Labels that are probably wrong, by confident learning (Northcutt et al. 2021, arXiv:1911.00068)."""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fashionmt.attributes import LabelSpace
from fashionmt.run_report.content import Head, HeldOut

COLUMNS = ("id", "attribute", "label", "suggested", "confidence", "title")
NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")


@dataclass(frozen=True)
class Suspect:
    """An item whose label the model contradicts with confidence."""

    part: HeldOut
    position: int
    """In `part`."""
    attribute: str
    label: str
    suggested: str
    confidence: float


def find_suspects(parts: Sequence[HeldOut], space: LabelSpace) -> list[Suspect]:
    """Held-out items whose answer is not their label although it is as sure as is usual for the answered class.

    The bar of a class is the mean probability that the items labelled with it give it, over all `parts`: the
    thresholds of confident learning. Items of classes that could not be learned are left out, since the model
    has nothing to say of them. Most confident first.
    """
    heads = [part.heads[space.attribute] for part in parts]
    bars = class_bars(heads, len(space))
    found = []
    for part, head in zip(parts, heads, strict=True):
        learned = head.labelled & (head.labels < len(space))
        for i in np.flatnonzero(learned & head.wrong & (head.confidence >= bars[head.answers])):
            label, answer = space.classes[head.labels[i]], space.classes[head.answers[i]]
            found.append(Suspect(part, int(i), space.attribute, label, answer, float(head.confidence[i])))
    return sorted(found, key=lambda suspect: -suspect.confidence)


def class_bars(heads: Iterable[Head], classes: int) -> npt.NDArray[np.float64]:
    """Each class's mean probability on the items labelled with it, (C,); infinite for a class without any."""
    sums, counts = np.zeros(classes), np.zeros(classes, dtype=np.int64)
    for head in heads:
        rows = np.flatnonzero((head.labels >= 0) & (head.labels < classes))
        labels = head.labels[rows]
        sums += np.bincount(labels, weights=head.probabilities[rows, labels], minlength=classes)
        counts += np.bincount(labels, minlength=classes)
    bars = np.full(classes, np.inf)
    np.divide(sums, counts, out=bars, where=counts > 0)
    return bars


def save_suspects(suspects: Iterable[Suspect], path: Path) -> None:
    """Write them as CSV, for a spreadsheet: UTF-8 with a byte-order mark, no cell a formula."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for suspect in suspects:
            part, i = suspect.part, suspect.position
            texts = (part.ids[i], suspect.attribute, suspect.label, suspect.suggested)
            confidence, title = f"{suspect.confidence:.4f}", guarded(part.titles[i] or "")
            writer.writerow([*map(guarded, texts), confidence, title])


def guarded(text: str) -> str:
    """`text` as a cell that no spreadsheet takes for a formula: an apostrophe before it where one could (CWE-1236)."""
    formula = text.lstrip()[:1] in tuple("=+-@\uff1d\uff0b\uff0d\uff20") or text[:1] in tuple("\t\r\n")
    return f"'{text}" if formula and text and not NUMBER.fullmatch(text) else text
