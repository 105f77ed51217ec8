"""The user's own model: torchvision's ResNet-18 and transformers' BERT, features side by side, six linear heads.

The sizes are those of `model=image_text` with `bert_small`: ResNet-18 from random weights, BERT of 2 layers, 4 heads
and width 128, a hidden layer of 512.
"""

from collections.abc import Mapping

import torch
import torchvision
from torch import Tensor, nn
from transformers import BertConfig, BertModel

MAX_TOKENS = 32


class Towers(nn.Module):
    """Pictures float (B, 3, H, W) and tokens int (B, T) to the logits of every attribute."""

    def __init__(self, vocabulary: int, classes: Mapping[str, int]) -> None:
        """`classes`: attribute -> how many it has."""
        super().__init__()
        self.picture = torchvision.models.resnet18(weights=None)
        self.picture.fc = nn.Identity()
        sizes = BertConfig(
            vocab_size=vocabulary,
            hidden_size=128,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=512,
            max_position_embeddings=MAX_TOKENS,
        )
        self.title = BertModel(sizes, add_pooling_layer=False)
        self.hidden = nn.Sequential(nn.Linear(512 + 128, 512), nn.ReLU(), nn.Dropout(0.2))
        self.heads = nn.ModuleDict({name: nn.Linear(512, count) for name, count in classes.items()})

    def forward(self, picture: Tensor, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        """Attribute -> float (B, C)."""
        states = self.title(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        joined = self.hidden(torch.cat([self.picture(picture), states[:, 0]], dim=1))
        return {name: head(joined) for name, head in self.heads.items()}
