"""The loggers of the extras `mlflow` and `tensorboard`: a run of each, read back as their own tools read it."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from fashionmt.config import TrainConfig
from fashionmt.errors import UserError
from fashionmt.hydra_bridge import build_loggers, to_yaml
from fashionmt.training.module import TaggerModule
from fashionmt.training.run import run_training
from fashionmt.training.run_folder import RunFolder
from tests.conftest import OF_LIGHTNING

pytestmark = [
    *OF_LIGHTNING,
    # Of MLflow itself.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
SIZE = ("model=text_only", "trainer.max_epochs=2", "trainer.checkpoint_seconds=0", "limit_items=400")


class KilledError(Exception):
    """What stands for a kill."""


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("fashionmt.training.report_content.show_results", lambda *_: None)


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    module: ModuleType = pytest.importorskip("mlflow")
    return module


def train(config: TrainConfig, root: str, resume: bool = False) -> dict[str, Any]:
    folder = RunFolder(Path(root))
    if not resume:
        folder.claim(to_yaml(config))
    return run_training(config, folder, build_loggers(config.logger, folder.root), resume)


def client(mlflow: ModuleType) -> Any:
    return mlflow.MlflowClient(f"sqlite:///{Path('runs/mlflow.db').resolve()}")


def runs_of(mlflow: ModuleType) -> list[Any]:
    found: list[Any] = client(mlflow).search_runs(["1"])
    return found


def test_mlflow_holds_a_runs_config_and_history(mlflow: ModuleType, compose: Callable[..., TrainConfig]) -> None:
    metrics = train(compose("logger=mlflow", *SIZE), "runs/train/a")
    (run,) = runs_of(mlflow)
    assert (run.info.status, run.info.run_name) == ("FINISHED", "train/a")
    assert run.data.params["trainer/max_epochs"] == "2"
    assert run.data.metrics["test/exact_match"] == pytest.approx(metrics["exact_match"])
    history = client(mlflow).get_metric_history(run.info.run_id, "val/loss/gender")
    assert len({point.step for point in history}) == 2


def test_a_resumed_run_goes_on_in_mlflow_where_it_failed(
    mlflow: ModuleType, compose: Callable[..., TrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = compose("logger=mlflow", *SIZE)
    original = TaggerModule.training_step

    def killed(self: TaggerModule, batch: Any, batch_idx: int) -> Any:
        if self.current_epoch == 1:
            raise KilledError
        return original(self, batch, batch_idx)

    monkeypatch.setattr(TaggerModule, "training_step", killed)
    with pytest.raises(KilledError):
        train(config, "runs/train/a")
    monkeypatch.setattr(TaggerModule, "training_step", original)
    assert [run.info.status for run in runs_of(mlflow)] == ["FAILED"]
    train(config, "runs/train/a", resume=True)
    (run,) = runs_of(mlflow)
    assert run.info.status == "FINISHED"
    assert "test/exact_match" in run.data.metrics


def test_a_run_whose_data_is_refused_ends_as_failed_in_mlflow(
    mlflow: ModuleType, compose: Callable[..., TrainConfig]
) -> None:
    with pytest.raises(UserError, match="no such catalogue"):
        train(compose("logger=mlflow", "data=catalogue", "data.catalogue=none.csv", "data.learn=[a]"), "runs/train/a")
    assert [run.info.status for run in runs_of(mlflow)] == ["FAILED"]


def test_mlflow_tells_nobody_of_a_run(mlflow: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlflow.telemetry import utils

    monkeypatch.setattr(utils, "_IS_IN_CI_ENV_OR_TESTING", False)
    assert not utils.is_telemetry_disabled()
    build_loggers(
        {"mlflow": {"_target_": "fashionmt.training.mlflow_run.MlflowRun", "tracking_uri": "sqlite:///m.db"}}, tmp_path
    )
    assert utils.is_telemetry_disabled()


def test_an_mlflow_server_that_is_not_there_is_the_users_to_repair(
    mlflow: ModuleType, compose: Callable[..., TrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    config = compose("logger=mlflow", "logger.mlflow.tracking_uri=http://127.0.0.1:1", *SIZE)
    with pytest.raises(UserError, match=r"logger\.mlflow\.tracking_uri=http://127\.0\.0\.1:1: no run could be begun"):
        train(config, "runs/train/a")


def test_tensorboard_holds_a_runs_history(compose: Callable[..., TrainConfig]) -> None:
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    metrics = train(compose("logger=tensorboard", *SIZE), "runs/train/a")
    read = accumulators.EventAccumulator("runs/train/a/tensorboard/version_0").Reload()
    assert len(read.Scalars("val/loss/gender")) == 2
    assert read.Scalars("test/exact_match")[-1].value == pytest.approx(metrics["exact_match"])
