"""Training pictures varied as tensor operations on the batch: each item its own draw, no label changed."""

import math

import torch
from torch import Tensor

from fashionmt.config import PictureVariationConfig


def vary_pictures(pixels: Tensor, config: PictureVariationConfig) -> Tensor:
    """Flip, turn, zoom and shift each picture, edges repeated; then change its brightness and contrast.

    Args:
        pixels: uint8 (B, H, W, 3).

    Returns:
        The same shape and dtype. Draws come from torch's global generator of the CPU.
    """
    count, height, width, _ = pixels.shape
    row, column = _source(count, height, width, config)
    items = torch.arange(count, device=pixels.device)[:, None, None]
    moved = pixels[items, row.to(pixels.device), column.to(pixels.device)]
    if config.brightness or config.contrast:
        return _lit(moved, config)
    return moved


def _source(count: int, height: int, width: int, config: PictureVariationConfig) -> tuple[Tensor, Tensor]:
    """The row and the column that each output position is read from: int64 (B, H, W) each."""
    zoom = 1 + _between(count, config.zoom)
    angle = _between(count, math.radians(config.rotate))
    down, across = _between(count, config.shift * height), _between(count, config.shift * width)
    mirror = torch.where(torch.rand(count, 1, 1) < config.flip, -1.0, 1.0)
    middle_row, middle_column = (height - 1) / 2, (width - 1) / 2
    y = (torch.arange(height) - middle_row)[:, None] * zoom
    x = (torch.arange(width) - middle_column) * zoom * mirror
    row = y * angle.cos() - x * angle.sin() + middle_row + down
    column = y * angle.sin() + x * angle.cos() + middle_column + across
    return row.round().clamp(0, height - 1).long(), column.round().clamp(0, width - 1).long()


def _lit(pixels: Tensor, config: PictureVariationConfig) -> Tensor:
    """Lighter or darker by one draw for all channels, so that a grey stays grey."""
    count = len(pixels)
    gain = (1 + _between(count, config.contrast)).to(pixels.device)[..., None]
    offset = _between(count, 255 * config.brightness).to(pixels.device)[..., None]
    values = pixels.float()
    mean = values.mean(dim=(1, 2, 3), keepdim=True)
    lit: Tensor = ((values - mean) * gain + mean + offset).round().clamp(0, 255).to(torch.uint8)
    return lit


def _between(count: int, limit: float) -> Tensor:
    """Uniform in [-limit, limit], float (B, 1, 1)."""
    return (torch.rand(count, 1, 1) * 2 - 1) * limit
