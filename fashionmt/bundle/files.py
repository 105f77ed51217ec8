"""The files of a bundle."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FORMAT = 3
WEIGHTS, DESCRIPTION, CARD = "model.safetensors", "bundle.json", "README.md"
TOKENIZER, NGRAMS, SIMILARITY = "tokenizer.json", "ngrams.safetensors", "similarity.safetensors"
FILES = (WEIGHTS, TOKENIZER, NGRAMS, SIMILARITY)


def bundle_digest(folder: Path) -> str:
    """What tells a bundle from every other: of its description, which holds the digests of its files."""
    return file_digest(folder / DESCRIPTION)


def description_digest(description: Mapping[str, Any]) -> str:
    """Of everything but the digests."""
    content = {key: value for key, value in description.items() if key != "sha256"}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
