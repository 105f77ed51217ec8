"""A ranker in a folder: weights in safetensors, the rest in JSON, and the bundle whose vectors it ranks by.

R items of training.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from fashionmt.errors import UserError
from fashionmt.item_index import BundleMark
from fashionmt.recommend import trends
from fashionmt.recommend.items import Items
from fashionmt.recommend.ranker import Ranker, RankerSizes
from fashionmt.storage import make_folder, publish

FORMAT = 1
WEIGHTS, FACTS = "ranker.safetensors", "ranker.json"
NUMBERS, COUNTS = "popularity.numbers", "popularity.counts"
RUNS = Path("runs/recommend")


@dataclass(frozen=True, eq=False)
class Popularity:
    """How popular the items were when the ranker was made."""

    ids: Sequence[str]
    """R items, those that anyone had had."""
    numbers: Tensor
    """float32 (R, 4), see `trends`."""
    counts: Tensor
    """float32 (R,): how many had each of late, and by less than one how many ever."""


@dataclass(frozen=True, eq=False)
class SavedRanker:
    """What a folder holds."""

    ranker: Ranker
    own_ids: Sequence[str]
    """The items that have something of their own, in the order of the ranker's rows."""
    popularity: Popularity
    bundle: BundleMark
    learned: bool
    """False: the mean of the history, as it began."""
    synthetic: bool
    """Learned from made-up people."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """For people: from what, when, how good."""

    def own_rows(self, items: Items) -> Tensor:
        """int64 (R,): where the items of training lie, -1 where they are gone."""
        return torch.tensor([items.rows.get(item, -1) for item in self.own_ids], dtype=torch.int64)

    def numbers(self, items: Items) -> tuple[Tensor, Tensor]:
        """(float32 (N, 4), float32 (N,)): the popularity of these items; those that came later are new."""
        rows = torch.tensor([items.rows.get(item, -1) for item in self.popularity.ids], dtype=torch.int64)
        there = rows >= 0
        numbers, counts = torch.zeros(len(items), self.popularity.numbers.shape[1]), torch.zeros(len(items))
        numbers[:, trends.NUMBERS.index("new")] = 1
        numbers[rows[there]] = self.popularity.numbers[there]
        counts[rows[there]] = self.popularity.counts[there]
        return numbers, counts


def save_ranker(saved: SavedRanker, folder: Path) -> None:
    """Write it."""
    make_folder(folder)
    tensors = {name: value.detach().contiguous() for name, value in saved.ranker.state_dict().items()}
    tensors |= {NUMBERS: saved.popularity.numbers.contiguous(), COUNTS: saved.popularity.counts.contiguous()}
    save_file(tensors, folder / WEIGHTS)
    content = {
        "format": FORMAT,
        "bundle": asdict(saved.bundle),
        "sizes": asdict(saved.ranker.sizes),
        "learned": saved.learned,
        "synthetic": saved.synthetic,
        "facts": dict(saved.facts),
        "own_ids": list(saved.own_ids),
        "popularity_ids": list(saved.popularity.ids),
    }
    publish(folder / FACTS, json.dumps(content, indent=1, ensure_ascii=False).encode() + b"\n")


def load_ranker(folder: Path, items: Items) -> SavedRanker:
    """Read it. Raises `UserError` where it is not whole, or where `items` are of another bundle."""
    try:
        stored = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        if stored["format"] != FORMAT:
            wrong = f"format {stored['format']!r}, and this fashionmt reads format {FORMAT}"
            raise UserError(f"recommend.model={folder}", wrong, "Upgrade fashionmt, or train it again")
        bundle = BundleMark(**stored["bundle"])
        _check_bundle(folder, bundle, items)
        ranker = Ranker(RankerSizes(**stored["sizes"]))
        tensors = load_file(folder / WEIGHTS)
        popularity = Popularity(stored["popularity_ids"], tensors.pop(NUMBERS), tensors.pop(COUNTS))
        ranker.load_state_dict(tensors)
        if len(stored["own_ids"]) != ranker.sizes.own or len(popularity.ids) != len(popularity.counts):
            raise ValueError("ids and weights are not of one number")
        kinds = bool(stored["learned"]), bool(stored["synthetic"])
        return SavedRanker(ranker.eval(), stored["own_ids"], popularity, bundle, *kinds, stored["facts"])
    except FileNotFoundError as error:
        repair = "Train one with `python train.py experiment=recommend`, or check the path"
        raise UserError(f"recommend.model={folder}", f"holds no {Path(str(error.filename)).name}", repair) from error
    except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, OSError, SafetensorError) as error:
        repair = "Copy it again, or train it again"
        raise UserError(f"recommend.model={folder}", f"damaged ({str(error)[:100]})", repair) from error


def ranker_folder(named: str) -> Path:
    """The folder itself, or the ranker of a run's."""
    inside = Path(named) / "ranker"
    return inside if (inside / FACTS).is_file() else Path(named)


def newest_ranker() -> Path | None:
    """The one that was made last, or None."""
    found = sorted(RUNS.glob(f"*/*/ranker/{FACTS}"), key=lambda path: path.stat().st_mtime)
    return found[-1].parent if found else None


def _check_bundle(folder: Path, bundle: BundleMark, items: Items) -> None:
    """Raises `UserError` where the vectors are another model's."""
    if bundle.digest != items.bundle.digest:
        wrong = f"ranks by vectors of the bundle {bundle}, and the index holds those of {items.bundle}"
        raise UserError(f"recommend.model={folder}", wrong, f"Make an index with bundle={bundle.name}, or train again")
