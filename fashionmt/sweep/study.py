"""A search's study: where it is kept, what ends a trial early, and a trial as its job sees it."""

import warnings
from pathlib import Path

import optuna
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler
from optuna.trial import Trial

from fashionmt.config import SweepConfig
from fashionmt.sweep.job import sweep_folder
from fashionmt.training.tracking import PrunedError

RUNGS = 3
"""Nothing is given up before a third of a trial's epochs; successive halving looks there and at two thirds. Not at the
first epoch, where a learning rate that ends well is behind one that begins well: of 20 trials on 8,000 items of the
public catalogue 17 were given up at the first of 6 epochs, among these every rate above 0.0006."""


def open_study(
    sweep: SweepConfig, sampler: BaseSampler | None = None, pruner: BasePruner | None = None
) -> optuna.Study:
    """The sweep's study: a new one, or that of an earlier command. All objectives are maximised."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder = sweep_folder(sweep)
    folder.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        study_name=sweep.name,
        storage=sweep.storage or _sqlite(folder / "study.db"),
        sampler=sampler,
        pruner=pruner,
        directions=["maximize"] * len(sweep.maximize),
        load_if_exists=True,
    )


def build_pruner(sweep: SweepConfig, epochs: int) -> BasePruner:
    """As `sweep.pruner` names it, for trials of so many epochs."""
    first = max(1, epochs // RUNGS)
    if sweep.pruner == "median":
        return MedianPruner(n_startup_trials=sweep.pruner_trials, n_warmup_steps=first)
    if sweep.pruner == "halving":
        return SuccessiveHalvingPruner(min_resource=first, reduction_factor=2)
    return NopPruner()


class TrialReport:
    """Tells a trial's study of each epoch, and its run when to give up."""

    def __init__(self, sweep: SweepConfig, epochs: int) -> None:
        """Of a sweep whose `trial` is set and that has one objective; `epochs` of each trial. Its study must be
        there."""
        self.study = open_study(sweep, pruner=build_pruner(sweep, epochs))
        found = [trial for trial in self.study.get_trials(deepcopy=False) if trial.number == sweep.trial]
        self.trial = Trial(self.study, found[0]._trial_id)

    def __call__(self, epoch: int, value: float) -> None:
        """`value`: the objective at the end of `epoch`, from 0. Raises `PrunedError`."""
        with warnings.catch_warnings():
            # A resumed run repeats the epoch in which it was killed.
            warnings.filterwarnings("ignore", message="The reported value is ignored")
            self.trial.report(value, epoch + 1)
        if self.trial.should_prune():
            raise PrunedError(f"epoch {epoch + 1}")


def _sqlite(file: Path) -> str:
    return f"sqlite:///{file.resolve()}"
