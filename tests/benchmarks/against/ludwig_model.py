"""Ludwig's side of `ludwig_towers.py`, run by the interpreter of the environment that has Ludwig: it imports nothing of
ours. Prints one JSON object as its last line."""

import contextlib
import importlib.metadata
import json
import logging
import statistics
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from ludwig.api import LudwigModel
from ludwig.callbacks import Callback

TOWERS = ("image", "title")
PICTURES = {
    "own": {
        # Ludwig's own ResNet, the one that takes pictures of any size; so set, torchvision's ResNet-18 but for the
        # order of norm and addition in a block.
        "encoder": {
            "type": "_resnet_legacy",
            "resnet_size": 18,
            "out_channels": 64,
            "kernel_size": 7,
            "conv_stride": 2,
            "first_pool_kernel_size": 3,
            "first_pool_stride": 2,
            "num_fc_layers": 1,
            "output_size": 512,
        },
        "preprocessing": {"height": 80, "width": 60, "num_channels": 3, "standardize_image": "imagenet1k"},
    },
    # Whatever `preprocessing` says, its pictures become 224 x 224.
    "torchvision": {"encoder": {"type": "resnet", "model_variant": 18, "use_pretrained": False, "trainable": True}},
}
"""How the picture is read."""
FLIP = {"augmentation": [{"type": "random_horizontal_flip"}]}


class Clock(Callback):  # type: ignore[misc]
    """Seconds of preprocessing, and of each epoch from its start to the end of its last step."""

    def __init__(self) -> None:
        self.preprocessing, self.epochs = 0.0, []
        self.began = self.stepped = 0.0

    def on_preprocess_start(self, *_: object, **__: object) -> None:
        self.began = time.perf_counter()

    def on_preprocess_end(self, *_: object, **__: object) -> None:
        self.preprocessing = time.perf_counter() - self.began

    def on_epoch_start(self, *_: object, **__: object) -> None:
        self.began = time.perf_counter()

    def on_batch_end(self, *_: object, **__: object) -> None:
        self.stepped = time.perf_counter()

    def on_epoch_end(self, *_: object, **__: object) -> None:
        self.epochs.append(self.stepped - self.began)


def config(options: dict[str, str], attributes: list[str], vocabulary: int) -> dict[str, Any]:
    """The towers, sizes and optimiser of `plain_loop.py`, as Ludwig's config says them."""
    bert = {
        "type": "bert",
        "use_pretrained": False,
        "pretrained_model_name_or_path": options["tokenizer"],  # for its tokenizer alone
        "trainable": True,
        "vocab_size": vocabulary,
        "hidden_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 512,
        "max_position_embeddings": 32,
    }
    return {
        "input_features": [
            {"name": "image", "type": "image", **PICTURES[options["image_encoder"]], **FLIP},
            {"name": "title", "type": "text", "encoder": bert, "preprocessing": {"max_sequence_length": 32}},
        ],
        "combiner": {"type": "concat", "num_fc_layers": 1, "output_size": 512, "dropout": 0.2},
        "output_features": [{"name": name, "type": "category"} for name in attributes],
        "trainer": {
            "batch_size": int(options["batch"]),
            "eval_batch_size": int(options["batch"]),
            "epochs": int(options["epochs"]),
            "optimizer": {"type": "adamw", "weight_decay": 0.05},
            "learning_rate": 5e-4,
            "early_stop": -1,
            "skip_all_evaluation": True,
        },
    }


def measure(options: dict[str, str]) -> dict[str, object]:
    """Both rates."""
    rows = pd.read_csv(options["rows"], dtype=str, keep_default_na=False)
    attributes = [name for name in rows.columns if name not in ("id", *TOWERS)]
    vocabulary = len((Path(options["tokenizer"]) / "vocab.txt").read_text(encoding="utf-8").splitlines())
    batch, clock = int(options["batch"]), Clock()
    said = config(options, attributes, vocabulary)
    model = LudwigModel(said, logging_level=logging.ERROR, backend="local", callbacks=[clock])
    model.train(training_set=rows, skip_save_progress=True, skip_save_log=True, skip_save_processed_input=True)
    asked = rows[[*TOWERS]]
    model.predict(dataset=asked.head(2 * batch), batch_size=batch)
    began = time.perf_counter()
    model.predict(dataset=asked, batch_size=batch, skip_save_predictions=False, output_directory="tags")
    tagging = time.perf_counter() - began
    own = options["image_encoder"] == "own"
    return {
        "system": "Ludwig",
        "train_items_per_second": round(len(rows) / statistics.median(clock.epochs[1:]), 1),
        "tag_items_per_second": round(len(rows) / tagging, 1),
        "preprocess_seconds": round(clock.preprocessing, 2),
        "items": len(rows),
        "batch_size": batch,
        "epochs": len(clock.epochs),
        "threads": torch.get_num_threads(),
        "precision": options["precision"],
        "image_encoder": "Ludwig's own ResNet-18, 80x60" if own else "torchvision's ResNet-18, 224x224",
        "text_encoder": "bert",
        "parameters": {
            name: sum(weights.numel() for weights in feature.parameters())
            for name, feature in zip(TOWERS, _towers(model), strict=True)
        },
        "versions": {
            name: importlib.metadata.version(name) for name in ("ludwig", "torch", "torchvision", "transformers")
        },
    }


def _towers(model: Any) -> list[torch.nn.Module]:
    return [model.model.input_features.get(name) for name in TOWERS]


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    # OMP_NUM_THREADS says how many threads. Ludwig prints tables and bars to stdout, and pandas a warning a column.
    warnings.simplefilter("ignore")
    with contextlib.redirect_stdout(sys.stderr):
        measured = measure(options)
    print(json.dumps(measured))


if __name__ == "__main__":
    main()
