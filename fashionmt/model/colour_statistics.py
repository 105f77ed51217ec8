"""Colour statistics of what a picture shows: a soft histogram, a mean and a spread over CIE Lab, and their projection.

Nothing is learned but the projection. A mirrored picture has the same statistics, to the last bit: a picture is read as
its left half and its mirrored right half, each is summed by itself, and the two sums are added. B pictures; h x w
pixels that are looked at in each half.
"""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

# IEC 61966-2-1: linear sRGB to CIE XYZ.
RGB_TO_XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))
BINS = ((0.0, 100.0, 4), (-50.0, 75.0, 6), (-60.0, 90.0, 6))
"""Of L, a and b: (lowest knot, highest knot, knots). Grey lies on a knot of a and of b; the few colours of sRGB beyond
the last knot (pure blue: b = -108) count there."""
SIZE = math.prod(count for _, _, count in BINS) + 6
SAMPLES = 600
"""About so many pixels of a picture are looked at, on a grid. Averages of more would mix neighbouring colours."""
NEAR, FAR = 4.0, 16.0
"""Distances from the background (CIE 1976): a pixel at NEAR counts for nothing, one from FAR on wholly."""
MIN_SHARE = 0.01
"""Of the picture: where less stands out, all of it counts."""


class ColourBranch(nn.Module):
    """Pictures to a learned projection of their colour statistics: uint8 (B, H, W, 3) -> float (B, `size`)."""

    def __init__(self, size: int = 64) -> None:
        super().__init__()
        self.size = size
        self.projection = nn.Sequential(nn.Linear(SIZE, size), nn.LayerNorm(size), nn.GELU())

    def forward(self, pixels: Tensor) -> Tensor:
        """See above."""
        projected: Tensor = self.projection(colour_statistics(pixels))
        return projected


def colour_statistics(pixels: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) -> float32 (B, SIZE): the foreground's histogram, mean and standard deviation.

    The background is the median colour of the border. The histogram is over L x a x b, sums to 1, and shares each
    pixel linearly among the nearest knots; mean and deviation are of L, a and b, in hundredths.
    """
    # Under bfloat16 the histogram would have two digits.
    with torch.no_grad(), torch.autocast(pixels.device.type, enabled=False):
        halves = [_lab(half) for half in _halves(pixels)]
        pairs = list(zip(halves, _foreground(halves), strict=True))
        mean = _total((lab * weight).sum(dim=(-2, -1)) for lab, weight in pairs)
        apart = [((lab - _per_pixel(mean)).square_(), weight) for lab, weight in pairs]
        variance = _total((square * weight).sum(dim=(-2, -1)) for square, weight in apart)
        histogram = _total(_histogram(lab, weight) for lab, weight in pairs)
        return torch.cat([histogram, mean.T / 100, variance.sqrt().T / 100], dim=1)


def _halves(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """uint8 (B, H, W, 3) to (3, B, h, w) twice: every so many pixels from the left edge, and from the right one."""
    height, width = pixels.shape[1:3]
    step = max(1, round(math.sqrt(height * width / SAMPLES)))
    planes = pixels.permute(3, 0, 1, 2)[..., ::step, :]
    half = slice(0, math.ceil(width / 2), step)
    return planes[..., half], planes.flip(-1)[..., half]


def _lab(rgb: Tensor) -> Tensor:
    """sRGB, uint8 (3, ...), to float32 L*, a*, b* (CIE 15:2004, 8.2.1), the white being sRGB's own, D65."""
    srgb = torch.arange(256, device=rgb.device) / 255
    light = torch.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = light.index_select(0, rgb.flatten().int()).view(3, -1)
    matrix = torch.tensor(RGB_TO_XYZ, device=rgb.device)
    xyz = (matrix / matrix.sum(dim=1, keepdim=True)) @ linear
    x, y, z = torch.where(xyz > (6 / 29) ** 3, xyz.pow(1 / 3), xyz * ((29 / 6) ** 2 / 3) + 4 / 29)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)]).view(rgb.shape)


def _foreground(halves: Sequence[Tensor]) -> list[Tensor]:
    """(3, B, h, w) to (B, h, w), twice: how far a pixel is from the background; a picture's weights sum to 1."""
    border = [edge for lab in halves for edge in (lab[..., 0, :], lab[..., -1, :], lab[..., 0])]
    ordered = torch.cat(border, dim=-1).sort(dim=-1).values
    background = ordered[..., (ordered.shape[-1] - 1) // 2]  # the lower median: ONNX has sorting, and no median
    distances = [(lab - _per_pixel(background)).square_().sum(dim=0).sqrt_() for lab in halves]
    weights = [((distance - NEAR) / (FAR - NEAR)).clamp_(0, 1) for distance in distances]
    total, count = _total(weight.sum(dim=(-2, -1)) for weight in weights), 2 * weights[0][0].numel()
    stands_out = total >= MIN_SHARE * count
    total = torch.where(stands_out, total, count)
    return [torch.where(_per_pixel(stands_out), weight, 1.0) / _per_pixel(total) for weight in weights]


def _histogram(lab: Tensor, weight: Tensor) -> Tensor:
    """(3, B, h, w) and (B, h, w) to (B, L x a x b)."""
    lightness, a, b = (_memberships(axis.flatten(1), *bins) for axis, bins in zip(lab, BINS, strict=True))
    lightness *= weight.flatten(1).unsqueeze(1)
    both = (lightness.unsqueeze(2) * a.unsqueeze(1)).flatten(1, 2)  # (B, L x a, pixels)
    return (both @ b.transpose(1, 2)).flatten(1)


def _memberships(values: Tensor, low: float, high: float, count: int) -> Tensor:
    """(B, pixels) to (B, count, pixels): 1 at a knot, falling in a line to 0 at the next; they sum to 1."""
    place = ((values - low) * ((count - 1) / (high - low))).clamp_(0, count - 1)
    knots = torch.arange(count, device=values.device).unsqueeze(1)
    return (place.unsqueeze(1) - knots).abs_().neg_().add_(1).clamp_(min=0)


def _total(halves: Iterable[Tensor]) -> Tensor:
    """Over whole pictures, from the sums over their halves."""
    left, right = halves
    return left + right


def _per_pixel(values: Tensor) -> Tensor:
    """(..., B) to (..., B, 1, 1): one value for all pixels of a picture."""
    return values[..., None, None]
