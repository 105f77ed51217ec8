"""The user's own data: an item at a time, opened by PIL, turned to tensors by torchvision, tokenised by transformers."""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import torch
from networks import MAX_TOKENS
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


def classes_of(rows: Iterable[Row]) -> Classes:
    """All columns but id, title and image are attributes."""
    rows = list(rows)
    return {name: sorted({row[name] for row in rows}) for name in rows[0] if name not in ("id", "title", "image")}


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
