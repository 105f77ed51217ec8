"""Everything that the summary shows, gathered part by part: what is kept does not grow with the catalogue."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fashionmt.inference.job import Job
from fashionmt.inference.stated import WHOLE, Stated, stated
from fashionmt.inference.summary.contact_sheet import Card, make_cards
from fashionmt.inference.summary.drift import Drift, find_drift
from fashionmt.inference.summary.review_queue import Candidate, best
from fashionmt.inference.summary.riskiest import Riskiest
from fashionmt.inference.summary.rows import read_rows
from fashionmt.inference.summary.tally import Tally
from fashionmt.inference.totals import never_accepted
from fashionmt.problems import Code

NAMED = 5
"""Input files that are named."""


@dataclass(frozen=True)
class Quarantined:
    """Rows that could not be tagged, for one reason."""

    code: Code
    count: int


@dataclass(frozen=True)
class SummaryContent:
    """Everything on the page. Nothing of it depends on how fast the job was, or how often it was interrupted."""

    catalogue: list[str]
    """The first input files."""
    more_files: int
    rows: int
    totals: Mapping[str, Any]
    """As `_manifest.json` has them."""
    duplicate_ids: int
    model: str
    """The bundle's digest."""
    fingerprint: str
    tallies: dict[str, Tally]
    """By attribute."""
    stated: Mapping[str, Stated] | None
    """Of each attribute; None: the bundle has no thresholds."""
    item_stated: Stated | None
    shown: list[tuple[str, int, str]]
    """What items show, how many do, and what is never accepted of these; of a bundle that tells such items apart."""
    known_training: bool
    """Whether the bundle says how its training labels were distributed."""
    drifts: list[Drift]
    cards: list[Card]
    queue: list[Candidate]
    quarantined: list[Quarantined]
    """Most frequent first."""
    picture_problems: list[tuple[str, int]]
    """Code -> rows that were tagged without their picture, most frequent first."""


def gather(job: Job, totals: Mapping[str, Any]) -> SummaryContent:
    """Of a job whose parts are all there."""
    manifest, bundle = job.manifest, job.reader.bundle
    tallies = {name: Tally() for name in bundle.spaces}
    queue: list[Candidate] = []
    riskiest = Riskiest(bundle.spaces)
    for files in job.parts:
        rows = list(read_rows(files, bundle.spaces))
        for name, tally in tallies.items():
            tally.add(row.answers[name] for row in rows)
        queue = best([*queue, *(Candidate.of(row) for row in rows if row.reasons)])
        riskiest.add(rows)
    drifts = (
        find_drift(bundle.spaces[name], counts, tallies[name].predicted) for name, counts in bundle.train_counts.items()
    )
    all_stated = stated(bundle.decoders, totals["shown"])
    return SummaryContent(
        catalogue=[file.name for file in manifest.inputs[:NAMED]],
        more_files=max(0, len(manifest.inputs) - NAMED),
        rows=manifest.rows,
        totals=totals,
        duplicate_ids=manifest.duplicate_ids,
        model=manifest.settings["bundle"],
        fingerprint=manifest.fingerprint,
        tallies=tallies,
        stated=all_stated,
        item_stated=None if all_stated is None else all_stated[WHOLE],
        shown=[
            (view, count, never_accepted(bundle.decoders, view))
            for view, count in totals["shown"].items()
            if bundle.alone
        ],
        known_training=bool(bundle.train_counts),
        drifts=[drift for drift in drifts if drift is not None],
        cards=make_cards(job, riskiest.chosen()),
        queue=queue,
        quarantined=[Quarantined(Code(code), count) for code, count in _most_first(totals["quarantined"])],
        picture_problems=_most_first(totals["picture_problems"]),
    )


def _most_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return Counter(counts).most_common()
