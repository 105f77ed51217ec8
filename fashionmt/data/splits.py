"""Which rows train, which choose the model (validation) and which are looked at once (test)."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import GroupShuffleSplit

from fashionmt.config import SplitConfig
from fashionmt.data.rows import Rows
from fashionmt.errors import UserError

MOST_TITLES = 20
"""A picture that items of more titles show is no item's own ("no picture yet", a brand's mark) and links none of them:
one such would put half a catalogue into one part. In the public catalogue no picture has more than 3 titles."""


@dataclass(frozen=True)
class Split:
    """Disjoint row numbers that together are the whole catalogue."""

    train: Rows
    validation: Rows
    test: Rows
    test_since: str | None = None
    """The oldest time of the test, where times decide."""

    def parts(self) -> dict[str, Rows]:
        """Name -> rows."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    def save(self, path: Path, ids: Sequence[str]) -> None:
        """Write `id,split`, in catalogue order."""
        path.write_bytes(self._written(ids))

    def is_kept(self, path: Path, ids: Sequence[str]) -> bool:
        """Whether what `save` wrote to `path` is this split; true where nothing is there."""
        return not path.is_file() or path.read_bytes() == self._written(ids)

    def _written(self, ids: Sequence[str]) -> bytes:
        part = np.empty(len(ids), dtype=object)
        for name, rows in self.parts().items():
            part[rows] = name
        return pd.DataFrame({"id": ids, "split": part}).to_csv(index=False).encode()


def make_split(
    ids: Sequence[str],
    titles: Sequence[str | None],
    digests: Sequence[str | None],
    times: Sequence[str | None],
    config: SplitConfig,
) -> Split:
    """Deal the rows by `config.kind`, the same way for the same catalogue in any row order and `config.seed`.

    `family`: items with the same normalised title or the same picture bytes never cross. `block`: `block_size`
    neighbouring ids stay together. `time`: the newest rows are the test, whole time values at once. `random`: rows
    one by one, which leaks where items repeat. Validation is a share of what is not test, dealt by family in `time`
    and as the test is otherwise. Raises `UserError` where a part would be empty, or a time is no number or ISO date.
    """
    since = None
    if config.kind == "time":
        test, since = newest(ids, times, config.test_fraction)
        groups = families(ids, titles, digests)
    else:
        groups = _groups(ids, titles, digests, config)
        test = _share(groups, config.test_fraction, config, "test")
    rest = np.setdiff1d(np.arange(len(ids)), test)
    validation = rest[_share(groups[rest], config.validation_fraction, config, "validation")]
    split = Split(np.setdiff1d(rest, validation), validation, test, since)
    for name, rows in split.parts().items():
        if len(rows) == 0:
            raise UserError(f"split {config.kind}", f"no rows are left for {name}", "Give it more items or families")
    return split


def normalised_title(title: str) -> str:
    """The letters and digits of a title, case folded: what a family shares."""
    return re.sub(r"[\W_]+", "", title.casefold())


def families(ids: Sequence[str], titles: Sequence[str | None], digests: Sequence[str | None]) -> npt.NDArray[np.str_]:
    """Each row's family, named by its smallest id, shape (rows,): rows linked by title or picture, transitively; a
    picture among `crowded_pictures` links none."""
    count = len(ids)
    linked, nodes = [], count  # a node a row, then one a title and one a picture
    crowded = crowded_pictures(titles, digests)
    own = (None if digest in crowded else digest for digest in digests)
    for texts in ((title and normalised_title(title) for title in titles), own):
        codes, known = pd.factorize(np.array([text or None for text in texts], dtype=object))  # -1 of None
        linked.append(np.where(codes < 0, np.arange(count), codes + nodes))
        nodes += len(known)
    row, node = np.tile(np.arange(count), len(linked)), np.concatenate(linked)
    graph = coo_array((np.ones(len(row), np.bool_), (row, node)), shape=(nodes, nodes))
    component = connected_components(graph, directed=False)[1][:count]
    return _named_by_smallest_id(component, ids)


def crowded_pictures(titles: Sequence[str | None], digests: Sequence[str | None]) -> dict[str, int]:
    """The pictures that more than `MOST_TITLES` differently titled rows show: digest -> rows."""
    rows = Counter(digest for digest in digests if digest is not None)
    shown: dict[str, set[str]] = {digest: set() for digest, count in rows.items() if count > MOST_TITLES}
    for title, digest in zip(titles, digests, strict=True):
        if title and digest is not None and digest in shown:
            shown[digest].add(normalised_title(title))
    return {digest: rows[digest] for digest, different in shown.items() if len(different) > MOST_TITLES}


def _named_by_smallest_id(group: npt.NDArray[np.int64], ids: Sequence[str]) -> npt.NDArray[np.str_]:
    """Group names that do not depend on the order of the rows."""
    return pd.Series(list(ids)).groupby(np.asarray(group)).transform("min").to_numpy(dtype=str)


def _groups(
    ids: Sequence[str], titles: Sequence[str | None], digests: Sequence[str | None], config: SplitConfig
) -> npt.NDArray[np.str_]:
    if config.kind == "family":
        return families(ids, titles, digests)
    if config.kind == "block":
        return _named_by_smallest_id(blocks(ids, config.block_size), ids)
    return np.array(ids, dtype=str)


def blocks(ids: Sequence[str], size: int) -> npt.NDArray[np.int64]:
    """Each row's block of `size` neighbouring ids (numbers by value before other texts), shape (rows,)."""
    order = sorted(range(len(ids)), key=lambda row: (not ids[row].isdecimal(), _value(ids[row]), ids[row]))
    block = np.empty(len(ids), dtype=np.int64)
    block[order] = np.arange(len(ids)) // size
    return block


def _value(text: str) -> float:
    """Numbers order by value; texts that are none ("nan" too) order after them, by text."""
    try:
        value = float(text)
    except ValueError:
        return math.inf
    return math.inf if math.isnan(value) else value


def newest(ids: Sequence[str], times: Sequence[str | None], fraction: float) -> tuple[Rows, str]:
    """Rows later than a cut, whole time values at once, nearest to `fraction` of all, and the oldest of their times;
    rows without a time are old. Raises `UserError`."""
    known = {row: (item, time) for row, (item, time) in enumerate(zip(ids, times, strict=True)) if time is not None}
    values = _comparable(list(known.values()))
    ranked, counts = np.unique(values, return_inverse=True, return_counts=True)[1:]
    if len(counts) < 2:
        raise UserError("split time", f"{len(counts)} different times", "Set data.columns.time to a column of times")
    rank = np.full(len(times), -1)
    rank[list(known)] = ranked
    shares = counts[::-1].cumsum()[::-1] / len(times)  # of all rows, those of each time or later
    first = 1 + int(np.argmin(np.abs(shares[1:] - fraction)))
    return np.flatnonzero(rank >= first), known[int(np.argmax(rank == first))][1]


def _comparable(times: Sequence[tuple[str, str]]) -> npt.NDArray[np.float64] | npt.NDArray[np.object_]:
    """What the times, each of an id, order by: all are numbers, or all are ISO dates. Raises `UserError`."""
    for read in (_number, _date):
        values = [read(time) for _, time in times]
        if None not in values:
            return np.array(values)
    for item, time in times:
        if _number(time) is None and _date(time) is None:
            repair = "List it in data.columns.missing_times if it means not known, or write ISO dates (2019-12-31)"
            raise UserError(f"item {item}", f"its time {time!r} is neither a number nor an ISO date", repair)
    number, date = (next(time for _, time in times if read(time) is None) for read in (_date, _number))
    wrong = f"the times are numbers ({number!r}) and dates ({date!r}), which have no order"
    raise UserError("split time", wrong, "Write all of them alike in data.columns.time")


def _number(text: str) -> float | None:
    return None if math.isinf(value := _value(text)) else value


def _date(text: str) -> datetime | None:
    """Of a day, an hour or a month (`2019-12`), UTC where no zone is named."""
    for whole in (text, f"{text}-01"):
        with suppress(ValueError):
            date = datetime.fromisoformat(whole)
            return date if date.tzinfo is not None else date.replace(tzinfo=UTC)
    return None


def _share(groups: npt.NDArray[np.str_], fraction: float, config: SplitConfig, part: str) -> Rows:
    """The rows of a random `fraction` of the groups, for `part`; at least one group is left. Raises `UserError`."""
    count = len(np.unique(groups))
    if count < 2:
        names = {"block": f"blocks of {config.block_size} neighbouring ids", "random": "items"}
        few = f"too few {names.get(config.kind, 'families')} ({count})"
        wrong = f"{few} among the {len(groups)} rows that {part} would be taken from"
        smaller = config.kind == "block" and len(groups) > 1
        repair = "Set a smaller data.split.block_size" if smaller else "Give the catalogue more items"
        raise UserError(f"split {config.kind}", wrong, repair)
    held_out = min(math.ceil(fraction * count), count - 1)
    dealt = GroupShuffleSplit(n_splits=1, test_size=held_out, random_state=config.seed)
    return np.sort(next(dealt.split(groups, groups=groups))[1])
