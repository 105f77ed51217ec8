"""Rows that pretrained towers have seen are known by what they are, not by the catalogue's name."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from tiny import save_tiny_towers

from fashionmt.config import ClipConfig, ModelConfig
from fashionmt.data.splits import Split
from fashionmt.errors import UserError
from fashionmt.training.seen_rows import item_marks, refuse_seen

SPLIT = Split(np.arange(4), np.array([4, 5]), np.array([6, 7]))
OTHER = Split(np.arange(4, 8), np.array([0, 1]), np.array([2, 3]))
REFUSED = "pretrained on 4 of the 4 rows that this run would be judged by"
TITLES = [f"Red shirt {i}" for i in range(8)]
PICTURES = [f"digest {i}" for i in range(8)]
NONE = [None] * 8


@dataclass
class Data:
    """Of a `PreparedData`, what is looked at: eight items with ids from 0."""

    raw_titles: Sequence[str | None]
    digests: Sequence[str | None]
    split: Split = SPLIT
    ids: Sequence[str] = tuple(map(str, range(8)))

    @property
    def items(self) -> SimpleNamespace:
        return SimpleNamespace(pictures=SimpleNamespace(digests=self.digests))


@pytest.fixture
def towers(tmp_path: Path) -> Path:
    """Pretrained on the first four items of `sample`."""
    data = Data(TITLES, PICTURES)
    marks = [mark for row in SPLIT.train for mark in item_marks(data, row)]  # type: ignore[arg-type]
    save_tiny_towers(tmp_path / "towers", data.ids[:4], marks)
    return tmp_path / "towers"


def judge(towers: Path, name: str, data: Data) -> None:
    refuse_seen(ModelConfig(clip=ClipConfig(str(towers))), name, data)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["sample", "another"])
@pytest.mark.parametrize(
    ("titles", "pictures"),
    [(TITLES, PICTURES), (NONE, PICTURES), (TITLES, NONE), ([title.upper() for title in TITLES], PICTURES)],
)
def test_the_same_items_are_refused_whatever_the_catalogue_is_called_and_a_run_reads_of_it(
    towers: Path, name: str, titles: Sequence[str | None], pictures: Sequence[str | None]
) -> None:
    judge(towers, name, Data(titles, pictures))
    with pytest.raises(UserError, match=REFUSED):
        judge(towers, name, Data(titles, pictures, OTHER))


def test_other_items_of_the_same_name_and_ids_are_taken(towers: Path) -> None:
    judge(towers, "sample", Data(TITLES, [f"other {i}" for i in range(8)], OTHER))
    judge(towers, "sample", Data([f"Blue shoe {i}" for i in range(8)], NONE, OTHER))


def test_a_folder_of_before_is_judged_by_name_and_ids(towers: Path) -> None:
    described = json.loads((towers / "towers.json").read_text())
    del described["trained_on"]["marks"]
    (towers / "towers.json").write_text(json.dumps(described))
    judge(towers, "another", Data(TITLES, PICTURES, OTHER))
    with pytest.raises(UserError, match=REFUSED):
        judge(towers, "sample", Data(TITLES, PICTURES, OTHER))
