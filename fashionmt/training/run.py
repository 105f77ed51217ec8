"""One training run, from the catalogue to the bundle."""

import json
import shutil
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from lightning_fabric.utilities.exceptions import MisconfigurationException
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import Logger
from pytorch_lightning.trainer.states import TrainerStatus
from tokenizers import Tokenizer

import fashionmt
from fashionmt.bundle import Bundle, save_bundle
from fashionmt.config import DataConfig, LossConfig, ModelConfig, TextTowerConfig, TrainConfig, TrainerConfig
from fashionmt.data import ColumnMap, NgramVocabulary, TitleEncoder, learn_tokenizer
from fashionmt.data.prepare import PreparedData, prepare_data
from fashionmt.errors import UserError
from fashionmt.model import build_tagger, check_model, clip_tokenizer, pretrained_tokenizer
from fashionmt.paths import cache_dir
from fashionmt.taxonomy import Taxonomy, learn_taxonomy
from fashionmt.training.base_module import BaseModule
from fashionmt.training.calibration import fit_decoder
from fashionmt.training.checkpoints import ResumeCheckpoint
from fashionmt.training.class_weights import Counts, class_weights
from fashionmt.training.compiling import check_compiler, compile_towers
from fashionmt.training.datamodule import CatalogueDataModule
from fashionmt.training.evaluation import Answers, collect_answers, score
from fashionmt.training.frozen_features import with_frozen_features
from fashionmt.training.interrupt import InterruptAtStep
from fashionmt.training.linear_blend import blend_linear
from fashionmt.training.logit_adjustment import choose_shifts
from fashionmt.training.loss import build_loss
from fashionmt.training.module import MONITOR, TaggerModule
from fashionmt.training.novelty import fit_novelty
from fashionmt.training.precision import choose_precision
from fashionmt.training.report import print_data, write_json
from fashionmt.training.run_folder import RunFolder
from fashionmt.training.seen_rows import refuse_seen
from fashionmt.training.silent_titles import share_silent_titles
from fashionmt.training.similarity_head import learn_similarity
from fashionmt.training.thresholds import choose_thresholds
from fashionmt.training.tracking import (
    ClassWeights,
    EpochLines,
    EpochWatch,
    ResultLogger,
    Watch,
    progress_bars,
    tracked,
)


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
    # There only if a run was killed between its bundle and its metrics.
    shutil.rmtree(folder.bundle, ignore_errors=True)
    save_bundle(bundle, folder.bundle)
    # Of this process: a resumed run says so, as the seconds before the kill are not known.
    finish(folder, bundle, loggers, {"seconds": round(time.monotonic() - began, 1), "resumed": resume})
    if config.report or results:
        # Here: what draws takes a second to load, and nobody waits for it before training.
        from fashionmt.training.report_content import show_results

        show_results(folder, config, data, bundle, answers, time.monotonic() - began, results)
    return bundle.metrics


def load_data(config: TrainConfig) -> PreparedData:
    """The catalogue, prepared for the towers that the model has."""
    learn_titles = partial(_learn_titles, config.model)
    modalities = config.model.modalities
    data = prepare_data(config.data, config.preprocess, cache_dir(), modalities, learn_titles, config.limit_items)
    refuse_seen(config.model, config.data.name, data)
    report_taxonomy(config.data, data)
    print_data(data)
    return data


def _learn_titles(config: ModelConfig, titles: Sequence[str]) -> TitleEncoder:
    """From the training titles. Called for a model that has a text tower."""
    if "text" not in config.modalities:
        return TitleEncoder(None, None)
    count = config.ngram_min_count
    ngrams = NgramVocabulary.learn(titles, count) if count is not None else None
    return TitleEncoder(_tokenizer(config, titles), ngrams)


def _tokenizer(config: ModelConfig, titles: Sequence[str]) -> Tokenizer:
    if config.clip is not None:
        return clip_tokenizer(config.clip)
    text = config.text or TextTowerConfig()
    if text.pretrained is not None:
        return pretrained_tokenizer(text.pretrained, text.max_tokens)
    return learn_tokenizer(titles, text.vocabulary_size, text.max_tokens)


def keep_data_report(data: PreparedData, folder: RunFolder, resume: bool) -> None:
    """Write the split and the report; a resumed run must have seen the same data."""
    if resume and folder.data_report.is_file():
        before = json.loads(folder.data_report.read_text())["fingerprint"]
        if before != data.fingerprint:
            wrong = "the catalogue has changed since this run began"
            raise UserError(f"resume={folder.root}", wrong, "Restore it, or start a new run")
        return
    data.split.save(folder.split, data.ids)
    parts = {name: len(rows) for name, rows in data.split.parts().items()}
    report = {
        "fingerprint": data.fingerprint,
        "items": parts,
        "findings": data.findings.to_json(),
        "label_agreement_in_families": data.agreement(),
    }
    write_json(folder.data_report, report)


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


def load_weights(module: TaggerModule, checkpoint: Path) -> None:
    """Those of a checkpoint of the same run."""
    module.load_state_dict(torch.load(checkpoint, "cpu", weights_only=True)["state_dict"])


def build_batches(config: TrainConfig, data: PreparedData) -> CatalogueDataModule:
    """The batches that the config's model learns from."""
    struck = config.model.struck_weight > 0
    return CatalogueDataModule(data, config.optim.batch_size, config.seed, config.augment.titles, struck)


def class_counts(data: PreparedData) -> dict[str, Counts]:
    """Attribute -> training items of each class that is learned, shape (C,)."""
    counts = {}
    for name, space in data.spaces.items():
        labels = data.items.labels[name][data.split.train]
        counts[name] = np.bincount(labels[(labels >= 0) & (labels < len(space))], minlength=len(space))
    return counts


def shown_weights(config: LossConfig, data: PreparedData) -> ClassWeights:
    """How often each class occurs in training, and what it weighs in the loss."""
    shown = {}
    for name, counts in class_counts(data).items():
        weights = class_weights(counts, config.class_weights, config.cap, config.beta)
        rows = zip(data.spaces[name].classes, counts, weights, strict=True)
        shown[name] = {label: (int(count), float(weight)) for label, count, weight in rows}
    return shown


def build_trainer(
    config: TrainConfig,
    folder: RunFolder,
    loggers: Sequence[Logger],
    monitor: str = MONITOR,
    watch: Watch | None = None,
) -> tuple[pl.Trainer, ModelCheckpoint]:
    """The Lightning trainer, and the callback that knows the best weights: those of the highest `monitor`."""
    options = config.trainer
    best = ModelCheckpoint(
        dirpath=folder.checkpoints,
        filename="epoch{epoch:03d}",
        monitor=monitor,
        mode="max",
        save_top_k=options.keep_checkpoints,
        save_weights_only=True,
        save_on_train_epoch_end=False,  # but at the end of validation, while the module holds the weights it scored
        auto_insert_metric_name=False,
        enable_version_counter=False,  # a resumed run writes the same epoch under the same name
    )
    bars = progress_bars()
    resume = ResumeCheckpoint(folder, options.checkpoint_seconds)
    callbacks: list[Callback] = [best, resume, EpochLines(monitor), InterruptAtStep(), *bars]
    if watch is not None:
        callbacks.append(EpochWatch(watch))
    if options.patience is not None:
        callbacks.append(EarlyStopping(monitor, patience=options.patience, mode="max"))
    try:
        trainer = pl.Trainer(
            accelerator=options.accelerator,
            devices=options.devices,
            num_nodes=options.num_nodes,
            strategy=options.strategy,
            precision=options.precision,  # type: ignore[arg-type]  # checked by TrainerConfig
            max_epochs=options.max_epochs,
            accumulate_grad_batches=options.accumulate_grad_batches,
            callbacks=callbacks,
            logger=list(loggers),
            log_every_n_steps=10,
            use_distributed_sampler=False,  # EpochBatchSampler deals to the ranks itself
            num_sanity_val_steps=0,
            enable_model_summary=False,
            enable_progress_bar=bool(bars),
            default_root_dir=folder.root,
        )
    except (MisconfigurationException, ValueError) as error:  # no such accelerator, strategy or number of devices
        raise UserError("trainer", str(error).rstrip("."), "Choose another accelerator, strategy or devices") from error
    return trainer, best


def settle(config: TrainConfig) -> TrainConfig:
    """Check the model's names, and replace the precision `auto` by what this machine does fast: both before the run's
    config is kept, so that a resumed run repeats it."""
    check_model(config.model)
    if config.trainer.compile:
        check_compiler(device_of(config.trainer))
    config.trainer.precision = choose_precision(config.trainer.precision, device_of(config.trainer))
    return config


def device_of(config: TrainerConfig) -> torch.device:
    """Where a single process computes."""
    cuda = config.accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return torch.device("cuda" if cuda else "cpu")


def fit(
    trainer: pl.Trainer,
    module: BaseModule,
    datamodule: pl.LightningDataModule,
    folder: RunFolder,
    resume: bool,
) -> None:
    """Train to the end. Ctrl-C is a KeyboardInterrupt, as everywhere; a run killed before its first checkpoint
    begins again, with the same numbers."""
    checkpoint = folder.resume_checkpoint
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(
            module,
            datamodule,
            ckpt_path=checkpoint if resume and checkpoint.is_file() else None,
            weights_only=True,
        )
    except SystemExit:
        # Lightning turns Ctrl-C into SystemExit(1) and leaves the signal ignored.
        if trainer.state.status == TrainerStatus.INTERRUPTED:
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from None
        raise


def evaluate(
    config: TrainConfig, data: PreparedData, module: TaggerModule, device: torch.device
) -> tuple[Bundle, dict[str, Answers]]:
    """The bundle (best weights; temperatures and thresholds from validation; metrics from both), and the answers of
    both parts."""
    batch_size = 4 * config.optim.batch_size
    held_out = collect_answers(module.tagger, data.dataset("validation"), device, batch_size)
    if config.model.wide is not None and config.model.wide.blend:
        blended = blend_linear(module.tagger, data, held_out.logits, held_out.labels)
        held_out = replace(held_out, logits=blended)
    if module.tagger.silent_titles is not None:
        shared = share_silent_titles(module.tagger, data, held_out.logits, device, batch_size)
        held_out = replace(held_out, logits=shared)
    shifts = choose_shifts(held_out.logits, held_out.labels, class_counts(data)) if config.loss.post_hoc else {}
    decoder = fit_decoder(held_out.logits, held_out.labels, taxonomy_of(config.data, data), shifts)
    targets = {name: attribute.target_accuracy for name, attribute in config.data.attributes.items()}
    groups = data.groups(config.data.split)[data.split.validation]
    thresholds = choose_thresholds(decoder(held_out.logits), held_out.labels, targets, config.thresholds, groups)
    novelty, found = None, dict[str, dict[str, float]]()
    if (share := config.thresholds.unknown_share) is not None:
        novelty, found = fit_novelty(module.tagger, data.dataset("validation"), device, batch_size, share)
    test = collect_answers(module.tagger, data.dataset("test"), device, batch_size)
    similarity = None
    if config.similarity is not None:
        alike = config.data.alike
        similarity = learn_similarity(module.tagger, data, alike, config.similarity, config.seed, device, batch_size)
    tagger = module.tagger.cpu().eval()
    bundle = Bundle(
        config=tagger.config,
        build=lambda: tagger,
        titles=data.titles,
        tabular=data.tabular,
        spaces=data.spaces,
        preprocess=config.preprocess,
        columns=ColumnMap.of(config.data),
        temperatures=dict(decoder.temperatures),
        metrics=score(test, data.spaces, decoder, thresholds)
        | {"validation": score(held_out, data.spaces, decoder, thresholds), "unknown": found},
        provenance=provenance(config, data),
        taxonomy=decoder.taxonomy,
        joint_temperature=decoder.joint_temperature,
        confidence_maps=decoder.confidence_maps,
        shifts={name: list(values) for name, values in decoder.shifts.items()},
        thresholds=thresholds,
        novelty=novelty,
        train_counts={name: counts.tolist() for name, counts in class_counts(data).items()},
        similarity=similarity,
    )
    return bundle, {"validation": held_out, "test": test}


def taxonomy_of(config: DataConfig, data: PreparedData) -> Taxonomy | None:
    """The combinations that the training rows hold, of the attributes that the config names; None where it names
    none. Raises `UserError` where no row is labelled in all of them."""
    if config.taxonomy is None:
        return None
    labels = {name: data.items.labels[name][data.split.train] for name in config.taxonomy}
    return learn_taxonomy(labels, {name: len(data.spaces[name]) for name in labels})


def report_taxonomy(config: DataConfig, data: PreparedData) -> None:
    """Add to the findings what the taxonomy had to guess. Before training, not after hours of it."""
    if (taxonomy := taxonomy_of(config, data)) is None:
        return
    what = f"combinations of {', '.join(taxonomy.attributes)} that no fully labelled training row holds"
    for row in taxonomy.completed:
        classes = (data.spaces[name].classes[i] for name, i in zip(taxonomy.attributes, row, strict=True))
        data.findings.add(what, "guessed, so that each of their classes can be answered", " / ".join(classes))


def provenance(config: TrainConfig, data: PreparedData) -> dict[str, Any]:
    """What was trained on, when, and with which versions: as a bundle, or a folder of towers, keeps it."""
    return {
        "data": config.data.name,
        "data_fingerprint": data.fingerprint,
        "split": f"{config.data.split.kind}, seed {config.data.split.seed}",
        "items": {name: len(rows) for name, rows in data.split.parts().items()},
        "seed": config.seed,
        "precision": config.trainer.precision,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "fashionmt": fashionmt.__version__,
        "torch": torch.__version__,
    }


def finish(folder: RunFolder, bundle: Bundle, loggers: Sequence[Logger], timing: dict[str, Any]) -> None:
    """Write the results; the run has ended."""
    for logger in loggers:
        rows = bundle.metrics["attributes"].items()
        flat = {f"test/{kind}/{name}": row[kind] for name, row in rows for kind in ("accuracy", "macro_f1")}
        logger.log_metrics(flat | {"test/exact_match": bundle.metrics["exact_match"]})
        logger.finalize("success")
    write_json(folder.metrics, bundle.metrics | timing)
    folder.resume_checkpoint.unlink(missing_ok=True)
