"""Models and tokenizers that somebody trained: from a local folder or the hub, safetensors only, no code of theirs."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
import transformers
from tokenizers import Tokenizer

from fashionmt.errors import UserError


@dataclass(frozen=True)
class PretrainedSource:
    """Where it lies, and what to tell a user who cannot have it."""

    option: str
    """The dotted key that names it."""
    name: str
    """A hub name or a local folder."""
    repair: str

    def refusal(self, wrong: str, repair: str | None = None) -> UserError:
        """What to raise. `repair`: in place of the source's own."""
        return UserError(f"{self.option}={self.name}", wrong, repair or self.repair)

    def load(self, kind: Any, **options: Any) -> Any:
        """By the class `kind` of transformers. Raises `UserError`."""
        folder = Path(self.name).is_dir()
        try:
            return kind.from_pretrained(self.name, local_files_only=folder, trust_remote_code=False, **options)
        except (OSError, ValueError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
            raise self.refusal(f"could not be loaded ({str(error).partition(chr(10))[0]})") from error

    def load_whole(self, kind: Any, **options: Any) -> Any:
        """A model in float32, with every weight. Raises `UserError`."""
        # float32: transformers would keep the file's own type, and half precision does not train.
        kept = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
        model, found = self.load(kind, **kept, **options)
        if found["missing_keys"]:
            wrong = f"its weights lack {min(found['missing_keys'])}, which would start random"
            raise self.refusal(wrong, "Complete its model.safetensors")
        return model

    def tokenizer(self, max_tokens: int) -> Tokenizer:
        """Its tokenizer, cutting at `max_tokens`. Raises `UserError`."""
        loaded = self.load(transformers.AutoTokenizer)
        tokenizer: Tokenizer = loaded.backend_tokenizer
        if set(tokenizer.get_vocab()) <= set(loaded.all_special_tokens):
            # What transformers makes up where no tokenizer file lies: every word would be unknown.
            raise self.refusal("holds no tokenizer", "Add its tokenizer.json")
        tokenizer.no_padding()
        tokenizer.enable_truncation(max_tokens)
        return tokenizer


def shape_alone(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A model's stored config less its choices of an implementation: one may name a kernel of the hub, which
    transformers would fetch and run."""
    return {name: value for name, value in stored.items() if "implementation" not in name}
