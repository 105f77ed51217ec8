"""The errors that are the user's to repair. Every message is one line: the thing, what was wrong, the repair."""

import difflib
from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What the commands exit with; the README lists them."""

    DONE = 0
    OUR_FAULT = 1
    USER_ERROR = 2
    TOO_MANY_BAD = 3
    TAKEN = 4
    RESOURCES = 5
    INTERRUPTED = 130
    READER_GONE = 141
    TERMINATED = 143


def nearest(name: str, known: Iterable[str]) -> str:
    """The beginning of a repair: `Did you mean ...? ` for one of the `known` that looks like `name`; empty for none."""
    near = difflib.get_close_matches(name, list(known), 1)
    return f"Did you mean {near[0]}? " if near else ""


def is_out_of_memory(error: Exception) -> bool:
    """Torch's own errors are told by their names: it is not loaded for them."""
    refused = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return refused or isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"


class UserError(Exception):
    """Something the user can repair: bad input, bad config, no disk space. Ends a command with its exit code."""

    code = ExitCode.USER_ERROR

    def __init__(self, thing: str, wrong: str, repair: str) -> None:
        super().__init__(thing, wrong, repair)  # what it is made of again, where it comes from another process

    def __str__(self) -> str:
        thing, wrong, repair = self.args
        return " ".join(f"{thing}: {wrong}. {repair}.".split())


class TooManyBadError(UserError):
    """More items could not be tagged than was allowed for."""

    code = ExitCode.TOO_MANY_BAD


class TakenError(UserError):
    """An output folder holds another job's results, or another process is at it."""

    code = ExitCode.TAKEN


class ResourceError(UserError):
    """The disk, or the memory, gave out: the same command goes on when there is more."""

    code = ExitCode.RESOURCES


class DivergedError(UserError):
    """Training came to weights that are no numbers: nothing of it can be used."""

    def __init__(self, step: int) -> None:
        wrong = f"diverged: at step {step} its figures are no finite numbers"
        super().__init__("training", wrong, "Lower optim.learning_rate, or the loss's weights")


class RowFailedError(Exception):
    """A row of the benchmark could not be run. Its folder says why, and the other rows go on."""

    def __init__(self, benchmark: str, row: str, reason: str, code: ExitCode) -> None:
        """`benchmark`: the folder of all rows."""
        super().__init__(benchmark, row, reason, code)
        self.benchmark, self.row, self.reason, self.code = benchmark, row, reason, code
