"""One row of the benchmark: a system is trained or fitted, answers under every view that it can read, and is scored.

A row is a folder. One that holds its figures is skipped, a run that was killed goes on where it stopped, a row that
fails says why in its folder, and after each row the table of them all is written anew.
"""

import contextlib
import json
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import torch

import fashionmt
from fashionmt.benchmark.baselines import Classifier, fit_baseline, read_items
from fashionmt.benchmark.folder import FORMAT, RowFolder, read_result
from fashionmt.benchmark.metrics import Answers, score_view
from fashionmt.benchmark.predictions import ITEM, Answered, Tabulator, save_predictions
from fashionmt.benchmark.recipe import differences, recipe
from fashionmt.benchmark.table import write_tables
from fashionmt.benchmark.views import view_items, view_rows, view_titles, views_of
from fashionmt.bootstrap import LEVEL
from fashionmt.bundle import Bundle, read_bundle
from fashionmt.config import BenchmarkConfig, TrainConfig
from fashionmt.data import CatalogueDataset
from fashionmt.data.prepare import PreparedData
from fashionmt.decoding import Decoded
from fashionmt.errors import RowFailedError, UserError, exit_code, failure_reason
from fashionmt.hydra_bridge import build_loggers, from_yaml, to_yaml
from fashionmt.training.answers import collect_answers
from fashionmt.training.fitting import device_of
from fashionmt.training.loading import keep_data_report, load_data
from fashionmt.training.report import write_json
from fashionmt.training.run import run_training, settle


class OtherRowError(UserError):
    """The folder holds the row at other settings, and keeps it."""


@dataclass(frozen=True)
class Scored:
    """A system's answers under every view, and what they took."""

    predictions: pd.DataFrame
    seconds: dict[str, float]
    """View -> of answering."""
    thresholds: dict[str, Any] | None
    """The system's of whole items, as `metrics.Answers` has them."""


def run_row(config: TrainConfig) -> str:
    """Do what is left to do of a row; says what that was. Raises `UserError`."""
    folder = RowFolder.of(config.benchmark, config.seed)
    if config.resume is not None:
        raise UserError("resume", "a row of the benchmark goes on by itself", "Leave it out")
    config = _claim(config, folder)
    if folder.result.is_file():
        return f"{folder.name}: done before, {'counted anew' if _counted_anew(config, folder) else 'skipped'}"
    began = time.monotonic()
    result = _fit_and_score(config, folder)
    if result is None:  # a process that only helps another to train
        return ""
    write_json(folder.result, result)
    return f"{folder.name}: done in {time.monotonic() - began:.0f} s"


@contextlib.contextmanager
def row_recorded(benchmark: BenchmarkConfig, seed: int) -> Iterator[None]:
    """The table follows the row inside; where it fails, its folder says why, and `RowFailedError` is raised."""
    folder = RowFolder.of(benchmark, seed)
    try:
        yield
        folder.failure.unlink(missing_ok=True)
    except Exception as error:
        reason = failure_reason(error)
        if not isinstance(error, OtherRowError):
            folder.root.mkdir(parents=True, exist_ok=True)
            write_json(folder.failure, {"row": folder.name, "reason": reason})
        with contextlib.suppress(Exception):  # this row's own error is the one to tell
            write_tables(folder.root.parent)
        raise RowFailedError(str(folder.root.parent), folder.name, reason, exit_code(error)) from error
    write_tables(folder.root.parent)


def _counted_anew(config: TrainConfig, folder: RowFolder) -> bool:
    """Whether a finished row is called, or its answers are counted, otherwise than now, and was written anew."""
    result = read_result(folder)
    wanted = result | _called(config.benchmark, result["views"])
    draws, without = config.benchmark.draws, config.benchmark.without
    first = next(iter(result["views"].values()))
    counted, known = first["exact_match_without"]["without"], set(first["attributes"])
    if result["interval"]["draws"] != draws or set(counted) != known & set(without):
        if not folder.predictions.is_file():
            wrong = "its answers are gone, and cannot be counted with other benchmark.draws or benchmark.without"
            raise OtherRowError(str(folder.root), wrong, "Leave these as they were, or remove the folder")
        wanted["interval"] = result["interval"] | {"draws": draws}
        wanted["views"] = _views(pd.read_parquet(folder.predictions), result["thresholds"], config.benchmark)
    if wanted == result:
        return False
    write_json(folder.result, wanted)
    return True


def _called(benchmark: BenchmarkConfig, views: Mapping[str, Any]) -> dict[str, Any]:
    """What the table calls a row, and shows of it."""
    attributes = next(iter(views.values()))["attributes"]
    named = [name for name in benchmark.named if name in attributes]
    return {"system": benchmark.system, "reference": benchmark.reference, "named": named}


def _views(predictions: pd.DataFrame, thresholds: dict[str, Any] | None, benchmark: BenchmarkConfig) -> dict[str, Any]:
    """View -> its figures."""
    return {
        str(view): score_view([Answers(table, thresholds)], benchmark.without, benchmark.draws)
        for view, table in predictions.groupby("view", sort=False)
    }


def _claim(config: TrainConfig, folder: RowFolder) -> TrainConfig:
    """The row's config: as kept in its folder, where anything is begun there, or as asked for and kept there now."""
    if not folder.begun:
        folder.run.clear()
        config = settle(config)
        folder.run.claim(to_yaml(config))
        return config
    kept = from_yaml(folder.run.config)
    if other := differences(kept, config):
        wrong = f"holds this row with another {', '.join(other[:3])}"
        raise OtherRowError(str(folder.root), wrong, "Name another benchmark.folder, or remove it")
    kept.benchmark = config.benchmark
    return kept


def _fit_and_score(config: TrainConfig, folder: RowFolder) -> dict[str, Any] | None:
    benchmark = config.benchmark
    data = load_data(config)
    tabulator = Tabulator(data, config.data.split, benchmark.together)
    if benchmark.baseline is not None:
        keep_data_report(data, folder.run, resume=False)
        began = time.monotonic()
        classifiers = fit_baseline(benchmark.baseline, data, config.seed)
        training: dict[str, Any] = {"training": round(time.monotonic() - began, 1), "resumed": False}
        reads: tuple[str, ...] = (
            ("text", "tabular") if data.tabular.columns and benchmark.baseline == "linear" else ("text",)
        )
        scored = _score_baseline(classifiers, data, reads, tabulator)
    else:
        training = _train(config, folder, data)
        if not folder.run.metrics.is_file():
            return None
        keep_data_report(data, folder.run, resume=True)
        bundle = read_bundle(folder.run.bundle)
        reads = tuple(bundle.modalities)
        scored = _score_tagger(bundle, data, tabulator, config)
    save_predictions(scored.predictions, folder.predictions)
    return _describe(config, folder, data, reads) | {
        "seconds": training | {"evaluation": round(sum(scored.seconds.values()), 1)},
        "thresholds": scored.thresholds,
        "views": _views(scored.predictions, scored.thresholds, benchmark),
    }


def _train(config: TrainConfig, folder: RowFolder, data: PreparedData) -> dict[str, Any]:
    """Train, or go on, or see that it is done; the seconds it took."""
    run = folder.run
    if not run.metrics.is_file():
        run_training(config, run, build_loggers(config.logger, run.root), run.resume_checkpoint.is_file(), data)
    metrics = json.loads(run.metrics.read_text(encoding="utf-8")) if run.metrics.is_file() else {}
    return {"training": metrics.get("seconds", 0.0), "resumed": metrics.get("resumed", False)}


def _score_baseline(
    classifiers: Mapping[str, Classifier], data: PreparedData, reads: Collection[str], tabulator: Tabulator
) -> Scored:
    tables, seconds = [], {}
    for view in views_of(reads):
        if view == "title" and "tabular" in reads:
            continue  # a baseline has not learned to do without
        if not len(rows := view_rows(data, view)):
            continue
        began = time.monotonic()
        shown = read_items(data, view_titles(data, view), rows)
        answered = Answered({name: model.predict(shown) for name, model in classifiers.items()}, None, None)
        seconds[view] = time.monotonic() - began
        tables.append(tabulator.tabulate(view, answered))
    return Scored(pd.concat(tables, ignore_index=True), seconds, None)


def _score_tagger(bundle: Bundle, data: PreparedData, tabulator: Tabulator, config: TrainConfig) -> Scored:
    device = device_of(config.trainer)
    tables, seconds = [], {}
    for view in views_of(bundle.modalities):
        if not len(rows := view_rows(data, view)):
            continue
        began = time.monotonic()
        dataset = CatalogueDataset(view_items(data, view, bundle.titles), rows)
        answers = collect_answers(bundle.tagger, dataset, device, 4 * config.optim.batch_size)
        decoded = bundle.decoders(answers.logits, answers.views)
        seconds[view] = time.monotonic() - began
        tables.append(tabulator.tabulate(view, _answered(decoded, decides=bundle.decoder.thresholds is not None)))
    thresholds = None if bundle.decoder.thresholds is None else asdict(bundle.decoder.thresholds)
    return Scored(pd.concat(tables, ignore_index=True), seconds, thresholds)


def _answered(decoded: Decoded, decides: bool) -> Answered:
    classes = {name: value.numpy() for name, value in decoded.answers.items()}
    confidence = {name: value.numpy() for name, value in decoded.confidence.items()}
    accepted = {name: value.numpy() for name, value in decoded.accepted.items()} | {ITEM: decoded.item_accepted.numpy()}
    return Answered(classes, confidence | {ITEM: decoded.item_confidence.numpy()}, accepted if decides else None)


def _describe(config: TrainConfig, folder: RowFolder, data: PreparedData, reads: tuple[str, ...]) -> dict[str, Any]:
    """What a reader must know to make a figure of it."""
    benchmark, split = config.benchmark, config.data.split
    trained = benchmark.baseline is None
    return {
        "format": FORMAT,
        "row": folder.name,
        "system": benchmark.system,
        "baseline": benchmark.baseline,
        "reference": benchmark.reference,
        "reads": list(reads),
        "data": config.data.name,
        "data_fingerprint": data.fingerprint,
        "items_fingerprint": data.items_fingerprint,
        "recipe": recipe(config),
        "split": asdict(split),
        "size": {
            **{name: len(rows) for name, rows in data.split.parts().items()},
            "limit_items": config.limit_items,
            "epochs": config.trainer.max_epochs if trained else None,
        },
        "seed": config.seed,
        "named": [name for name in benchmark.named if name in data.spaces],
        "interval": {
            "level": LEVEL,
            "draws": benchmark.draws,
            "drawn": "blocks" if split.kind == "block" else "families",
        },
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "fashionmt": fashionmt.__version__,
        "torch": torch.__version__,
    }
