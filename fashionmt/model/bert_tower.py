"""A BERT-family encoder over the title's tokens, and the mean of its last layer over real ones."""

from pathlib import Path
from typing import Any

import transformers
from tokenizers import Tokenizer
from torch import Tensor, nn

from fashionmt.batch import Batch
from fashionmt.config import TextTowerConfig
from fashionmt.errors import UserError
from fashionmt.model.pooling import attended, masked_mean
from fashionmt.model.pretrained import PretrainedSource, shape_alone

WITH_POOLER = ("albert", "bert", "camembert", "mpnet", "roberta", "xlm-roberta")
FAMILY = (*WITH_POOLER, "distilbert", "electra")
"""Encoders that transformers itself implements and that read token ids and a mask alone."""
NUMBERED_AFTER_PADDING = ("camembert", "mpnet", "roberta", "xlm-roberta")
"""Those whose first token has the position after the padding token's id."""


class BertTower(nn.Module):
    """Tokens to features, averaged over real tokens: float (B, `size`). A title without tokens gives zeros."""

    def __init__(self, encoder: Any) -> None:
        """`encoder`: a transformers encoder, as `build_encoder` or `encoder_from_config` makes it."""
        super().__init__()
        self.encoder = encoder
        self.size: int = encoder.config.hidden_size

    def forward(self, batch: Batch) -> Tensor:
        """float (B, size)."""
        mask = attended(batch.token_mask).long()
        states = self.encoder(input_ids=batch.token_ids, attention_mask=mask).last_hidden_state
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
    """The tokenizer of a pretrained encoder, cutting at `max_tokens`. Raises `UserError`, also where the encoder reads
    fewer."""
    source = _source(name)
    positions = _positions(_config(source))
    if max_tokens > positions:
        wrong = f"{name} reads at most {positions} tokens"
        raise UserError(f"model.text.max_tokens={max_tokens}", wrong, f"Set it to {positions} or less")
    return source.tokenizer(max_tokens)


def save_encoder(encoder: Any, tokenizer: Tokenizer, folder: Path) -> None:
    """Write a folder that `model.text.pretrained` reads: config.json, model.safetensors, tokenizer.json."""
    encoder.save_pretrained(folder)
    # By its plain class: a BertTokenizer would add [CLS] and [SEP], which the encoder may never have seen.
    plain: Any = transformers.PreTrainedTokenizerFast
    plain(tokenizer_object=tokenizer).save_pretrained(folder)


def _pretrained_encoder(name: str) -> Any:
    source = _source(name)
    return source.load_whole(transformers.AutoModel, **_without_pooler(_config(source).model_type))


def _config(source: PretrainedSource) -> Any:
    """Of an encoder. Raises `UserError` for one of another family."""
    config = source.load(transformers.AutoConfig)
    if config.model_type not in FAMILY:
        raise source.refusal(f"an encoder of the family {config.model_type!r}", f"Use one of {', '.join(FAMILY)}")
    return config


def _positions(config: Any) -> int:
    """How many tokens an encoder of this config can read."""
    before = config.pad_token_id + 1 if config.model_type in NUMBERED_AFTER_PADDING else 0
    return int(config.max_position_embeddings) - before


def _source(name: str) -> PretrainedSource:
    repair = "Go online, name a local folder with config.json, tokenizer.json and model.safetensors, or set it to null"
    return PretrainedSource("model.text.pretrained", name, repair)


def _without_pooler(family: str) -> dict[str, bool]:
    """The pooler reads one token; the tower averages over all, so its weights would only lie there."""
    return {"add_pooling_layer": False} if family in WITH_POOLER else {}


def encoder_from_config(stored: dict[str, Any]) -> Any:
    """An encoder of the shape that `encoder.config.to_dict()` described. Raises ValueError for an unknown family."""
    family = stored.get("model_type")
    if family not in FAMILY:
        raise ValueError(f"text encoder of the family {family!r}")
    config = transformers.AutoConfig.for_model(**shape_alone(stored))
    from_config: Any = transformers.AutoModel.from_config
    return from_config(config, trust_remote_code=False, **_without_pooler(family))
