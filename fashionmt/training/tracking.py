"""How a run is followed: a bar with rate and remaining time on a terminal, a line an epoch elsewhere, and loggers.

Loggers are built by the caller and handed in.
"""

import contextlib
import functools
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, runtime_checkable

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback, TQDMProgressBar
from pytorch_lightning.loggers import Logger
from tqdm import tqdm

from fashionmt.config import TrainConfig
from fashionmt.errors import ExitCode, exit_code
from fashionmt.training.module import MONITOR
from fashionmt.training.run_folder import RunFolder

if TYPE_CHECKING:
    from fashionmt.run_report import ReportContent  # draws, and takes a second to load

ClassWeights = Mapping[str, Mapping[str, tuple[int, float]]]
"""Attribute -> class -> its training items and its weight."""


def progress_bars() -> list[Callback]:
    """A bar with rate and remaining time where someone watches; the lines of `EpochLines` are everywhere."""
    return [TQDMProgressBar(leave=False)] if sys.stderr.isatty() else []


@runtime_checkable
class ResultLogger(Protocol):
    """A logger that keeps more than numbers."""

    def link(self) -> str | None:
        """Where the run is to be seen."""

    def log_class_weights(self, weights: ClassWeights) -> None:
        """What the loss weighs."""

    def log_results(self, content: "ReportContent", report: Path, bundle: Path) -> None:
        """What the run came to."""

    def finish(self, exit_code: int) -> None:
        """The run has ended: 0 as it should, another number as failed."""


Rest = ParamSpec("Rest")
Train = Callable[Concatenate[TrainConfig, RunFolder, Sequence[Logger], Rest], dict[str, Any]]


def tracked(train: Train[Rest]) -> Train[Rest]:
    """A training run whose loggers hear of its config first, and of how it ended last."""

    @functools.wraps(train)
    def run(
        config: TrainConfig, folder: RunFolder, loggers: Sequence[Logger], /, *args: Rest.args, **kwargs: Rest.kwargs
    ) -> dict[str, Any]:
        with _ended(loggers):
            for logger in loggers:
                logger.log_hyperparams(asdict(config))
                if isinstance(logger, ResultLogger) and (link := logger.link()) is not None:
                    sys.stderr.write(f"run: {link}\n")
            return train(config, folder, loggers, *args, **kwargs)

    return run


@contextlib.contextmanager
def _ended(loggers: Sequence[Logger]) -> Iterator[None]:
    """Tell `loggers` how what is inside ended."""
    code = ExitCode.OUR_FAULT
    try:
        yield
        code = ExitCode.DONE
    except PrunedError:
        code = ExitCode.DONE
        raise
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
        raise
    except Exception as error:
        code = exit_code(error)
        raise
    finally:
        for logger in loggers:
            if isinstance(logger, ResultLogger):
                logger.finish(int(code))
            elif code is not ExitCode.DONE:
                logger.finalize("failed")


Watch = Callable[[int, Mapping[str, float]], None]
"""Called at each epoch's end with its number, from 0, and what it logged; may raise `PrunedError`."""


class PrunedError(Exception):
    """A run is given up before its end, as others do better."""


class EpochWatch(Callback):
    """Shows what an epoch logged to whom it concerns. After `EpochLines`, whose rates it shows too."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Call it."""
        logged = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self._watch(trainer.current_epoch, logged)


class EpochLines(Callback):
    """Logs items per second and learning rates, and prints a line an epoch: losses, score, rate, time left."""

    def __init__(self, monitor: str = MONITOR) -> None:
        """`monitor`: the logged score that is printed."""
        self._monitor = monitor
        self._began = self._epoch_began = time.monotonic()
        self._first_step = self._items = 0
        self._rate = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock; a resumed run counts its own steps only."""
        self._began = self._epoch_began = time.monotonic()
        self._first_step = trainer.global_step

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the epoch's clock."""
        self._epoch_began, self._items = time.monotonic(), 0

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Count items."""
        self._items += len(batch)

    def on_validation_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The rate is of training alone."""
        self._rate = self._items * trainer.world_size / (time.monotonic() - self._epoch_began)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Log and print."""
        rates = {f"lr/{i}": group["lr"] for i, group in enumerate(trainer.optimizers[0].param_groups)}
        pl_module.log_dict({"items_per_second": self._rate, **rates})
        if trainer.is_global_zero:
            tqdm.write(self._line(trainer), file=sys.stderr)  # above the bar, not at its end

    def _line(self, trainer: pl.Trainer) -> str:
        values = trainer.callback_metrics
        done = trainer.global_step - self._first_step
        total = int(trainer.estimated_stepping_batches)
        left = (time.monotonic() - self._began) / max(1, done) * (total - trainer.global_step)
        loss, score = float(values["val/loss"]), float(values[self._monitor])
        name = self._monitor.split("/")[1].replace("_", " ")
        return (
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}  val loss {loss:.3f}  "
            f"val {name} {score:.4f}  {self._rate:.0f} items/s  {left / 60:.1f} min left"
        )
