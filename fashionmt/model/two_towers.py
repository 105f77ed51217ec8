"""Two towers that meet in one space, as CLIP's do: a picture lies near its own title.

Radford et al. 2021 (arXiv:2103.00020). B items, S the size of the space.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionmt.batch import Batch
from fashionmt.config import ModelConfig
from fashionmt.errors import UserError
from fashionmt.model.bert_tower import BertTower, build_encoder
from fashionmt.model.image_tower import ImageTower

FIRST_SCALE, LARGEST_SCALE = 1 / 0.07, 100.0
"""Of the cosines, in front of the softmax: the paper's."""


class TwoTowers(nn.Module):
    """A picture tower and a BERT, named as in a tagger, each with a linear projection."""

    def __init__(self, config: ModelConfig, image: ImageTower, text: BertTower, size: int) -> None:
        """`config`: that of the towers. `size`: S."""
        super().__init__()
        self.config, self.size = config, size
        self.image, self.text = image, text
        sizes = {"image": image.size, "text": text.size}
        self.projections = nn.ModuleDict({name: nn.Linear(width, size, bias=False) for name, width in sizes.items()})
        self.log_scale = nn.Parameter(torch.tensor(math.log(FIRST_SCALE)))

    @property
    def scale(self) -> Tensor:
        """float (), what cosines are multiplied by."""
        return self.log_scale.exp()

    @torch.no_grad()
    def clamp_scale(self) -> None:
        """Keep the scale from 1 to `LARGEST_SCALE`: beyond, training is not stable."""
        self.log_scale.clamp_(0.0, math.log(LARGEST_SCALE))

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Pictures and titles as unit vectors, float32 (B, S) each."""
        image = self.projections["image"](self.image(batch.pixels))
        text = self.projections["text"](self.text(batch))
        return F.normalize(image.float(), dim=1), F.normalize(text.float(), dim=1)


def build_two_towers(config: ModelConfig, size: int, tokens: int) -> TwoTowers:
    """Towers of random or pretrained weights. `tokens`: how many ids of them there are. Raises `UserError`."""
    if config.image is None or config.text is None or config.text.kind != "bert":
        raise UserError("model", "not a picture tower and a BERT", "Use model=image_text")
    return TwoTowers(config, ImageTower(config.image), BertTower(build_encoder(config.text, tokens)), size)
