"""`summary.html`, and `review_queue.csv` beside it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fashionmt.inference.job import QUARANTINE, REVIEW_QUEUE, SUMMARY, Job
from fashionmt.inference.summary.content import gather
from fashionmt.inference.summary.drift import BOUND, DRAWS
from fashionmt.inference.summary.review_queue import LIMIT, to_csv
from fashionmt.pages import render
from fashionmt.storage import publish, remove

TEMPLATE = Path(__file__).with_name("summary.html.jinja")
SHOWN = 50
"""Rows of the queue that stand on the page."""


def write_summary(job: Job, totals: Mapping[str, Any]) -> None:
    """Write both, or remove what an earlier run left where none is asked for."""
    queue = job.folder / REVIEW_QUEUE
    if job.summary is None:
        remove(job.folder / SUMMARY)
        remove(queue)
        return
    content = gather(job, totals)
    publish(queue, to_csv(content.queue, job.attributes))
    html = render(
        TEMPLATE,
        content=content,
        queue_file=REVIEW_QUEUE,
        quarantine_file=QUARANTINE,
        shown=SHOWN,
        limit=LIMIT,
        bound=BOUND,
        draws=DRAWS,
    )
    publish(job.summary, html.encode())
