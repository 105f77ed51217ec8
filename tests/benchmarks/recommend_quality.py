"""What a learned ranker is worth on SYNTHETIC people, beside the baselines and who knows the truth: does it learn?

    python tests/benchmarks/recommend_quality.py index=<folder> [users=3000] [seeds=0,1,2] [epochs=8]

Made-up people say nothing of real ones. For each seed, with other people and another training, prints as JSON: whether
the ranker's interval lies above those of all baselines (NDCG and MAP), its recall of new items over that of the others,
and the same training where the events are dealt to people at random, each keeping as many: nothing personal is left to
learn there, and the ranker is to be no better than popularity.
"""

import json
import logging
import sys
import tempfile
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hydra import compose, initialize_config_dir

from fashionmt.config import TrainConfig
from fashionmt.hydra_bridge import VERSION_BASE, register_resolvers, register_schemas, to_dataclass
from fashionmt.paths import conf_dir
from fashionmt.recommend.evaluation import beats, judge
from fashionmt.recommend.learned import Learned
from fashionmt.recommend.ranker_folder import load_ranker
from fashionmt.recommend.source import Source, open_source
from fashionmt.recommend.train import LEARNED, cut_parts, run_recommending
from fashionmt.recommend.trends import NUMBERS
from fashionmt.training.run import settle
from fashionmt.training.run_folder import RunFolder

METRICS = ("NDCG@10", "MAP@10")


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    warnings.filterwarnings("ignore")
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    register_schemas()
    register_resolvers()
    for seed in options.get("seeds", "0,1,2").split(","):
        config = config_of(options, int(seed))
        source = open_source(config.recommend)  # type: ignore[arg-type]
        told = summary(run(config, source)[0])
        shuffled = replace(source, events=dealt(source, int(seed)), synthetic=None)
        metrics, bare = run(config, shuffled)
        told["dealt at random"] = {name: each["metrics"]["NDCG@10"] for name, each in systems(metrics).items()}
        told["dealt at random"]["learned ranker, popularity aside"] = bare["metrics"]["NDCG@10"]
        sys.stdout.write(json.dumps({"SYNTHETIC, seed": seed} | told, indent=1) + "\n")


def config_of(options: dict[str, str], seed: int) -> TrainConfig:
    overrides = [
        "experiment=recommend",
        f"recommend.index={options['index']}",
        f"recommend.synthetic.users={options.get('users', '3000')}",
        f"recommend.synthetic.seed={seed}",
        f"seed={seed}",
        f"trainer.max_epochs={options.get('epochs', '8')}",
    ]
    with initialize_config_dir(str(conf_dir()), **VERSION_BASE):
        return settle(to_dataclass(compose("train", overrides), TrainConfig))


def run(config: TrainConfig, source: Source) -> tuple[dict[str, Any], dict[str, Any]]:
    """(its metrics; those of the ranker without its biases and what it knows of popularity)."""
    assert config.recommend is not None
    with tempfile.TemporaryDirectory() as folder:
        run_folder = RunFolder(Path(folder))
        metrics = run_recommending(config, run_folder, [], False, source)
        saved = load_ranker(run_folder.ranker, source.items)
    ranker, vectors = saved.ranker, source.items.vectors
    torch.nn.init.zeros_(ranker.own_bias)
    nothing = torch.zeros(len(vectors), len(NUMBERS))
    bare = Learned.of("", ranker, vectors, saved.own_rows(source.items), nothing)
    return metrics, judge(cut_parts(source.events, source.items, config.recommend, config.seed).test, bare)


def dealt(source: Source, seed: int) -> Any:
    """The same events at the same times, each of another person."""
    events = source.events
    users = np.random.default_rng(seed).permutation(events.user)
    return type(events).of(events.users, users, events.item, events.time)


def systems(metrics: dict[str, Any]) -> dict[str, Any]:
    return {system["name"]: system for system in metrics["systems"]}


def summary(metrics: dict[str, Any]) -> dict[str, Any]:
    found = systems(metrics)
    learned = found[LEARNED]
    baselines = [system for name, system in found.items() if name not in (LEARNED, "oracle")]
    warm, cold = (learned[side]["Recall"]["value"] for side in ("warm_items", "cold_items"))
    return {
        "beats all baselines": {metric: beats(learned, baselines, metric) for metric in METRICS},
        "cold over warm recall": cold / warm,
        "systems": {name: {metric: each["metrics"][metric] for metric in METRICS} for name, each in found.items()},
    }


if __name__ == "__main__":
    main()
