"""What every process has to open for itself."""

import os
import threading
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar


class Closable(Protocol):
    """Something that was opened."""

    def close(self) -> None:
        """Let go of it."""


Opened = TypeVar("Opened", bound=Closable)


class PerProcess(Generic[Opened]):
    """Opened when it is first needed, once in each process, and pickled as the way to open it.

    A process that was forked opens anew: two that share an open file move each other's place in it.
    """

    def __init__(self, opener: Callable[[], Opened]) -> None:
        """`opener` is pickled: a function that a module holds, or a `partial` of one."""
        self._opener = opener
        self._lock = threading.Lock()
        self._opened: tuple[int, Opened] | None = None

    def get(self) -> Opened:
        """This process's own."""
        with self._lock:
            if self._opened is None or self._opened[0] != os.getpid():
                self._opened = os.getpid(), self._opener()
            return self._opened[1]

    def close(self) -> None:
        """Close it where it is open; `get` opens it again."""
        with self._lock:
            if self._opened is not None and self._opened[0] == os.getpid():
                self._opened[1].close()
            self._opened = None

    def __reduce__(self) -> tuple[object, ...]:
        return PerProcess, (self._opener,)
