"""What a job hands back to the sweeper that asked for it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How far a job is."""

    RUNNING = "running"
    DONE = "done"
    PRUNED = "pruned"
    FAILED = "failed"


@dataclass(frozen=True)
class Outcome:
    """A job's end. Sweepers that want a number, or a number an objective, read it as such."""

    state: State | None
    """None: not begun, as `fail_fast` stopped the sweep before it or another process is at it."""
    values: tuple[float, ...]
    """The objectives, of a pruned job those it had; none of a job that failed."""

    def __float__(self) -> float:
        """The first objective, or NaN, which sweepers take for a failure."""
        return self.values[0] if self.values else math.nan

    def __iter__(self) -> Iterator[float]:
        return iter(self.values)
