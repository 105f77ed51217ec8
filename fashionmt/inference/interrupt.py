"""Ctrl-C and SIGTERM between two items: the first ends a job where it can go on, the second ends it at once."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from fashionmt.errors import ExitCode, UserError

SIGNALS = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}


class StoppedError(UserError):
    """Someone asked the job to stop."""

    def __init__(self, code: ExitCode, doing: str, overwrite: bool) -> None:
        command = "The same command without overwrite=true" if overwrite else "The same command"
        super().__init__(doing, "stopped", f"{command} goes on where it was")
        self.code = code


@contextlib.contextmanager
def heeding_signals(doing: str = "tagging", overwrite: bool = False) -> Iterator[Callable[[], None]]:
    """Gives what raises `StoppedError` once one of `SIGNALS` has come. `overwrite`: the same command begins anew."""
    asked: list[ExitCode] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(SIGNALS[signal.Signals(number)])
        signal.signal(number, signal.SIG_DFL)

    def heed() -> None:
        if asked:
            raise StoppedError(asked[0], doing, overwrite)

    if threading.current_thread() is not threading.main_thread():  # which alone may set handlers
        yield heed
        return
    # A shell has its background jobs ignore Ctrl-C, and they are to go on doing so.
    before = {number: signal.getsignal(number) for number in SIGNALS}
    taken = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in taken:
        signal.signal(number, ask)
    try:
        yield heed
    finally:
        for number, handler in taken.items():
            signal.signal(number, handler)
