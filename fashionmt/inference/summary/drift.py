"""Whether the answers are distributed as the training labels were.

C classes of an attribute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.spatial.distance import jensenshannon

from fashionmt.attributes import LabelSpace

BOUND = 0.1
"""A distance below it is not worth a word. Evidently takes the same (evidentlyai.com, "Data drift algorithm")."""
DRAWS = 999
"""No larger distance among so many drawn without drift: chance is one in a thousand (Davison & Hinkley 1997, 4.2)."""
BLOCK = 111
"""Draws at a time; there may be thousands of classes."""
MOVED = 6
"""Classes that are shown."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Moved:
    """A class, and its share of the labels."""

    label: str
    before: float
    """In training."""
    now: float

    @property
    def points(self) -> float:
        """Percentage points gained, negative where lost."""
        return 100 * (self.now - self.before)


@dataclass(frozen=True)
class Drift:
    """Of one attribute."""

    attribute: str
    trained: int
    """Training items with a label."""
    predicted: int
    """Answers of the model."""
    distance: float
    """Jensen-Shannon distance of the two distributions: 0 where equal, 0.83 where they share no class."""
    by_chance: float
    """The largest that `DRAWS` drawn pairs of such sizes have, both from the same distribution."""
    moved: list[Moved]
    """The classes whose share changed most, most first."""

    @property
    def flagged(self) -> bool:
        """Neither little nor chance."""
        return self.distance > max(BOUND, self.by_chance)


def find_drift(space: LabelSpace, trained: Sequence[int], predicted: Mapping[str, int]) -> Drift | None:
    """`trained`: items of each of the C classes; `predicted`: class -> answers. None where either has none.

    The measure is the Jensen-Shannon distance: Lin 1991, "Divergence measures based on the Shannon entropy". Items are
    taken to be independent. Where many are near copies of each other, chance does more than `by_chance` says.
    """
    before = np.asarray(trained, dtype=np.int64)
    now = np.array([predicted.get(label, 0) for label in space.classes], dtype=np.int64)
    if not before.sum() or not now.sum():
        return None
    shares = before / before.sum(), now / now.sum()
    change = np.abs(shares[1] - shares[0])
    order = [int(i) for i in np.argsort(-change, kind="stable")[:MOVED] if change[i] > 0]
    return Drift(
        attribute=space.attribute,
        trained=int(before.sum()),
        predicted=int(now.sum()),
        distance=_distance(before, now),
        by_chance=_by_chance(before, now),
        moved=[Moved(space.classes[i], float(shares[0][i]), float(shares[1][i])) for i in order],
    )


def _by_chance(before: Counts, now: Counts) -> float:
    """The same at every call."""
    chance, pooled = np.random.default_rng(0), (before + now) / (before + now).sum()
    sizes = int(before.sum()), int(now.sum())
    return max(_distance(*(chance.multinomial(size, pooled, BLOCK) for size in sizes)) for _ in range(DRAWS // BLOCK))


def _distance(before: Counts, now: Counts) -> float:
    """Of (C,) and (C,); of (B, C) and (B, C), the largest of B."""
    with np.errstate(invalid="ignore"):  # of equal ones rounding can leave the root of a little less than 0
        return float(np.nan_to_num(jensenshannon(before, now, axis=-1)).max())
