"""The errors that are the user's to repair. Every message is one line: the thing, what was wrong, the repair."""

import difflib
import errno
import textwrap
from collections.abc import Iterable
from enum import IntEnum

MOST = 500
"""Characters of what an error says that is no `UserError`: a compiler's message, say, is as long as a book."""
OF_THE_CONFIG = ("hydra", "omegaconf", "yaml")
"""Libraries whose errors tell of what a config says."""


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


def is_disk_full(error: Exception) -> bool:
    """Whether a file could not be written for lack of space."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def exit_code(error: Exception) -> ExitCode:
    """What a command, a job or a row of the benchmark ends with that fails so. The config's libraries are told by their
    names, as torch's errors are."""
    if isinstance(error, UserError | RowFailedError):
        return error.code
    if is_disk_full(error) or is_out_of_memory(error):
        return ExitCode.RESOURCES
    of_the_config = type(error).__module__.partition(".")[0] in OF_THE_CONFIG
    return ExitCode.USER_ERROR if of_the_config else ExitCode.OUR_FAULT


def failure_reason(error: Exception) -> str:
    """What is told of a failure, in one line."""
    if isinstance(error, UserError):
        return " ".join(str(error).split())
    said = textwrap.shorten(str(error), MOST, placeholder=" ...")
    if isinstance(error, OSError) and is_disk_full(error):
        where = f" for {error.filename}" if error.filename else ""
        return f"no disk space left{where}. Free some, or move FASHIONMT_CACHE or the output."
    if is_out_of_memory(error):
        return f"out of memory ({said}). Lower the batch size, or the model's."
    return f"{type(error).__name__}: {said}"


class RowFailedError(Exception):
    """A row of the benchmark could not be run. Its folder says why, and the other rows go on."""

    def __init__(self, benchmark: str, row: str, reason: str, code: ExitCode) -> None:
        """`benchmark`: the folder of all rows."""
        super().__init__(benchmark, row, reason, code)
        self.benchmark, self.row, self.reason, self.code = benchmark, row, reason, code
