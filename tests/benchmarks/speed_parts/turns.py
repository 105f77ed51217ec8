"""Things measured in turns within one process, so that all of them see the same machine; and what is found."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")


@dataclass(frozen=True)
class Figure:
    """One measured thing."""

    name: str
    """As the JSON has it."""
    turns: Sequence[float]
    """One value a turn; none where it could not be measured."""
    of_what: str
    """The unit, or what a ratio is of."""
    asked: str = ""
    """What it should come to, for people to compare."""

    def to_json(self) -> dict[str, Any]:
        """Median, spread and all turns; `median` is null where nothing was measured."""
        values = [round(value, 4) for value in self.turns]
        spread = {"lowest": min(values, default=None), "highest": max(values, default=None)}
        median = round(statistics.median(self.turns), 4) if self.turns else None
        return {"median": median, **spread, "of_what": self.of_what, "asked": self.asked, "turns": values}


def ratio(name: str, above: Sequence[float], below: Sequence[float], of_what: str, asked: str = "") -> Figure:
    """Turn by turn."""
    return Figure(name, [a / b for a, b in zip(above, below, strict=True)], of_what, asked)


def in_turns(turns: int, tasks: Mapping[str, Callable[[], T]], what: str = "turns") -> dict[str, list[T]]:
    """What each task gives in each turn; every other turn goes backwards, so that no task is always the first."""
    given: dict[str, list[T]] = {name: [] for name in tasks}
    with tqdm(total=turns * len(tasks), desc=what, unit=" turns", delay=1.0, disable=None) as bar:
        for turn in range(turns):
            for name in reversed(tasks) if turn % 2 else tasks:
                given[name].append(tasks[name]())
                bar.update()
    return given


def seconds(task: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    task()
    return time.perf_counter() - began


def rate(count: int, task: Callable[[], object]) -> Callable[[], float]:
    """The task as one that gives how many of `count` things it does a second."""
    return lambda: count / seconds(task)
