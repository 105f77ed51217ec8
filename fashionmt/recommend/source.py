"""What is learned from: the items of an index and who took them; by default the sample and made-up people."""

import csv
import hashlib
import io
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fashionmt.config import PredictConfig, RankerConfig
from fashionmt.data.findings import Findings
from fashionmt.errors import UserError
from fashionmt.item_index import load_index, newest_index
from fashionmt.recommend.interactions import Filters, Interactions, read_interactions
from fashionmt.recommend.items import Items
from fashionmt.recommend.synthetic import Synthetic
from fashionmt.similar import make_index
from fashionmt.storage import publish

RUNS = Path("runs")
SYNTHETIC = (
    "SYNTHETIC interactions: made-up people over the catalogue. What follows proves the code, and says nothing of "
    "how well anything is recommended to real people"
)


@dataclass(frozen=True, eq=False)
class Source:
    """Items and events."""

    items: Items
    index: Path
    events: Interactions
    findings: Findings
    synthetic: Synthetic | None
    """The made-up people; None: the events are real."""
    fingerprint: str


def open_source(config: RankerConfig) -> Source:
    """Raises `UserError` where something is not there, or no event is of an item of the index."""
    folder = _index_folder(config)
    items = Items.of(load_index(folder))
    if config.interactions is None:
        made = Synthetic(items, config.synthetic)
        _tell(SYNTHETIC)
        events = made.interactions()
        return Source(items, folder, events, Findings(), made, _fingerprint(items, events))
    filters = Filters(vars(config.columns), config.events, config.least_weight)
    path = Path(config.interactions)
    read = read_interactions(path, items.rows, filters, "recommend.columns")
    _tell(f"interactions: {path} ({read.columns.shown()})")
    if not len(read.events.user):
        wrong = f"no event of it is of the {len(items)} items of {folder}"
        raise UserError(f"recommend.interactions={path}", wrong, "Check recommend.columns.item, and the index's ids")
    return Source(items, folder, read.events, read.findings, None, _fingerprint(items, read.events))


def write_synthetic(events: Interactions, items: Items, path: Path) -> None:
    """The made-up events as a file that `recommend.interactions` reads."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["user_id", "item_id", "timestamp"])
    for user, item, time in zip(events.user.tolist(), events.item.tolist(), events.time.tolist(), strict=True):
        writer.writerow([events.users[user], items.ids[item], datetime.fromtimestamp(time, UTC).isoformat()])
    publish(path, text.getvalue().encode())


def _index_folder(config: RankerConfig) -> Path:
    """The index that is named; else the newest, or one of the sample that is made now."""
    if config.index is not None:
        return Path(config.index)
    if (found := newest_index(RUNS)) is not None:
        return found
    _tell("index: none below runs/index yet: made now, of the sample catalogue by the newest bundle")
    return Path(make_index(PredictConfig(task="index"))["output"])


def _fingerprint(items: Items, events: Interactions) -> str:
    digest = hashlib.sha256(f"{items.bundle.digest} {len(items)}\n".encode())
    digest.update("\0".join(items.ids).encode())
    for array in (events.user, events.item, events.time):
        digest.update(array.tobytes())
    return digest.hexdigest()


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
