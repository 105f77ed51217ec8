"""A folder of two towers that were pretrained together: what later runs begin with, or leave as they are.

`image.safetensors` (torchvision's names), `text/` (as transformers writes and reads an encoder),
`projections.safetensors`, and `towers.json`, which says what they are and which items they have seen. No pickle, no
code.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from fashionmt.errors import UserError
from fashionmt.model.bert_tower import save_encoder
from fashionmt.model.two_towers import TwoTowers

FORMAT = 1
IMAGE, TEXT, PROJECTIONS, DESCRIPTION = "image.safetensors", "text", "projections.safetensors", "towers.json"
MAKE = "python train.py experiment=pretrain_clip"


@dataclass(frozen=True)
class TowersFolder:
    """Where they lie, and what has to be known of them."""

    root: Path
    network: str
    """Torchvision's name of the picture tower."""
    size: int
    """Of the space in which they meet."""
    max_tokens: int
    """Of a title."""
    data: str
    """The name of the catalogue that they were trained on."""
    ids: frozenset[str]
    """Of its items whose pairs they learned from."""
    marks: frozenset[str] | None
    """What these items are known by in another run; None: a version of before kept their ids alone."""

    @property
    def image(self) -> Path:
        """The picture tower's weights, for `model.image.weights`."""
        return self.root / IMAGE

    @property
    def text(self) -> Path:
        """The title tower's folder, for `model.text.pretrained`."""
        return self.root / TEXT

    def projections(self) -> dict[str, Tensor]:
        """`image` and `text`: float (size, features). Raises `UserError`."""
        try:
            stored = load_file(self.root / PROJECTIONS)
            return {name: stored[f"{name}.weight"] for name in ("image", "text")}
        except (OSError, KeyError, safetensors.SafetensorError) as error:
            raise _damaged(self.root, f"{PROJECTIONS} is missing or damaged", error) from error


def save_towers(
    towers: TwoTowers,
    tokenizer: Tokenizer,
    max_tokens: int,
    seen: tuple[str, list[str], list[str]],
    facts: Mapping[str, Any],
    folder: Path,
) -> None:
    """Write a new folder; `towers.json` last, so that its presence says that all is there.

    `max_tokens`: where `tokenizer` cuts. `seen`: the catalogue's name, and the ids and marks of the items learned from.
    `facts`: what else a person may want to know of the run.
    """
    folder.mkdir(parents=True)
    save_file(_state(towers.image.network), folder / IMAGE)
    save_encoder(towers.text.encoder, tokenizer, folder / TEXT)
    save_file(_state(towers.projections) | {"log_scale": towers.log_scale.detach().cpu()}, folder / PROJECTIONS)
    described = {
        "format": FORMAT,
        "size": towers.size,
        "image": {"network": towers.image.name, "features": towers.image.size},
        "text": {
            "features": towers.text.size,
            "max_tokens": max_tokens,
            "vocabulary": tokenizer.get_vocab_size(),
        },
        **facts,
        "trained_on": {"data": seen[0], "ids": seen[1], "marks": seen[2]},
    }
    (folder / DESCRIPTION).write_text(json.dumps(described, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read_towers(folder: Path) -> TowersFolder | None:
    """What `save_towers` wrote; None for any other folder. Raises `UserError` for a damaged one."""
    path = folder / DESCRIPTION
    if not path.is_file():
        return None
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        version, seen = stored["format"], stored["trained_on"]
        network, size, max_tokens = stored["image"]["network"], stored["size"], stored["text"]["max_tokens"]
        marks = frozenset(seen["marks"]) if "marks" in seen else None
        found = TowersFolder(folder, network, int(size), int(max_tokens), seen["data"], frozenset(seen["ids"]), marks)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(folder, f"{DESCRIPTION} is damaged", error) from error
    if version != FORMAT:
        wrong = f"towers of format {version!r}, and this fashionmt reads format {FORMAT}"
        raise UserError(str(folder), wrong, "Upgrade fashionmt, or pretrain them again")
    return found


def _damaged(folder: Path, wrong: str, error: Exception) -> UserError:
    return UserError(str(folder), f"{wrong} ({error!r:.80})", f"Copy the folder again, or make it with `{MAKE}`")


def _state(module: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().cpu().contiguous() for name, value in module.state_dict().items()}
