"""The image tower: a torchvision classifier without its last layer, and colour statistics beside it."""

import math
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionmt.config import ImageTowerConfig
from fashionmt.model.colour_statistics import SIZE, ColourBranch, colour_statistics
from fashionmt.model.frozen import FrozenPart
from fashionmt.model.image_networks import build_network, check_network, check_weights, frozen_modules, network_input


class ImageTower(nn.Module):
    """Pictures to features, pooled over positions, with `colour_statistics` followed by their projection.

    Shape: uint8 (B, H, W, 3) -> float (B, `size`).
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: ImageTowerConfig, load_weights: bool = True) -> None:
        """`load_weights` False builds the shape only, for a bundle whose own weights follow."""
        super().__init__()
        self.name, self.starts_trained = config.name, config.starts_trained
        self.network, size = build_network(config, load_weights)
        self.trained = config.train != "none"
        # Measured on CPU cores at 80x60, bf16: ResNets 10 to 25 % faster than in the default layout, Inception 15 %,
        # VGG and EfficientNet 5 %.
        self.network.to(memory_format=torch.channels_last)
        self.input = network_input(config.name)
        self.register_buffer("mean", torch.tensor(self.input.mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(self.input.std).view(1, 3, 1, 1) * 255, persistent=False)
        self.colour = ColourBranch() if config.colour_statistics else None
        self.size = size + (self.colour.size if self.colour is not None else 0)
        self._frozen = frozen_modules(self.network, config)
        for module in self._frozen:
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)
        self.train()

    def forward(self, pixels: Tensor, frozen: Tensor | None = None) -> Tensor:
        """uint8 (B, H, W, 3) -> float (B, size). `frozen`: what the frozen part makes of these pictures, which are then
        not looked at."""
        if frozen is not None:
            return self._after_frozen(frozen)
        features = self._network_features(pixels)
        return features if self.colour is None else torch.cat([features, self.colour(pixels)], dim=1)

    def frozen_part(self) -> FrozenPart | None:
        """Of a tower whose network is frozen as a whole: its features and, as they are not learned either, the colour
        statistics; float32 (B, network's features + statistics)."""
        if self.trained:
            return None
        shape = {"tower": "network", "name": self.name, "colour_statistics": self.colour is not None}
        return FrozenPart(self.network, shape, lambda batch: self._before_trained(batch.pixels))

    def _before_trained(self, pixels: Tensor) -> Tensor:
        features = self._network_features(pixels)
        return features if self.colour is None else torch.cat([features, colour_statistics(pixels)], dim=1)

    def _after_frozen(self, frozen: Tensor) -> Tensor:
        if self.colour is None:
            return frozen
        features, statistics = torch.split(frozen, [frozen.shape[1] - SIZE, SIZE], dim=1)
        return torch.cat([features, self.colour.projection(statistics)], dim=1)

    def _network_features(self, pixels: Tensor) -> Tensor:
        normalised = (pixels.permute(0, 3, 1, 2) - self.mean) / self.std
        features: Tensor = self.network(self._large_enough(normalised))
        return features

    def train(self, mode: bool = True) -> Self:
        """As `nn.Module.train`, but what is frozen stays in evaluation mode: a batch norm would go on learning."""
        super().train(mode)
        for module in self._frozen:
            module.training = False
        return self

    def new_parameters(self) -> list[nn.Parameter]:
        """Those that start from random numbers, and so take the higher learning rate."""
        if not self.starts_trained:
            return list(self.parameters())
        return list(self.colour.parameters()) if self.colour is not None else []

    def _large_enough(self, pictures: Tensor) -> Tensor:
        """Float (B, 3, H, W) enlarged to what the network takes.

        Not padded: filters learned on large pictures see large things, and no border is made up. A network of one
        size alone gets the picture stretched to it.
        """
        height, width = pictures.shape[2:]
        side = self.input.side
        if self.input.exact:
            size = (side, side)
        else:
            scale = max(1.0, side / height, side / width)
            size = (math.ceil(height * scale), math.ceil(width * scale))
        if size == (height, width):
            return pictures
        return F.interpolate(pictures, size, mode="bilinear", antialias=True)


def check_image_tower(config: ImageTowerConfig) -> None:
    """Raise `UserError` for a network that torchvision does not have, and for weights whose file is not there."""
    check_network(config.name)
    check_weights(config)
