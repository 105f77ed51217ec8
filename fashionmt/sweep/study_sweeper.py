"""Hydra's Optuna sweeper with a study that outlives the command: resumed to the trial, pruned inside training.

The sweeper of the `sweep` extra counts its trials from nothing each time, leaves those of a killed command running for
ever, and knows of no pruning. Its search spaces and samplers are used here as they are.
"""

from collections.abc import Sequence
from typing import Any

from hydra_plugins.hydra_optuna_sweeper.optuna_sweeper import OptunaSweeper

from fashionmt.errors import UserError


class StudySweeper(OptunaSweeper):
    """`hydra/sweeper: optuna` with this as its `_target_`; see conf/sweep/search.yaml."""

    def sweep(self, arguments: list[str]) -> None:
        """Ask for trials and launch their jobs until the study has `n_trials` that have ended."""
        # Here: Hydra imports this module for every command.
        from filelock import FileLock, Timeout

        from fashionmt.config import SweepConfig
        from fashionmt.hydra_bridge import to_dataclass
        from fashionmt.sweep.job import sweep_folder
        from fashionmt.sweep.study import open_study

        search: Any = self.sweeper  # whose config and launcher Hydra has set by now
        if search.storage is not None:
            raise UserError("hydra.sweeper.storage", "is not where our studies lie", "Set sweep.storage")
        sweep = to_dataclass(search.config.sweep, SweepConfig)
        folder = sweep_folder(sweep)
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(folder / "study.lock", timeout=0):
                self._search(open_study(sweep, search.sampler), arguments)
        except Timeout:
            wrong = "another command is searching there"
            raise UserError(str(folder), wrong, "Wait for it, or name another sweep.name") from None

    def _search(self, study: Any, arguments: Sequence[str]) -> None:
        from hydra_plugins.hydra_optuna_sweeper._impl import create_params_from_overrides

        search: Any = self.sweeper  # whose config and launcher Hydra has set by now
        search._process_searchspace_config()
        space, fixed, deletions = create_params_from_overrides([*search._parse_sweeper_params_config(), *arguments])
        space = {name: values for name, values in space.items() if name not in fixed}
        while (left := search.n_trials - len(_ended(study))) > 0:
            trials = _interrupted(study)[:left]
            trials += [study.ask() for _ in range(min(search.n_jobs, left) - len(trials))]
            jobs = search._configure_trials(trials, space, fixed, deletions)
            numbered = [
                (*overrides, f"sweep.trial={trial.number}") for overrides, trial in zip(jobs, trials, strict=True)
            ]
            returns = search.launcher.launch(numbered, initial_job_idx=search.job_idx)
            search.job_idx += len(returns)
            for trial, returned in zip(trials, returns, strict=True):
                if not _tell(study, trial, returned.return_value):
                    return


def _ended(study: Any) -> list[Any]:
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]


def _interrupted(study: Any) -> list[Any]:
    """The trials of a command that was killed: nobody else searches here. Their jobs go on."""
    from optuna.trial import Trial

    return [
        Trial(study, trial._trial_id) for trial in study.get_trials(deepcopy=False) if not trial.state.is_finished()
    ]


def _tell(study: Any, trial: Any, outcome: Any) -> bool:
    """Whether the search goes on: it does not where a job was not begun."""
    from optuna.trial import TrialState

    from fashionmt.sweep.outcome import State

    states = {State.DONE: TrialState.COMPLETE, State.PRUNED: TrialState.PRUNED, State.FAILED: TrialState.FAIL}
    if outcome.state is None:
        return False
    state = states[outcome.state]
    study.tell(trial, list(outcome.values) if state == TrialState.COMPLETE else None, state)
    return True
