"""Ctrl-C between two steps, where nothing swallows it."""

import signal
import threading
from types import FrameType
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback


class InterruptAtStep(Callback):
    """Raises `KeyboardInterrupt` at the end of the batch in which SIGINT came; at once where it comes again.

    Python raises it wherever it happens to be, and loses it where that is a destructor or a callback of C: the run
    would go on, and whoever pressed the keys would think that it had hung.
    """

    def __init__(self) -> None:
        self._asked = False
        self._before: Any = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Take the signal, unless someone else has: only a main thread may, and a shell's background ignores it."""
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._ask)

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Give it back."""
        self._give_back()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Give it back."""
        self._give_back()

    def on_train_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Heed it."""
        self._heed()

    def on_validation_batch_end(self, *args: Any, **kwargs: Any) -> None:
        """Heed it."""
        self._heed()

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True

    def _heed(self) -> None:
        if self._asked:
            raise KeyboardInterrupt

    def _give_back(self) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
            self._before = None
