"""Tagging with the calls of `transformers` and `torchvision`, one item at a time, as their own examples show it.

    python tests/benchmarks/against/per_item.py [catalogue=<csv> images=<dir>] [items=2048] [threads=2]
        [precision=32-true]

Each item: PIL opens its picture, torchvision's transforms and the tokenizer make a batch of one, the model of
`networks.py` answers, softmax, a row of a CSV. From the first item to the file closed, after eight of warm-up; the
model is in memory, its weights are random, which costs the same.

The same as fashionmt's: rows, picture size, towers and widths, threads, float precision. Not the same: titles are not
padded, which is less work; batches hold one item; no calibration, thresholds or quarantine. Prints one JSON object.
"""

import csv
import json
import sys
import time
from pathlib import Path

import torch
from item_dataset import TAGGING, Classes, Row, load, surroundings, tag_columns
from networks import MAX_TOKENS, Towers
from PIL import Image
from tqdm import tqdm
from transformers import BertTokenizerFast
from watched import asked, watched


def main() -> None:
    options = asked(sys.argv[1:])
    measured = measure(options) if "rows" in options else watched(Path(__file__), options)
    print(json.dumps(measured))


def measure(options: dict[str, str]) -> dict[str, object]:
    """The rate of tagging; nothing is trained one item at a time."""
    rows, classes, tokenizer, model = load(options)
    half = options["precision"] == "bf16-mixed"
    tag(model, tokenizer, rows[:8], classes, half)
    began = time.perf_counter()
    tag(model, tokenizer, rows, classes, half)
    return {
        "system": "transformers and torchvision, one item at a time",
        "train_items_per_second": None,
        "tag_items_per_second": round(len(rows) / (time.perf_counter() - began), 1),
        "items": len(rows),
        "batch_size": 1,
        **surroundings(options),
    }


@torch.no_grad()
def tag(
    model: Towers,
    tokenizer: BertTokenizerFast,
    rows: list[Row],
    classes: Classes,
    half: bool,
) -> None:
    """Write tags.csv: every item's id, labels and their confidences."""
    model.eval()
    with Path("tags.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, tag_columns(classes))
        writer.writeheader()
        for row in tqdm(rows, "tagging", disable=None):
            picture = TAGGING(Image.open(row["image"]).convert("RGB")).unsqueeze(0)
            title = tokenizer(row["title"], truncation=True, max_length=MAX_TOKENS, return_tensors="pt")
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                logits = model(picture, title["input_ids"], title["attention_mask"])
            answer: dict[str, object] = {"id": row["id"]}
            for name, found in logits.items():
                confidence, best = found[0].float().softmax(0).max(0)
                answer |= {name: classes[name][int(best)], f"{name}_confidence": float(confidence)}
            writer.writerow(answer)


if __name__ == "__main__":
    main()
