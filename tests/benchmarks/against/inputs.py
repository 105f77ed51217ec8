"""What every system beside fashionmt reads: the same rows as a sound CSV, and one BERT tokenizer in a folder.

    python tests/benchmarks/against/inputs.py folder=<new dir> [catalogue=<csv> images=<dir>] [items=2048]

`rows.csv` holds the first `items` rows that have a title, a picture and all six labels, read and repaired by
fashionmt's own reader: a CSV with unquoted commas in its titles stops the others. `tokenizer/` holds a WordPiece
vocabulary of at most 8,000, learned from these titles as fashionmt learns its own; nothing is downloaded. Without a
catalogue it is the sample's 1,200 rows. Fewer rows than asked are used again and again, under ids of their own.
"""

import csv
import sys
from itertools import cycle, islice
from pathlib import Path

from tokenizers import BertWordPieceTokenizer
from transformers import BertTokenizerFast

from fashionmt.data.catalogue import CatalogueReader, ColumnMap
from fashionmt.data.sample import sample_catalogue
from fashionmt.paths import cache_dir

ATTRIBUTES = ("articleType", "baseColour", "gender", "masterCategory", "subCategory", "season")
COLUMNS = ColumnMap("id", "productDisplayName", None, "{id}.jpg", ("", "NA"))
VOCABULARY, MAX_TOKENS = 8000, 32


def whole_rows(catalogue: Path, images: Path) -> list[dict[str, str]]:
    """id, title, image and the six labels of each row that has them all."""
    found = []
    for row, item in CatalogueReader(catalogue, images, COLUMNS).rows():
        labels = {name: row.values[name] for name in ATTRIBUTES}
        if item.title and all(labels.values()) and item.picture is not None and item.picture.is_file():
            found.append({"id": item.id, "title": item.title, "image": str(item.picture), **labels})
    return found


def write_rows(path: Path, rows: list[dict[str, str]], items: int) -> None:
    """Exactly `items` rows; the second time round an id has `-1` behind it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "title", "image", *ATTRIBUTES])
        writer.writeheader()
        for i, row in enumerate(islice(cycle(rows), items)):
            again = i // len(rows)
            writer.writerow(row | {"id": f"{row['id']}-{again}" if again else row["id"]})


def write_tokenizer(folder: Path, titles: list[str]) -> None:
    """A BERT tokenizer as `transformers` reads it from a folder, with the config of an encoder beside it, by which
    `AutoTokenizer` knows what it is."""
    learned = BertWordPieceTokenizer(lowercase=True)
    learned.train_from_iterator(titles, vocab_size=VOCABULARY, min_frequency=2, show_progress=False)
    folder.mkdir()
    learned.save_model(str(folder))
    tokenizer = BertTokenizerFast.from_pretrained(str(folder), model_max_length=MAX_TOKENS)
    tokenizer.save_pretrained(str(folder))
    (folder / "config.json").write_text('{"model_type": "bert"}')


def main() -> None:
    options = dict(argument.split("=", 1) for argument in sys.argv[1:])
    if "catalogue" in options:
        rows = whole_rows(Path(options["catalogue"]), Path(options["images"]))
    else:
        drawn = sample_catalogue(cache_dir())
        rows = whole_rows(drawn.catalogue, drawn.images)
    items, folder = int(options.get("items", "2048")), Path(options["folder"])
    folder.mkdir(exist_ok=True)
    write_rows(folder / "rows.csv", rows, items)
    write_tokenizer(folder / "tokenizer", [row["title"] for row in rows[:items]])


if __name__ == "__main__":
    main()
