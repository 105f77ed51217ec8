"""One training run, from the catalogue to the bundle."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.loggers import Logger

from fashionmt.bundle import Bundle, save_bundle
from fashionmt.config import TrainConfig
from fashionmt.data.prepare import PreparedData
from fashionmt.model import build_tagger, check_model
from fashionmt.training.class_counts import class_counts, shown_weights
from fashionmt.training.compiling import check_compiler, compile_towers
from fashionmt.training.concluding import evaluate
from fashionmt.training.datamodule import CatalogueDataModule
from fashionmt.training.fitting import build_trainer, device_of, fit, load_weights
from fashionmt.training.frozen_features import with_frozen_features
from fashionmt.training.loading import keep_data_report, load_data, refuse_unlabelled
from fashionmt.training.loss import build_loss
from fashionmt.training.module import TaggerModule
from fashionmt.training.precision import choose_precision
from fashionmt.training.report import write_json
from fashionmt.training.run_folder import RunFolder
from fashionmt.training.tracking import ResultLogger, Watch, tracked


@tracked
def run_training(
    config: TrainConfig,
    folder: RunFolder,
    loggers: Sequence[Logger],
    resume: bool,
    data: PreparedData | None = None,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Train, choose the best weights on validation, calibrate on it, evaluate once on test, write the bundle.

    `resume` goes on from the folder's checkpoint. `data`: what `load_data` gave, where that is done. `watch` sees each
    epoch's figures. Returns what `metrics.json` holds. Raises `UserError`, and what `watch` raises.
    """
    began = time.monotonic()
    data = data or load_data(config)
    refuse_unlabelled(data)
    keep_data_report(data, folder, resume)
    module = build_module(config, data)
    results = [logger for logger in loggers if isinstance(logger, ResultLogger)]
    for logger in results:
        logger.log_class_weights(shown_weights(config.loss, data))
    trainer, best = build_trainer(config, folder, loggers, watch=watch)
    device = trainer.strategy.root_device
    if resume and folder.resume_checkpoint.is_file():
        # Here already: the file that a frozen tower came from may have changed since.
        load_weights(module, folder.resume_checkpoint)
    read = with_frozen_features(config, data, module.tagger, device)
    batches = build_batches(config, read)
    fit(trainer, module, batches, folder, resume)
    if not trainer.is_global_zero:
        return {}
    load_weights(module, Path(best.best_model_path))
    bundle, answers = evaluate(config, read, module, device)
    # There only if a run was stopped between its bundle and its metrics.
    shutil.rmtree(folder.bundle, ignore_errors=True)
    save_bundle(bundle, folder.bundle)
    log_scores(bundle, loggers)
    # Of this process: a resumed run says so, as the seconds before the kill are not known.
    seconds = time.monotonic() - began
    if config.report or results:
        # Here: what draws takes a second to load, and nobody waits for it before training.
        from fashionmt.training.report_content import show_results

        told = f"{seconds:,.0f}{', since it was resumed' if resume else ''}"
        show_results(folder, config, data, bundle, answers, told, results)
    # Last: a run that is stopped while its report is drawn has not ended, and goes on to it.
    write_json(folder.metrics, bundle.metrics | {"seconds": round(seconds, 1), "resumed": resume})
    folder.resume_checkpoint.unlink(missing_ok=True)
    return bundle.metrics


def build_module(config: TrainConfig, data: PreparedData) -> TaggerModule:
    """The tagger of random or pretrained weights, and the loss weighted by the training rows' classes."""
    torch.manual_seed(config.seed)
    classes = {name: len(space) for name, space in data.spaces.items()}
    tagger = build_tagger(config.model, classes, data.titles.vocabulary_sizes(), data.tabular.sizes())
    task_weights = {name: attribute.weight for name, attribute in config.data.attributes.items()}
    loss = build_loss(class_counts(data), task_weights, config.loss)
    if config.trainer.compile:
        compile_towers(tagger)
    return TaggerModule(tagger, loss, data.spaces, config.optim, config.seed, config.augment.pictures)


def build_batches(config: TrainConfig, data: PreparedData) -> CatalogueDataModule:
    """The batches that the config's model learns from."""
    struck = config.model.struck_weight > 0
    return CatalogueDataModule(data, config.optim.batch_size, config.seed, config.augment.titles, struck)


def settle(config: TrainConfig) -> TrainConfig:
    """Check the model's names, and replace the precision `auto` by what this machine does fast: both before the run's
    config is kept, so that a resumed run repeats it."""
    check_model(config.model)
    if config.trainer.compile:
        check_compiler(device_of(config.trainer))
    config.trainer.precision = choose_precision(config.trainer.precision, device_of(config.trainer))
    return config


def log_scores(bundle: Bundle, loggers: Sequence[Logger]) -> None:
    """The test's, after which nothing more is logged as a number."""
    rows = bundle.metrics["attributes"].items()
    flat = {f"test/{kind}/{name}": row[kind] for name, row in rows for kind in ("accuracy", "macro_f1")}
    flat["test/exact_match"] = bundle.metrics["exact_match"]
    for logger in loggers:
        logger.log_metrics({name: value for name, value in flat.items() if value is not None})
        logger.finalize("success")
