"""The commands: compose the config, hand plain dataclasses on, turn every failure into one line and an exit code."""

import contextlib
import functools
import importlib.util
import json
import os
import re
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.types import RunMode
from omegaconf import DictConfig

from fashionmt.config import BenchmarkConfig, DataConfig, PredictConfig, SweepConfig, TrainConfig
from fashionmt.errors import ExitCode, UserError
from fashionmt.failures import DEBUG, check_arguments, leave, one_line_errors
from fashionmt.hydra_bridge import (
    MAIN,
    begun_sweep,
    build_loggers,
    from_yaml,
    refuse_left_out,
    register_resolvers,
    register_schemas,
    to_dataclass,
    to_yaml,
)
from fashionmt.paths import cache_dir, conf_dir

if TYPE_CHECKING:
    from fashionmt.training.run_folder import RunFolder

COMMAND = "FASHIONMT_COMMAND"
"""The environment variable that tells the jobs of one command from those of others: the processes that it starts
inherit it."""
ARTIFACT = "wandb:"
"""Before the name of a bundle that lies in Weights & Biases."""
ELEMENT = re.compile(r"""\s*(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|(?:\\.|[^,\\])+)\s*""")
"""Of a list on the command line: in quotes, or up to the next comma."""


def train() -> None:
    """Console script `fashionmt-train`."""
    os.environ[COMMAND] = uuid.uuid4().hex
    _register_sweeper()
    _run(_train, _conclude_sweep)


def predict() -> None:
    """Console script `fashionmt-predict`."""
    _run(_predict)


def _register_sweeper() -> None:
    """Make our search known to Hydra, where the `sweep` extra is installed: Hydra takes no sweeper that is not."""
    if importlib.util.find_spec("hydra_plugins") and importlib.util.find_spec("hydra_plugins.hydra_optuna_sweeper"):
        from fashionmt.sweep.study_sweeper import StudySweeper

        Plugins.instance().register(StudySweeper)


@hydra.main(**MAIN, config_path=str(conf_dir()), config_name="train")
def _train(composed: DictConfig) -> Any:
    if composed.benchmark.row is not None:
        _benchmark_row(composed)
        return None
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return _sweep_job(composed)
    with one_line_errors():
        if composed.sweep_status is not None:
            return _sweep_status(Path(composed.sweep_status))
        folder = _relative(Path(composed.resume or HydraConfig.get().runtime.output_dir))
        with _mention_resume(folder), _no_empty_folder(folder):
            _train_in(folder, _configured(composed))
    return None


def _configured(composed: DictConfig) -> TrainConfig:
    """The config of a run, checked. Raises `UserError`."""
    config = to_dataclass(composed, TrainConfig)
    refuse_left_out(config.data, HydraConfig.get().overrides.task)
    return config


def _sweep_job(composed: DictConfig) -> Any:
    """One of a multirun. It fails alone: why stands in its folder, and in the command's last line."""
    from fashionmt.sweep.run import run_job

    _quiet_libraries()
    if composed.recommend is not None:
        with one_line_errors():
            raise UserError("experiment=recommend", "is no job of a multirun", "Leave out -m")
    sweep = to_dataclass(composed.sweep, SweepConfig)
    overrides = [text for text in HydraConfig.get().overrides.task if not text.startswith(("sweep.", "fail_fast="))]
    compose = functools.partial(_configured, composed)
    try:
        return run_job(compose, sweep, composed.fail_fast, overrides, os.environ.get(COMMAND, ""))
    except KeyboardInterrupt:
        leave(ExitCode.INTERRUPTED, "interrupted. The same command goes on with it")


def _sweep_status(folder: Path) -> None:
    from fashionmt.sweep.conclude import print_jobs

    print_jobs(folder)


def _conclude_sweep() -> None:
    """What a multirun ends with, where one was begun."""
    if (folder := begun_sweep()) is not None:
        from fashionmt.sweep.conclude import conclude

        code, line = conclude(_relative(folder), os.environ[COMMAND])
        if line is not None:
            leave(code, line)


def _benchmark_row(composed: DictConfig) -> None:
    """What fails here fails this row alone: Hydra goes on with the next, and raises the first failure at the end."""
    from fashionmt.benchmark import row_recorded, run_row

    _quiet_libraries()
    with row_recorded(to_dataclass(composed.benchmark, BenchmarkConfig), composed.seed):
        done = run_row(_configured(composed))
    sys.stdout.write(f"{done}\n")


def _train_in(root: Path, config: TrainConfig) -> None:
    # Imported here: `--help` and a misspelt key must not wait for it, and what is wrong with the run's folder or its
    # catalogue must not wait for Lightning.
    from fashionmt.training.run_folder import RunFolder

    folder = RunFolder(root)
    resume = config.resume is not None
    if resume:
        _refuse_other_overrides()
        folder.check_resumable()
        config = from_yaml(folder.config)
    elif config.recommend is None:
        _check_catalogue(config.data)

    from fashionmt.training.run import settle

    _quiet_libraries()
    if not resume:
        config = settle(config)
        folder.claim(to_yaml(config))
    with contextlib.nullcontext() if resume else folder.let_go_if_refused():
        _run_in(config, folder, resume)


def _run_in(config: TrainConfig, folder: "RunFolder", resume: bool) -> None:
    from fashionmt.training.pretrain import print_pretrained, run_pretraining
    from fashionmt.training.report import print_results
    from fashionmt.training.run import run_training

    loggers = build_loggers(config.logger, folder.root)
    if config.recommend is not None:
        from fashionmt.recommend import run_recommending
        from fashionmt.recommend.report import print_table

        print_table(run_recommending(config, folder, loggers, resume), folder.ranker)
        return
    if config.contrast is not None:
        if metrics := run_pretraining(config, folder, loggers, resume):
            print_pretrained(config, folder, metrics)
        return
    if metrics := run_training(config, folder, loggers, resume):
        print_results(metrics)
        sys.stdout.write(f"bundle: {folder.bundle}\n")


def _check_catalogue(config: DataConfig) -> None:
    """Refuse one that is not there or lacks a column before libraries are loaded that take three times as long."""
    if config.kind == "files":
        from fashionmt.data.catalogue import CatalogueFiles
        from fashionmt.data.stored_catalogue import open_catalogue

        open_catalogue(CatalogueFiles.locate(config), config)


@hydra.main(**MAIN, config_path=str(conf_dir()), config_name="predict")
def _predict(composed: DictConfig) -> None:
    with one_line_errors():
        config = to_dataclass(composed, PredictConfig)
        config.similar.id = _as_typed("similar.id", config.similar.id)
        config.similar.filters = _filters_as_typed("similar.filters", config.similar.filters)
        config.recommend.filters = _filters_as_typed("recommend.filters", config.recommend.filters)
        run = _task(config.task)
        _quiet_libraries()
        if config.bundle is not None and config.bundle.startswith(ARTIFACT):
            from fashionmt.training.wandb_run import fetch_bundle

            config.bundle = str(fetch_bundle(config.bundle.removeprefix(ARTIFACT), cache_dir() / "bundles"))
        sys.stdout.write(f"{json.dumps(run(config), ensure_ascii=False)}\n")


def _as_typed(key: str, value: str | None) -> str | None:
    """A text of the command line as it stands there: Hydra reads the id 1e5 as a number."""
    for override in HydraConfig.get().overrides.task:
        name, _, typed = override.partition("=")
        if name == key and value is not None and not typed.startswith(("'", '"')):
            value = typed
    return value


def _filters_as_typed(key: str, filters: dict[str, Any]) -> dict[str, Any]:
    """Values, or lists of them, as they stand on the command line: Hydra reads true and 1.10 as no texts."""
    overrides = (override.lstrip("+").partition("=") for override in HydraConfig.get().overrides.task)
    typed = {name.removeprefix(f"{key}."): text.strip() for name, _, text in overrides if name.startswith(f"{key}.")}
    return {name: _texts(value, typed[name]) if name in typed else value for name, value in filters.items()}


def _texts(value: Any, typed: str) -> Any:
    """`value`, with what Hydra made of a text as that text."""
    if not isinstance(value, list):
        return value if isinstance(value, str) or str(value) == typed else typed
    elements = [element.strip() for element in ELEMENT.findall(typed[1:-1])]
    if len(elements) != len(value):
        return value
    return [_texts(each, element) for each, element in zip(value, elements, strict=True)]


def _task(name: str) -> Callable[[PredictConfig], dict[str, Any]]:
    """What does it; imported when it is known to be meant."""
    if name == "tag":
        from fashionmt.inference.run import tag_catalogue

        return tag_catalogue
    if name == "export":
        from fashionmt.export import export_bundle

        return export_bundle
    if name == "calibrate":
        from fashionmt.calibrate import calibrate_bundle

        return calibrate_bundle
    if name == "recommend":
        from fashionmt.recommend import recommend

        return recommend
    from fashionmt.similar import find, make_index

    return make_index if name == "index" else find


def _relative(path: Path) -> Path:
    """As the user would write it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _refuse_other_overrides() -> None:
    others = [text for text in HydraConfig.get().overrides.task if not text.startswith("resume=")]
    if others:
        raise UserError(
            " ".join(others), "a resumed run takes its own config", "Leave it out, or start a new run with it"
        )


def _quiet_libraries() -> None:
    """Lightning's and transformers' notices are not for the people who run these commands."""
    import logging
    import warnings

    for name in ("pytorch_lightning", "lightning", "lightning.pytorch", "transformers", "huggingface_hub"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if not os.environ.get(DEBUG):
        warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning|torch|transformers)")


def _run(main: Callable[[], None], conclude: Callable[[], None] = lambda: None) -> None:
    register_schemas()
    register_resolvers()
    # Hydra would print its own errors in several lines and exit with 1.
    os.environ.setdefault("HYDRA_FULL_ERROR", "1")
    if not sys.stderr.isatty():  # read when they are imported, by huggingface_hub and transformers
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    with one_line_errors():
        check_arguments()
        main()
        conclude()


@contextlib.contextmanager
def _mention_resume(folder: Path) -> Iterator[None]:
    """Tell who interrupts a run how to go on with it, or that it has ended."""
    try:
        yield
    except KeyboardInterrupt:
        if (folder / "metrics.json").is_file():
            leave(ExitCode.INTERRUPTED, f"interrupted. The run has ended: its results are in {folder}")
        if (folder / "config.yaml").is_file():
            leave(ExitCode.INTERRUPTED, f"interrupted. Go on with: python train.py resume={folder}")
        raise


@contextlib.contextmanager
def _no_empty_folder(folder: Path) -> Iterator[None]:
    """A run that is refused leaves none: Hydra has made its folder before anything is checked."""
    try:
        yield
    finally:
        with contextlib.suppress(OSError):  # something lies there
            for path in [folder] if folder.is_absolute() else [folder, *folder.parents]:
                path.rmdir()
