"""The user's own data: an item at a time, opened by PIL, made a tensor by torchvision, tokenised by transformers."""

import csv
from collections import Counter
from pathlib import Path

import torch
import torchvision
import transformers
from networks import MAX_TOKENS, Towers
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import transforms
from transformers import BertTokenizerFast

SIZE = (80, 60)
"""Height and width of a picture."""
IMAGENET = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
TRAINING = transforms.Compose(
    [
        transforms.Resize(SIZE),
        transforms.RandomHorizontalFlip(),
        transforms.ToTensor(),
        transforms.Normalize(*IMAGENET),
    ]
)
TAGGING = transforms.Compose([transforms.Resize(SIZE), transforms.ToTensor(), transforms.Normalize(*IMAGENET)])

Row = dict[str, str]
Classes = dict[str, list[str]]
"""Attribute -> its classes in the order of the logits."""


def read_rows(path: Path) -> list[Row]:
    """id, title, image and labels."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def classes_of(rows: list[Row]) -> Classes:
    """All columns but id, title and image are attributes."""
    return {name: sorted({row[name] for row in rows}) for name in rows[0] if name not in ("id", "title", "image")}


def load(options: dict[str, str]) -> tuple[list[Row], Classes, BertTokenizerFast, Towers]:
    """The rows, their classes, the tokenizer and a model of random weights; torch set to as many threads as asked."""
    torch.set_num_threads(int(options["threads"]))
    rows = read_rows(Path(options["rows"]))
    classes = classes_of(rows)
    tokenizer = BertTokenizerFast.from_pretrained(options["tokenizer"])
    return rows, classes, tokenizer, Towers(len(tokenizer), {name: len(found) for name, found in classes.items()})


def surroundings(options: dict[str, str]) -> dict[str, object]:
    """What a measurement was made with."""
    return {
        "threads": torch.get_num_threads(),
        "precision": options["precision"],
        "versions": {module.__name__: module.__version__ for module in (torch, torchvision, transformers)},
    }


def tag_columns(classes: Classes) -> list[str]:
    """Of tags.csv: the id, and of each attribute the label and its confidence."""
    return ["id", *(column for name in classes for column in (name, f"{name}_confidence"))]


def balanced_weights(rows: list[Row], classes: Classes) -> dict[str, Tensor]:
    """scikit-learn's "balanced": n / (K n_c)."""
    counts = {name: Counter(row[name] for row in rows) for name in classes}
    return {
        name: torch.tensor([len(rows) / (len(found) * counts[name][label]) for label in found])
        for name, found in classes.items()
    }


class ItemDataset(Dataset[dict[str, Tensor]]):
    """Row by row: picture float (3, H, W), input_ids and attention_mask int (MAX_TOKENS,), a label an attribute."""

    def __init__(
        self, rows: list[Row], classes: Classes, tokenizer: BertTokenizerFast, transform: transforms.Compose
    ) -> None:
        self.rows, self.tokenizer, self.transform = rows, tokenizer, transform
        self.index = {name: {label: i for i, label in enumerate(found)} for name, found in classes.items()}

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, i: int) -> dict[str, Tensor]:
        row = self.rows[i]
        picture = self.transform(Image.open(row["image"]).convert("RGB"))
        title = self.tokenizer(
            row["title"], padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        return {
            "picture": picture,
            "input_ids": title["input_ids"][0],
            "attention_mask": title["attention_mask"][0],
            **{name: torch.tensor(index[row[name]]) for name, index in self.index.items()},
        }
