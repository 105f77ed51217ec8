"""A plain PyTorch loop, as a user would write it: a per-item PIL Dataset, a DataLoader, two towers, six heads.

    python tests/benchmarks/against/plain_loop.py [catalogue=<csv> images=<dir>] [items=2048] [batch=128] [epochs=2]
        [threads=2] [workers=2] [precision=32-true]

Training: the first epoch, in which caches and threads warm up, is left out, and every later one counts whole, from
asking for its first batch (so its workers' start is in it) to its last step; the median of them. Tagging: the same
Dataset in batches, softmax, argmax, a CSV; from asking for the first batch to the file closed, after two batches of
warm-up. Model and labels are in memory, as in the benchmarks of fashionmt.

The same as fashionmt's: rows, batch, picture size, towers and widths, loss of six weighted cross-entropies, AdamW,
threads, float precision. Not the same: pictures are decoded every epoch, titles padded to 32 tokens with [CLS] and
[SEP], the first of which is what the text tower gives; pictures are mirrored and no more; two workers besides the
threads; AdamW's default, not the fused one; no schedule, no gradient clipping, no calibration, thresholds or
quarantine: it does less. Prints one JSON object, memory as `watched.held` counts it.
"""

import csv
import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from item_dataset import (
    TAGGING,
    TRAINING,
    Classes,
    ItemDataset,
    Row,
    balanced_weights,
    load,
    surroundings,
    tag_columns,
)
from networks import Towers
from torch import Tensor
from torch.utils.data import DataLoader
from tqdm import tqdm
from watched import asked, watched

INPUTS = ("picture", "input_ids", "attention_mask")


def main() -> None:
    options = asked(sys.argv[1:])
    measured = measure(options) if "rows" in options else watched(Path(__file__), options)
    print(json.dumps(measured))


def measure(options: dict[str, str]) -> dict[str, object]:
    """Both rates."""
    rows, classes, tokenizer, model = load(options)
    batch, workers, half = int(options["batch"]), int(options["workers"]), options["precision"] == "bf16-mixed"
    training = DataLoader(ItemDataset(rows, classes, tokenizer, TRAINING), batch, shuffle=True, num_workers=workers)
    tagging = DataLoader(ItemDataset(rows, classes, tokenizer, TAGGING), batch, num_workers=workers)
    seconds = list(train(model, training, balanced_weights(rows, classes), int(options["epochs"]), half))
    tag(model, DataLoader(torch.utils.data.Subset(tagging.dataset, range(2 * batch)), batch), rows, classes, half)
    began = time.perf_counter()
    tag(model, tagging, rows, classes, half)
    return {
        "system": "plain PyTorch loop",
        "train_items_per_second": round(len(rows) / statistics.median(seconds[1:]), 1),
        "tag_items_per_second": round(len(rows) / (time.perf_counter() - began), 1),
        "items": len(rows),
        "batch_size": batch,
        "epochs": len(seconds),
        "workers": workers,
        **surroundings(options),
    }


def train(
    model: Towers, loader: DataLoader[dict[str, Tensor]], weights: dict[str, Tensor], epochs: int, half: bool
) -> Iterator[float]:
    """Seconds of each epoch."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4, weight_decay=0.05)
    model.train()
    for epoch in range(epochs):
        began, total = time.perf_counter(), 0.0
        for batch in (bar := tqdm(loader, f"epoch {epoch + 1}", disable=None)):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                logits = model(*(batch[name] for name in INPUTS))
                losses = [F.cross_entropy(logits[name], batch[name], weights[name]) for name in weights]
            loss = torch.stack(losses).sum()
            loss.backward()
            optimizer.step()
            total += loss.item()
            bar.set_postfix(loss=total)
        yield time.perf_counter() - began


@torch.no_grad()
def tag(
    model: Towers,
    loader: DataLoader[dict[str, Tensor]],
    rows: list[Row],
    classes: Classes,
    half: bool,
) -> None:
    """Write tags.csv: every item's id, labels and their confidences."""
    model.eval()
    with Path("tags.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(tag_columns(classes))
        done = 0
        for batch in tqdm(loader, "tagging", disable=None):
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                logits = model(*(batch[name] for name in INPUTS))
            best = {name: logits[name].float().softmax(1).max(1) for name in classes}
            for i in range(len(batch["picture"])):
                answers = [
                    cell
                    for name, found in best.items()
                    for cell in (classes[name][int(found.indices[i])], float(found.values[i]))
                ]
                writer.writerow([rows[done + i]["id"], *answers])
            done += len(batch["picture"])


if __name__ == "__main__":
    main()
