"""A BERT-family encoder over the title's tokens, and the mean of its last layer over real ones."""

from pathlib import Path
from typing import Any

import safetensors
import torch
import transformers
from tokenizers import Tokenizer
from torch import Tensor, nn

from fashionmt.batch import Batch
from fashionmt.config import TextTowerConfig
from fashionmt.errors import UserError
from fashionmt.model.pooling import masked_mean

WITH_POOLER = ("albert", "bert", "camembert", "mpnet", "roberta", "xlm-roberta")
FAMILY = (*WITH_POOLER, "distilbert", "electra")
"""Encoders that transformers itself implements and that read token ids and a mask alone."""


class BertTower(nn.Module):
    """Tokens to features, averaged over real tokens: float (B, `size`). A title without tokens gives zeros."""

    def __init__(self, encoder: Any) -> None:
        """`encoder`: a transformers encoder, as `build_encoder` or `encoder_from_config` makes it."""
        super().__init__()
        self.encoder = encoder
        self.size: int = encoder.config.hidden_size

    def forward(self, batch: Batch) -> Tensor:
        """float (B, size)."""
        # A row with no real token would attend to nothing and give NaN; its first padding is read, then masked out.
        attended = batch.token_mask.clone()
        attended[:, 0] = True
        states = self.encoder(input_ids=batch.token_ids, attention_mask=attended.long()).last_hidden_state
        return masked_mean(states, batch.token_mask)

    def shape(self) -> dict[str, Any]:
        """The encoder's config, which tells its family and sizes, pretrained or not."""
        stored: dict[str, Any] = self.encoder.config.to_dict()
        return stored


def build_encoder(config: TextTowerConfig, vocabulary: int) -> Any:
    """A BERT of random weights and the sizes in `config`, or the pretrained encoder it names."""
    if config.pretrained is not None:
        return _pretrained_encoder(config.pretrained)
    sizes = transformers.BertConfig(
        vocab_size=vocabulary,
        hidden_size=config.hidden_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        intermediate_size=4 * config.hidden_size,
        max_position_embeddings=config.max_tokens,
        hidden_dropout_prob=config.dropout,
        attention_probs_dropout_prob=config.dropout,
    )
    return transformers.BertModel(sizes, add_pooling_layer=False)


def pretrained_tokenizer(name: str, max_tokens: int) -> Tokenizer:
    """The tokenizer of a pretrained encoder, cutting at `max_tokens`. Raises `UserError`."""
    loaded = _from_pretrained(transformers.AutoTokenizer, name)
    tokenizer: Tokenizer = loaded.backend_tokenizer
    if set(tokenizer.get_vocab()) <= set(loaded.all_special_tokens):
        # What transformers makes up where no tokenizer file lies: every word would be unknown.
        raise UserError(f"model.text.pretrained={name}", "holds no tokenizer", "Add its tokenizer.json")
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _pretrained_encoder(name: str) -> Any:
    family = _from_pretrained(transformers.AutoConfig, name).model_type
    if family not in FAMILY:
        wrong = f"an encoder of the family {family!r}"
        raise UserError(f"model.text.pretrained={name}", wrong, f"Use one of {', '.join(FAMILY)}")
    # float32: transformers would keep the file's own type, and half precision does not train.
    options = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
    encoder, found = _from_pretrained(transformers.AutoModel, name, **options, **_without_pooler(family))
    if found["missing_keys"]:
        wrong = f"its weights lack {min(found['missing_keys'])}, which would start random"
        raise UserError(f"model.text.pretrained={name}", wrong, "Complete its model.safetensors")
    return encoder


def _from_pretrained(kind: Any, name: str, **options: Any) -> Any:
    """From a local folder or the hub: no code of theirs is run."""
    try:
        return kind.from_pretrained(name, local_files_only=Path(name).is_dir(), trust_remote_code=False, **options)
    except (OSError, ValueError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
        raise UserError(
            f"model.text.pretrained={name}",
            f"could not be loaded ({str(error).partition(chr(10))[0]})",
            "Go online, name a local folder with config.json, tokenizer.json and model.safetensors, or set it to null",
        ) from error


def _without_pooler(family: str) -> dict[str, bool]:
    """The pooler reads one token; the tower averages over all, so its weights would only lie there."""
    return {"add_pooling_layer": False} if family in WITH_POOLER else {}


def encoder_from_config(stored: dict[str, Any]) -> Any:
    """An encoder of the shape that `encoder.config.to_dict()` described. Raises ValueError for an unknown family."""
    family = stored.get("model_type")
    if family not in FAMILY:
        raise ValueError(f"text encoder of the family {family!r}")
    config = transformers.AutoConfig.for_model(**stored)
    from_config: Any = transformers.AutoModel.from_config
    return from_config(config, trust_remote_code=False, **_without_pooler(family))
