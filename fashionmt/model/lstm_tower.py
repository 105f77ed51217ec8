"""An LSTM over the title's tokens, from both ends, and the mean of its states over real ones."""

from typing import Any

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from fashionmt.batch import Batch
from fashionmt.config import TextTowerConfig
from fashionmt.model.pooling import masked_mean


class LstmTower(nn.Module):
    """Tokens to features, averaged over real tokens: float (B, `size`). A title without tokens gives zeros.

    The mean rather than the last states: every word is then as near to the features as the last one, and titles begin
    with what they are about.
    """

    def __init__(self, config: TextTowerConfig, tokens: int) -> None:
        """`tokens`: how many ids there are. Each direction has half of `config.hidden_size`."""
        super().__init__()
        self.tokens, self.size = tokens, config.hidden_size
        self.embedding = nn.Embedding(tokens, self.size)
        self.dropout = nn.Dropout(config.dropout)
        self.lstm = nn.LSTM(
            self.size,
            self.size // 2,
            config.layers,
            batch_first=True,
            bidirectional=True,
            dropout=config.dropout if config.layers > 1 else 0.0,  # it acts between layers, and torch warns of one
        )

    def forward(self, batch: Batch) -> Tensor:
        """float (B, size)."""
        mask = batch.token_mask
        # Packed, as the backward direction would read the padding first. Each packed row holds at least one token: a
        # title without any has its first padding read, then masked out.
        lengths = mask.sum(1).clamp(min=1).cpu()
        embedded = self.dropout(self.embedding(batch.token_ids))
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        states, _ = pad_packed_sequence(self.lstm(packed)[0], batch_first=True, total_length=mask.shape[1])
        return masked_mean(states, mask)

    def shape(self) -> dict[str, Any]:
        """How many ids it knows; the config tells the rest."""
        return {"tokens": self.tokens}
