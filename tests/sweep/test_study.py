"""A study: kept, resumed to the trial, and pruned inside training."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

optuna = pytest.importorskip("optuna", reason="the sweep extra is not installed")

from omegaconf import OmegaConf  # noqa: E402
from optuna.trial import TrialState  # noqa: E402

from fashionmt.config import SweepConfig  # noqa: E402
from fashionmt.errors import UserError  # noqa: E402
from fashionmt.sweep.outcome import Outcome, State  # noqa: E402
from fashionmt.sweep.study import TrialReport, open_study  # noqa: E402
from fashionmt.sweep.study_sweeper import StudySweeper  # noqa: E402
from fashionmt.training.tracking import PrunedError  # noqa: E402

SPACE = {"x": "interval(0.0, 1.0)"}


class Launcher:
    """Stands in for Hydra's: each job's objective is its x; it dies before job `dies`, and fails as it is told to."""

    def __init__(self, dies: int | None = None, ends: dict[int, Outcome] | None = None) -> None:
        self.dies, self.ends = dies, ends or {}
        self.jobs: list[dict[str, float]] = []

    def launch(self, overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[Any]:
        returned = []
        for job in overrides:
            values = {key: float(value) for key, _, value in (text.partition("=") for text in job)}
            if len(self.jobs) == self.dies:
                raise KeyboardInterrupt
            self.jobs.append(values)
            outcome = self.ends.get(len(self.jobs) - 1, Outcome(State.DONE, (values["x"],)))
            returned.append(SimpleNamespace(return_value=outcome))
        return returned


def sweeper(folder: Path, launcher: Launcher, n_trials: int = 5, **changes: Any) -> StudySweeper:
    sampler = {"_target_": "optuna.samplers.TPESampler"}
    given = {"direction": "minimize", "storage": None, "study_name": None, "n_jobs": 1} | changes
    made = StudySweeper(
        sampler=OmegaConf.create(sampler),
        n_trials=n_trials,
        max_failure_rate=0.0,
        custom_search_space=None,
        params=OmegaConf.create(SPACE),
        **given,
    )
    made.sweeper.job_idx = 0
    made.sweeper.config = OmegaConf.create({"sweep": OmegaConf.structured(config_of(folder))})
    made.sweeper.launcher = launcher
    return made


def config_of(folder: Path, **changes: Any) -> SweepConfig:
    return SweepConfig(**{"name": "s", "folder": str(folder), "maximize": [{"score": 1.0}], **changes})


def test_a_search_maximises_and_ends_at_its_number_of_trials(tmp_path: Path) -> None:
    launcher = Launcher()
    sweeper(tmp_path, launcher).sweep([])
    study = open_study(config_of(tmp_path))
    assert [job["sweep.trial"] for job in launcher.jobs] == [0, 1, 2, 3, 4]
    assert study.best_value == max(job["x"] for job in launcher.jobs)
    sweeper(tmp_path, launcher).sweep([])
    assert len(launcher.jobs) == 5
    sweeper(tmp_path, launcher, n_trials=7).sweep([])
    assert [job["sweep.trial"] for job in launcher.jobs] == [0, 1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_killed_search_goes_on_with_the_trial_it_was_at(tmp_path: Path, jobs: int) -> None:
    with pytest.raises(KeyboardInterrupt):
        sweeper(tmp_path, Launcher(dies=3), n_jobs=jobs).sweep([])
    begun = {trial.number: trial.params for trial in open_study(config_of(tmp_path)).trials}
    launcher = Launcher()
    sweeper(tmp_path, launcher, n_jobs=jobs).sweep([])
    trials = open_study(config_of(tmp_path)).trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 5
    assert {number: trials[number].params for number in begun} == begun
    assert launcher.jobs[0]["sweep.trial"] == (3 if jobs == 1 else 2)


def test_trials_end_as_their_jobs_do(tmp_path: Path) -> None:
    ends = {1: Outcome(State.PRUNED, (0.5,)), 2: Outcome(State.FAILED, ())}
    sweeper(tmp_path, Launcher(ends=ends)).sweep([])
    states = [trial.state for trial in open_study(config_of(tmp_path)).trials]
    assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL, *[TrialState.COMPLETE] * 2]


def test_a_job_that_was_not_begun_ends_the_search_and_waits(tmp_path: Path) -> None:
    launcher = Launcher(ends={1: Outcome(None, ())})
    sweeper(tmp_path, launcher).sweep([])
    assert [trial.state for trial in open_study(config_of(tmp_path)).trials] == [
        TrialState.COMPLETE,
        TrialState.RUNNING,
    ]


def test_two_commands_do_not_search_in_one_folder(tmp_path: Path) -> None:
    class Nosy(Launcher):
        def launch(self, overrides: Sequence[Sequence[str]], initial_job_idx: int) -> list[Any]:
            with pytest.raises(UserError, match="another command is searching there"):
                sweeper(tmp_path, Launcher()).sweep([])
            return super().launch(overrides, initial_job_idx)

    sweeper(tmp_path, Nosy(), n_trials=1).sweep([])


def test_a_storage_of_hydras_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Set sweep\.storage"):
        sweeper(tmp_path, Launcher(), storage="sqlite://").sweep([])


@pytest.mark.parametrize("pruner", ["median", "halving"])
def test_a_trial_that_others_leave_behind_is_given_up_in_training_and_not_in_its_first_third(
    tmp_path: Path, pruner: str
) -> None:
    def report_of(trial: Any) -> TrialReport:
        return TrialReport(config_of(tmp_path, pruner=pruner, pruner_trials=3, trial=trial.number), 9)

    study = open_study(config_of(tmp_path))
    for value in (0.5, 0.6, 0.7):
        trial = study.ask()
        report = report_of(trial)
        for epoch in range(9):
            report(epoch, value + epoch / 100)
        study.tell(trial, value)
    worse = report_of(study.ask())
    for epoch in range(2):
        worse(epoch, 0.1)
    with pytest.raises(PrunedError):
        _ = [worse(epoch, 0.1) for epoch in (2, 3)]
    better = report_of(study.ask())
    for epoch in range(9):
        better(epoch, 0.9)


def test_a_resumed_trial_may_report_an_epoch_again(tmp_path: Path) -> None:
    study = open_study(config_of(tmp_path))
    trial = study.ask()
    for _ in range(2):
        TrialReport(config_of(tmp_path, trial=trial.number), 1)(0, 0.5)
    assert study.trials[0].intermediate_values == {1: 0.5}


def test_several_objectives_make_a_front(tmp_path: Path) -> None:
    study = open_study(config_of(tmp_path, maximize=[{"a": 1.0}, {"b": 1.0}]))
    for values in ((1.0, 0.0), (0.0, 1.0), (0.5, -1.0)):
        study.tell(study.ask(), list(values))
    assert sorted(trial.number for trial in study.best_trials) == [0, 1]
