"""What a job is known by."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from fashionmt.config import TrainConfig
from fashionmt.errors import UserError
from fashionmt.sweep.job import JobFolder, JobRecord, job_id, jobs_in
from fashionmt.sweep.outcome import Outcome, State

Compose = Callable[..., TrainConfig]


@pytest.mark.parametrize(
    "override",
    ["fail_fast=true", "sweep.retry=true", "sweep.trial=3", "sweep.name=other", "trainer.checkpoint_seconds=1"],
)
def test_it_is_the_same_job_where_no_result_can_differ(compose: Compose, override: str) -> None:
    assert job_id(compose(override), "data") == job_id(compose(), "data")


@pytest.mark.parametrize("override", ["seed=1", "optim.learning_rate=0.1", "data.split.seed=4", "limit_items=50"])
def test_it_is_another_job_where_a_result_can_differ(compose: Compose, override: str) -> None:
    assert job_id(compose(override), "data") != job_id(compose(), "data")


def test_it_is_another_job_on_other_data(compose: Compose) -> None:
    assert len({job_id(compose(), fingerprint) for fingerprint in ("data", "other", None)}) == 3


def test_it_is_the_same_job_wherever_the_catalogue_lies(compose: Compose) -> None:
    files = "data=catalogue", "data.learn=[a]"
    here = compose(*files, "data.catalogue=a.csv", "data.images=a")
    assert job_id(here, "x") == job_id(compose(*files, "data.catalogue=b/a.csv", "data.images=b/a"), "x")


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    job = JobFolder(tmp_path / "abc")
    assert job.read() is None
    record = JobRecord(["seed=1"], "token", State.PRUNED, values=[0.5, 2.0], epochs=3, seconds=4.5, attempts=2)
    job.write(record)
    assert job.read() == record
    assert jobs_in(tmp_path) == [(job, record)]
    assert record.outcome == Outcome(State.PRUNED, (0.5, 2.0))


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"state": "asleep"}), json.dumps({"state": "done"})])
def test_a_damaged_record_is_named(tmp_path: Path, text: str) -> None:
    job = JobFolder(tmp_path)
    (tmp_path / "job.json").write_text(text)
    with pytest.raises(UserError, match="damaged"):
        job.read()


def test_sweepers_read_an_outcome_as_numbers() -> None:
    assert float(Outcome(State.DONE, (0.25, 3.0))) == 0.25
    assert list(Outcome(State.DONE, (0.25, 3.0))) == [0.25, 3.0]
    assert str(float(Outcome(State.FAILED, ()))) == "nan"
