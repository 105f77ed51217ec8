"""What caching a frozen tower's features gains: training throughput from the cache against the tower in every step.

    python tests/benchmarks/frozen_towers.py [model=image_text] [network=resnet18] [repeats=5] [epochs=2]

The sample, nothing varied, a network of random weights, both ways in turns in one process; of each turn the last
epoch's items a second, whose ratio is the median of the turns'. Prints one JSON object.
"""

import json
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import torch
import torchvision
from hydra import compose, initialize_config_dir
from safetensors.torch import save_file

from fashionmt.config import TrainConfig
from fashionmt.hydra_bridge import VERSION_BASE, register_resolvers, register_schemas, to_dataclass
from fashionmt.paths import conf_dir
from fashionmt.training.fitting import build_trainer, fit
from fashionmt.training.frozen_features import with_frozen_features
from fashionmt.training.loading import load_data
from fashionmt.training.run import build_batches, build_module
from fashionmt.training.run_folder import RunFolder

DEFAULTS = {"model": "image_text", "network": "resnet18", "repeats": "5", "epochs": "2"}


def main() -> None:
    options = DEFAULTS | dict(argument.split("=", 1) for argument in sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        weights = Path(folder) / "network.safetensors"
        save_file(torchvision.models.get_model(options["network"]).state_dict(), weights)
        rates = throughput(configured(options, weights), int(options["repeats"]))
    ratios = [a / b for a, b in zip(rates["cached"], rates["computed"], strict=True)]
    print(
        json.dumps(
            {
                "items_per_second": {name: round(statistics.median(found), 1) for name, found in rates.items()},
                "cached_of_computed": round(statistics.median(ratios), 2),
                **options,
                "threads": torch.get_num_threads(),
                "torch": torch.__version__,
                "machine": platform.machine(),
            }
        )
    )


def configured(options: Mapping[str, str], weights: Path) -> TrainConfig:
    """The run whose image network is frozen."""
    register_schemas()
    register_resolvers()
    image = [f"model.image.name={options['network']}", f"model.image.weights={weights}", "model.image.train=none"]
    still = [f"augment.pictures.{name}=0" for name in ("flip", "shift", "zoom")]
    size = ["trainer.precision=32-true", f"trainer.max_epochs={options['epochs']}"]
    with initialize_config_dir(str(conf_dir()), **VERSION_BASE):
        return to_dataclass(compose("train", [f"model={options['model']}", *image, *still, *size]), TrainConfig)


def throughput(config: TrainConfig, repeats: int) -> dict[str, list[float]]:
    """`cached` and `computed` -> items per second of each repeat: the last epoch's, as the first is slower."""
    rates: dict[str, list[float]] = {"cached": [], "computed": []}
    data = load_data(config)
    for turn in range(repeats):
        for name in sorted(rates, reverse=turn % 2 == 1):
            folder = RunFolder(Path(f"{name}-{turn}"))
            folder.root.mkdir()
            seen: list[float] = []

            def watch(epoch: int, metrics: Mapping[str, float], seen: list[float] = seen) -> None:
                seen.append(metrics["items_per_second"])

            trainer, _ = build_trainer(config, folder, [], watch=watch)
            module = build_module(config, data)
            device = trainer.strategy.root_device
            read = with_frozen_features(config, data, module.tagger, device) if name == "cached" else data
            fit(trainer, module, build_batches(config, read), folder, resume=False)
            rates[name].append(seen[-1])
    return rates


if __name__ == "__main__":
    main()
