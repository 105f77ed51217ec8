"""One pretraining run, from the catalogue's own picture-title pairs to a folder of two towers."""

import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning.loggers import Logger

from fashionmt.config import ContrastConfig, TrainConfig
from fashionmt.data.picture_cache import NO_ROW
from fashionmt.data.prepare import PreparedData
from fashionmt.data.splits import Split
from fashionmt.errors import UserError
from fashionmt.model import build_two_towers, save_towers
from fashionmt.training.concluding import provenance
from fashionmt.training.contrastive import MONITOR, ContrastModule, score_towers
from fashionmt.training.datamodule import CatalogueDataModule
from fashionmt.training.fitting import build_trainer, fit, load_weights
from fashionmt.training.loading import keep_data_report, load_data
from fashionmt.training.report import write_json
from fashionmt.training.run_folder import RunFolder
from fashionmt.training.seen_rows import item_marks
from fashionmt.training.tracking import Watch, tracked


@tracked
def run_pretraining(
    config: TrainConfig,
    folder: RunFolder,
    loggers: Sequence[Logger],
    resume: bool,
    data: PreparedData | None = None,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Train two towers on the training rows alone, choose the best epoch on validation, write `folder.towers`.

    Test rows are neither learned from nor looked at. `resume`, `data`, `watch`: as `run_training` has them. Returns
    what `metrics.json` holds. Raises `UserError`, and what `watch` raises.
    """
    began = time.monotonic()
    data = data or load_data(config)
    keep_data_report(data, folder, resume)
    pairs = only_pairs(data)
    module = build_contrast_module(config, pairs)
    trainer, best = build_trainer(config, folder, loggers, MONITOR, watch)
    batches = CatalogueDataModule(pairs, config.optim.batch_size, config.seed, config.augment.titles)
    if resume and folder.resume_checkpoint.is_file():
        load_weights(module, folder.resume_checkpoint)  # Lightning would refuse another version's as our fault
    fit(trainer, module, batches, folder, resume)
    if not trainer.is_global_zero:
        return {}
    load_weights(module, Path(best.best_model_path))
    device, batch_size = trainer.strategy.root_device, 4 * config.optim.batch_size
    scores = {"validation": score_towers(module.towers, pairs.dataset("validation"), device, batch_size)}
    _save(config, pairs, module, scores, folder)
    for logger in loggers:
        logger.finalize("success")
    metrics = scores | {"seconds": round(time.monotonic() - began, 1), "resumed": resume}
    write_json(folder.metrics, metrics)
    folder.resume_checkpoint.unlink(missing_ok=True)
    return metrics


def only_pairs(data: PreparedData) -> PreparedData:
    """The same, its parts without the items that lack a picture or a title. Raises `UserError` where fewer than two
    different titles are left to tell apart."""
    pictures, titles = data.items.pictures.row, data.items.titles
    parts = {}
    for name, rows in data.split.parts().items():
        parts[name] = rows[(pictures[rows] != NO_ROW) & titles.there(rows)]
        if name != "test" and len(np.unique(titles.tokens.ids[parts[name]], axis=0)) < 2:
            wrong = "fewer than two different titles of items that have a picture too"
            raise UserError(f"split {name}", wrong, "Check data.images and data.columns.title")
    return replace(data, split=Split(**parts))


def build_contrast_module(config: TrainConfig, pairs: PreparedData) -> ContrastModule:
    """Towers of random or pretrained weights. `pairs`: what `only_pairs` gave."""
    torch.manual_seed(config.seed)
    size = (config.contrast or ContrastConfig()).size
    towers = build_two_towers(config.model, size, pairs.titles.vocabulary_sizes()[0])
    return ContrastModule(towers, config.optim, config.seed, config.augment.pictures)


def _save(
    config: TrainConfig, pairs: PreparedData, module: ContrastModule, scores: dict[str, Any], folder: RunFolder
) -> None:
    """Write the towers."""
    tokenizer, text = pairs.titles.tokenizer, config.model.text
    if tokenizer is None or text is None:
        raise ValueError("no title tower")
    train = pairs.split.train
    marks = sorted(set[str]().union(*(item_marks(pairs, row) for row in train)))
    seen = config.data.name, [pairs.ids[row] for row in train], marks
    facts = {"preprocess": asdict(config.preprocess), "metrics": scores, "provenance": provenance(config, pairs)}
    # There only if a run was killed between its towers and its metrics.
    shutil.rmtree(folder.towers, ignore_errors=True)
    save_towers(module.towers, tokenizer, text.max_tokens, seen, facts, folder.towers)


def print_pretrained(config: TrainConfig, folder: RunFolder, metrics: dict[str, Any]) -> None:
    """What came of it, and how it is used."""
    found, image = metrics["validation"], config.model.image
    recall = ", ".join(f"{found[f'recall_at_{rank}']:.4f} at {rank}" for rank in (1, 10))
    name = image.name if image is not None else ""
    lines = [
        f"validation: {found['pairs']} pictures find their own among {found['titles']} titles: recall {recall}",
        f"towers: {folder.towers}",
        "use them with the same data, data.split and limit_items:",
        f"  python train.py model=clip model.clip.source={folder.towers} optim.learning_rate=5e-3",
        f"  python train.py model.image.name={name} model.image.weights={folder.towers}/image.safetensors "
        f"model.text.pretrained={folder.towers}/text optim.pretrained_learning_rate={config.optim.learning_rate:g}",
    ]
    sys.stdout.write("\n".join(lines) + "\n")
