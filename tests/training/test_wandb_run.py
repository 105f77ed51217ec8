"""The W&B run of a training run. Nothing here is sent anywhere; tests/sweep reads whole runs back."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import wandb

from fashionmt.config import TrainConfig
from fashionmt.errors import UserError
from fashionmt.hydra_bridge import build_loggers
from fashionmt.training import wandb_run
from fashionmt.training.run_folder import RunFolder
from fashionmt.training.tracking import ResultLogger, tracked
from fashionmt.training.wandb_run import WandbRun, fetch_bundle

NODE = {"_target_": "fashionmt.training.wandb_run.WandbRun", "project": "p"}


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_RUN_ID", "WANDB_SWEEP_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))


def made(folder: Path, **changes: Any) -> dict[str, Any]:
    """What wandb would be told of a run in `folder`."""
    (logger,) = build_loggers({"wandb": {**NODE, **changes}}, folder)
    assert isinstance(logger, WandbRun)
    assert isinstance(logger, ResultLogger)
    told: dict[str, Any] = logger._wandb_init
    return told


def test_a_run_is_offline_where_there_is_no_key_and_nobody_is_asked(tmp_path: Path) -> None:
    assert made(tmp_path)["mode"] == "offline"


def test_a_run_is_online_where_there_is_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wandb, "login", lambda prompt: not prompt)
    assert made(tmp_path)["mode"] == "online"
    assert made(tmp_path, mode="offline")["mode"] == "offline"
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert made(tmp_path)["mode"] == "disabled"


def test_a_mode_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Use one of auto, online, offline"):
        made(tmp_path, mode="of")


def test_a_text_is_one_tag(tmp_path: Path) -> None:
    assert made(tmp_path, tags="baseline")["tags"] == ["baseline"]
    assert made(tmp_path, tags=["a", "b"])["tags"] == ["a", "b"]


@pytest.mark.parametrize("given", ["bogus", ""])
def test_a_mode_of_the_environment_that_is_none_is_refused_before_a_run_is_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    monkeypatch.setenv("WANDB_MODE", given)
    for mode in ("auto", "offline"):
        with pytest.raises(UserError, match=rf"WANDB_MODE={given}: no such choice\. Use online"):
            made(tmp_path, mode=mode)


@pytest.mark.parametrize(
    ("changes", "told"), [({"mode": "online"}, "No API key configured"), ({"project": "a/b"}, "Invalid project name")]
)
def test_a_run_that_cannot_be_begun_is_the_users_to_repair(tmp_path: Path, changes: dict[str, str], told: str) -> None:
    (logger,) = build_loggers({"wandb": {**NODE, **changes}}, tmp_path)
    with pytest.raises(UserError, match=f"{told}.*run wandb login, or use logger.wandb.mode=offline"):
        logger.log_hyperparams({"seed": 0})
    logger.finish(2)


def test_a_resumed_run_goes_on_with_its_own(tmp_path: Path) -> None:
    first = made(tmp_path / "a")["id"]
    assert made(tmp_path / "a")["id"] == first
    assert made(tmp_path / "b")["id"] != first


def test_wandbs_own_agent_names_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_RUN_ID", "theirs")
    assert made(tmp_path / "a")["id"] != "theirs"
    monkeypatch.setenv("WANDB_SWEEP_ID", "s")
    assert made(tmp_path / "b")["id"] == "theirs"


def test_a_bundle_is_fetched_by_its_artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Api:
        def artifact(self, name: str, type: str) -> Any:
            asked.append(f"{name} {type}")
            return SimpleNamespace(download=lambda place: place)

    monkeypatch.setattr(wandb, "Api", Api)
    with pytest.raises(UserError, match="there is no W&B key"):
        fetch_bundle("me/p/bundle-1", tmp_path)
    monkeypatch.setattr(wandb, "login", lambda prompt: True)
    assert fetch_bundle("me/p/bundle-1", tmp_path) == tmp_path / "me-p-bundle-1-latest"
    assert fetch_bundle("me/p/bundle-1:v3", tmp_path) == tmp_path / "me-p-bundle-1-v3"
    assert asked == ["me/p/bundle-1:latest model", "me/p/bundle-1:v3 model"]


@pytest.mark.parametrize("error", [wandb.errors.CommError("not found"), ValueError("no such artifact")])
def test_an_artifact_that_cannot_be_had_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def refuse() -> Any:
        raise error

    monkeypatch.setattr(wandb, "login", lambda prompt: True)
    monkeypatch.setattr(wandb, "Api", refuse)
    with pytest.raises(UserError, match="bundle=wandb:me/p/x: could not be had"):
        fetch_bundle("me/p/x", tmp_path)


def test_what_waits_lies_in_the_runs_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(wandb_run.env.DATA_DIR, raising=False)
    logger = WandbRun(str(tmp_path), mode="offline")
    with logger._staged_here():
        assert wandb_run.env.get_data_dir() == str(tmp_path / "wandb")
    assert not Path(wandb_run.env.get_data_dir()).is_relative_to(tmp_path / "wandb")
    monkeypatch.setenv(wandb_run.env.DATA_DIR, "theirs")
    with logger._staged_here():
        assert wandb_run.env.get_data_dir() == "theirs"


@pytest.mark.parametrize(
    ("error", "code"),
    [(MemoryError(), 5), (UserError("a", "b", "c"), 2), (ZeroDivisionError(), 1), (KeyboardInterrupt(), 130)],
)
def test_a_run_that_fails_ends_there_with_the_commands_exit_code(
    compose: Callable[..., TrainConfig], tmp_path: Path, error: BaseException, code: int
) -> None:
    codes: list[int] = []

    @tracked
    def train(*_: Any) -> dict[str, Any]:
        raise error

    logger = WandbRun(str(tmp_path), mode="offline")
    logger._experiment = SimpleNamespace(  # type: ignore[assignment]
        config=SimpleNamespace(update=lambda *_, **__: None), finish=lambda exit_code: codes.append(exit_code)
    )
    with pytest.raises(type(error)):
        train(compose(), RunFolder(tmp_path), [logger])
    assert codes == [code]
