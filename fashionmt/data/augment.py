"""Training pictures varied as tensor operations on the batch: each item its own draw, colours untouched."""

import torch
from torch import Tensor

MAX_SHIFT = 0.06  # of the picture's side
MAX_ZOOM = 0.10


def augment(pixels: Tensor) -> Tensor:
    """Flip, shift and zoom each picture, edges repeated.

    Args:
        pixels: uint8 (B, H, W, 3).

    Returns:
        The same shape and dtype. Draws come from torch's global generator of the CPU.
    """
    count, height, width, _ = pixels.shape
    zoom = 1 + (torch.rand(count, 1) * 2 - 1) * MAX_ZOOM
    rows = _source_index(height, zoom)
    columns = _source_index(width, zoom)
    flipped = torch.rand(count, 1) < 0.5
    columns = torch.where(flipped, columns.flip(1), columns)
    items = torch.arange(count)[:, None, None]
    where = pixels.device
    return pixels[items.to(where), rows[:, :, None].to(where), columns[:, None, :].to(where)]


def _source_index(size: int, zoom: Tensor) -> Tensor:
    """Where each output position is read from along one side: int64 (B, size)."""
    shift = (torch.rand_like(zoom) * 2 - 1) * MAX_SHIFT * size
    centre = (size - 1) / 2
    source = (torch.arange(size) - centre) * zoom + centre + shift
    return source.round().clamp(0, size - 1).long()
