"""The text tower: a BERT-family encoder and the mean of its last layer over real tokens."""

from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer
from torch import Tensor, nn

from fashionmt.config import TextTowerConfig
from fashionmt.errors import UserError

FAMILY = ("albert", "bert", "camembert", "distilbert", "electra", "mpnet", "roberta", "xlm-roberta")
"""Encoders that transformers itself implements and that read token ids and a mask alone."""


class TextTower(nn.Module):
    """Token ids to features, averaged over real tokens.

    Shape: int64 (B, T), bool (B, T) -> float (B, `size`). A title without tokens gives zeros.
    """

    def __init__(self, encoder: Any) -> None:
        """`encoder`: a transformers encoder, as `build_encoder` or `encoder_from_config` makes it."""
        super().__init__()
        self.encoder = encoder
        self.size: int = encoder.config.hidden_size

    def forward(self, token_ids: Tensor, token_mask: Tensor) -> Tensor:
        """int64 (B, T), bool (B, T) -> float (B, size)."""
        # A row with no real token would attend to nothing and give NaN; its first padding is read, then masked out.
        attended = token_mask.clone()
        attended[:, 0] = True
        hidden = self.encoder(input_ids=token_ids, attention_mask=attended.long()).last_hidden_state
        weight = token_mask.unsqueeze(-1).to(hidden.dtype)
        mean: Tensor = (hidden * weight).sum(1) / weight.sum(1).clamp(min=1)
        return mean


def build_encoder(config: TextTowerConfig, vocabulary: int) -> Any:
    """A BERT of random weights and the sizes in `config`, or the pretrained encoder it names."""
    if config.pretrained is not None:
        return _pretrained(config.pretrained, transformers.AutoModel)
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
    """The tokenizer of a pretrained encoder, cutting at `max_tokens`."""
    tokenizer = _pretrained(name, transformers.AutoTokenizer).backend_tokenizer
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def _pretrained(name: str, kind: Any) -> Any:
    """From a local folder or the hub: no code of theirs, and no pickle."""
    safe = {"trust_remote_code": False}
    if kind is transformers.AutoModel:
        safe |= {"use_safetensors": True, "add_pooling_layer": False}
    try:
        return kind.from_pretrained(name, local_files_only=Path(name).is_dir(), **safe)
    except (OSError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(
            f"model.text.pretrained={name}",
            f"could not be loaded ({reason})",
            "Go online, name a local folder with config.json, tokenizer.json and model.safetensors, or set it to null",
        ) from error


def encoder_from_config(stored: dict[str, Any]) -> Any:
    """An encoder of the shape that `encoder.config.to_dict()` described. Raises ValueError for an unknown family."""
    kind = stored.get("model_type")
    if kind not in FAMILY:
        raise ValueError(f"text encoder of the family {kind!r}")
    config = transformers.AutoConfig.for_model(kind, **{k: v for k, v in stored.items() if k != "model_type"})
    with torch.device("cpu"):
        return transformers.AutoModel.from_config(config, trust_remote_code=False, add_pooling_layer=False)
