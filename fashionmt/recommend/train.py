"""One training run of a ranker, from interactions to its folder and the table of baselines."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pytorch_lightning.loggers import Logger
from torch import Tensor
from tqdm import tqdm

import fashionmt
from fashionmt.config import RankerConfig, TrainConfig
from fashionmt.errors import UserError
from fashionmt.recommend.baselines import HistoryContent, choose_settings, counting_baselines
from fashionmt.recommend.evaluation import Question, judge, quick_ndcg, sample_users
from fashionmt.recommend.interactions import Interactions
from fashionmt.recommend.items import Items
from fashionmt.recommend.learned import Learned
from fashionmt.recommend.new_items import choose_raise, raise_new
from fashionmt.recommend.oracle import Oracle
from fashionmt.recommend.people import Scorer
from fashionmt.recommend.ranker import Ranker, RankerSizes
from fashionmt.recommend.ranker_folder import Popularity, SavedRanker, save_ranker
from fashionmt.recommend.ranker_module import MONITOR, RankerData, RankerModule
from fashionmt.recommend.report import date_text, print_events, report_of
from fashionmt.recommend.samples import RankerSamples
from fashionmt.recommend.source import Source, open_source, write_synthetic
from fashionmt.recommend.split import TimeSplit, before, choose_cuts, targets_between
from fashionmt.recommend.trends import RECENT_WEEKS, WEEK, trends_at
from fashionmt.storage import publish
from fashionmt.training.fitting import build_trainer, fit
from fashionmt.training.report import write_json
from fashionmt.training.run_folder import RunFolder
from fashionmt.training.tracking import Watch, tracked

VALIDATION_USERS = 2000
"""At most so many are ranked for at the end of each epoch."""
LEARNED = "learned ranker"


@dataclass(frozen=True, eq=False)
class Parts:
    """What is learned from, chosen on and judged on."""

    split: TimeSplit
    training: Interactions
    validation: Question
    test: Question


@tracked
def run_recommending(
    config: TrainConfig,
    folder: RunFolder,
    loggers: Sequence[Logger],
    resume: bool,
    data: Source | None = None,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Train a ranker, choose the best epoch on validation, judge it once on test beside the baselines, write
    `folder.ranker`. With too few users to learn from the mean of the history is kept.

    `resume`, `watch`: as `run_training` has them. `data`: what is learned from, where it is open. Returns what
    `metrics.json` holds. Raises `UserError`, and what `watch` raises.
    """
    began = time.monotonic()
    options = config.recommend or RankerConfig()
    source = data or open_source(options)
    _keep_report(source, folder, resume)
    parts = cut_parts(source.events, source.items, options, config.seed)
    print_events(source, parts.split, parts.test.targets)
    ranker, own_rows, learned = _learn(config, options, source, parts, folder, loggers, resume, watch)
    systems = [*_baselines(source, parts, options), _scorer(LEARNED, ranker, own_rows, parts.test)]
    if source.synthetic is not None:
        systems.append(Oracle(source.synthetic))
    metrics = _judge(systems, parts.test) | {
        "synthetic": source.synthetic is not None,
        "learned": learned,
        "k": options.k,
        "users": len(parts.test.users),
        "new_users_left_out": parts.test.targets.new_users,
        "cuts": {name: date_text(cut) for name, cut in vars(parts.split).items()},
    }
    _save(source, parts, ranker, own_rows, learned, folder.ranker)
    for logger in loggers:
        logger.finalize("success")
    metrics |= {"seconds": round(time.monotonic() - began, 1), "resumed": resume}
    publish(folder.root / "report.md", report_of(metrics).encode())
    write_json(folder.metrics, metrics)
    folder.resume_checkpoint.unlink(missing_ok=True)
    return metrics


def _keep_report(source: Source, folder: RunFolder, resume: bool) -> None:
    """What was found; a resumed run must have seen the same events."""
    if resume and folder.data_report.is_file():
        if json.loads(folder.data_report.read_text())["fingerprint"] != source.fingerprint:
            wrong = "the interactions, or the index, have changed since this run began"
            raise UserError(f"resume={folder.root}", wrong, "Restore them, or start a new run")
        return
    report = {
        "fingerprint": source.fingerprint,
        "index": str(source.index),
        "items": len(source.items),
        "users": len(source.events.users),
        "events": len(source.events.user),
        "synthetic": source.synthetic is not None,
        "findings": source.findings.to_json(),
    }
    write_json(folder.data_report, report)
    if source.synthetic is not None:
        write_synthetic(source.events, source.items, folder.root / "synthetic_interactions.csv")


def cut_parts(events: Interactions, items: Items, options: RankerConfig, seed: int) -> Parts:
    """Raises `UserError` where a part would be empty."""
    cuts = options.validation_from, options.test_from, options.validation_share, options.test_share
    split = choose_cuts(events, *cuts)
    questions = []
    for begin, end, most in (
        (split.validation, split.test, min(VALIDATION_USERS, options.evaluated_users)),
        (split.test, np.inf, options.evaluated_users),
    ):
        targets = sample_users(targets_between(events, begin, end), most, seed)
        if not len(targets.users):
            wrong = f"nobody with a history took something new from {date_text(begin)} on"
            raise UserError("recommend.interactions", wrong, "Choose other dates, recommend.test_from=<date>")
        questions.append(Question(items, before(events, begin), targets, options.k, options.history, options.draws))
    return Parts(split, before(events, split.validation), *questions)


def _learn(
    config: TrainConfig,
    options: RankerConfig,
    source: Source,
    parts: Parts,
    folder: RunFolder,
    loggers: Sequence[Logger],
    resume: bool,
    watch: Watch | None,
) -> tuple[Ranker, Tensor, bool]:
    """(the ranker, the rows of the items that have something of their own, whether it is other than the mean)."""
    own_rows = torch.from_numpy(np.unique(parts.training.item))
    own = len(own_rows) if options.id_residual != "none" else 0
    size = source.items.vectors.shape[1]
    sizes = RankerSizes(size, options.history, options.heads, options.hidden, own, options.id_residual == "vector")
    torch.manual_seed(config.seed)
    ranker = Ranker(sizes)
    samples = RankerSamples(parts.training, source.items, options.history, options.most_targets)
    users = len(np.unique(samples.events.user[samples.places]))
    if users < max(2, options.min_users):
        sys.stderr.write(
            f"{users} users to learn from, fewer than recommend.min_users={options.min_users}: nothing is learned, "
            "the mean of the history ranks\n"
        )
        return ranker, own_rows[:own], False
    module = RankerModule(ranker, parts.validation, own_rows[:own], samples.trends, options, config.optim, config.seed)
    untrained = quick_ndcg(parts.validation, _scorer(LEARNED, ranker, own_rows[:own], parts.validation))
    trainer, best = build_trainer(config, folder, loggers, MONITOR, watch)
    fit(trainer, module, RankerData(samples, parts.validation, config.optim.batch_size, config.seed), folder, resume)
    if float(best.best_model_score or 0) <= untrained:
        sys.stderr.write("no epoch ranks validation better than the mean of the history: that is kept\n")
        torch.manual_seed(config.seed)
        return Ranker(sizes), own_rows[:own], False
    module.load_state_dict(torch.load(best.best_model_path, "cpu", weights_only=True)["state_dict"])
    if options.new_share is not None:
        scorer = _scorer(LEARNED, ranker, own_rows[:own], parts.validation)
        if (chosen := choose_raise(scorer, parts.validation, options.new_share)) is not None:
            raise_new(ranker.trend, chosen.raised)
            sys.stderr.write(
                f"new items raised by {chosen.raised:g}: validation finds {chosen.cold_recall:.3f} of them and "
                f"{chosen.warm_recall:.3f} of the others, NDCG {chosen.ndcg:.4f} instead of {chosen.ndcg_before:.4f}\n"
            )
    return ranker.cpu(), own_rows[:own], True


def _scorer(name: str, ranker: Ranker, own_rows: Tensor, question: Question) -> Learned:
    items = question.items
    numbers = trends_at(question.past, len(items), question.targets.time)
    return Learned.of(name, ranker, items.vectors, own_rows, numbers)


def _baselines(source: Source, parts: Parts, options: RankerConfig) -> list[Scorer]:
    """Fitted on all that came before test; their settings chosen on validation, as the ranker's epoch is."""
    items, past, cut = source.items, parts.test.past, parts.split.test
    gender = options.synthetic.gender
    found: list[Scorer] = [*counting_baselines(past, items, cut, options, gender)]
    found += choose_settings(parts.validation, past, options.ease_items)
    found += [HistoryContent(f"{pooling} of history", items.vectors, pooling) for pooling in ("last", "mean", "max")]
    return found


def _judge(systems: Sequence[Scorer], question: Question) -> dict[str, Any]:
    """Everything about every system."""
    bar = tqdm(systems, desc="judging", unit=" systems", disable=None, leave=False)
    return {"systems": [judge(question, system) for system in bar]}


def _save(source: Source, parts: Parts, ranker: Ranker, own_rows: Tensor, learned: bool, folder: Path) -> None:
    items, everything = source.items, before(source.events, np.inf)
    numbers = trends_at(everything, len(items), float(everything.time.max()))
    rows = torch.from_numpy(np.unique(everything.item))
    recent = everything.kept(everything.time >= everything.time.max() - RECENT_WEEKS * WEEK)
    lately, ever = (np.bincount(events.item, minlength=len(items)) for events in (recent, everything))
    counts = torch.from_numpy(lately + ever / (ever.sum() + 1)).float()
    popularity = Popularity([items.ids[row] for row in rows.tolist()], numbers[rows], counts[rows])
    facts = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "fashionmt": fashionmt.__version__,
        "index": str(source.index),
        "learned_until": date_text(parts.split.validation),
        "fingerprint": source.fingerprint,
    }
    own_ids = [items.ids[row] for row in own_rows.tolist()]
    synthetic = source.synthetic is not None
    save_ranker(SavedRanker(ranker, own_ids, popularity, items.bundle, learned, synthetic, facts), folder)
