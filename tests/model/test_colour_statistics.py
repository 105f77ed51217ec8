"""Colour statistics are those of a pixel-by-pixel reading in Lab; a mirrored picture has the same, to the last bit."""

import itertools

import numpy as np
import pytest
import torch

from fashionmt.model.colour_statistics import BINS, SIZE, ColourBranch, colour_statistics

# Colour -> sRGB and its L*, a*, b* under D65, as published (by matrices of more digits).
KNOWN = {
    "white": ((255, 255, 255), (100, 0, 0)),
    "black": ((0, 0, 0), (0, 0, 0)),
    "grey": ((119, 119, 119), (50.03, 0, 0)),
    "red": ((255, 0, 0), (53.24, 80.09, 67.20)),
    "green": ((0, 255, 0), (87.74, -86.18, 83.18)),
    "blue": ((0, 0, 255), (32.30, 79.19, -107.86)),
    "navy": ((0, 0, 128), (12.97, 47.51, -64.70)),
}


def _picture(ground: tuple[int, int, int], figure: tuple[int, int, int], size: tuple[int, int]) -> torch.Tensor:
    """A rectangle in the middle of a plain ground, uint8 (1, H, W, 3)."""
    height, width = size
    pixels = torch.tensor(ground, dtype=torch.uint8).repeat(1, height, width, 1)
    pixels[:, height // 4 : -(height // 4), width // 4 : -(width // 4)] = torch.tensor(figure, dtype=torch.uint8)
    return pixels


def _noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, 256, (*shape, 3), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def _catalogue(count: int, height: int, width: int) -> torch.Tensor:
    """Coloured noise on nearly white."""
    pixels = 250 + _noise(count, height, width) % 6
    pixels[:, height // 5 : -3, width // 3 : -2] = _noise(count, height, width, seed=1)[
        :, height // 5 : -3, width // 3 : -2
    ]
    return pixels


def _lab(rgb: tuple[int, int, int]) -> np.ndarray:
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in map(int, rgb)]
    rows = [(0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505)]
    x, y, z = (
        root ** (1 / 3) if root > 216 / 24389 else (841 / 108) * root + 4 / 29
        for root in (sum(r * c for r, c in zip(row, linear, strict=True)) / sum(row) for row in rows)
    )
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def _slow(picture: np.ndarray, step: int) -> np.ndarray:
    """Of one picture, every pixel by itself; `step` pixels apart from the left edge, and from the right one."""
    height, width, _ = picture.shape
    left = list(range(0, (width + 1) // 2, step))
    columns = left + [width - 1 - x for x in left]
    rows = range(0, height, step)
    lab = {(y, i): _lab(picture[y, x]) for y in rows for i, x in enumerate(columns)}
    edge = [lab[y, i] for y, i in lab if i in (0, len(left))]
    edge += [lab[y, i] for y, i in lab if y == rows[0]] + [lab[y, i] for y, i in lab if y == rows[-1]]
    ground = np.sort(np.stack(edge), axis=0)[(len(edge) - 1) // 2]
    weight = {at: min(1.0, max(0.0, (np.linalg.norm(value - ground) - 4) / 12)) for at, value in lab.items()}
    if sum(weight.values()) < 0.01 * len(weight):
        weight = dict.fromkeys(weight, 1.0)
    total = sum(weight.values())
    histogram = np.zeros([count for _, _, count in BINS])
    for at, value in lab.items():
        shares = []
        for x, (low, high, count) in zip(value, BINS, strict=True):
            place = min(count - 1.0, max(0.0, (x - low) / (high - low) * (count - 1)))
            below = min(int(place), count - 2)
            shares.append({below: below + 1 - place, below + 1: place - below})
        for bins in itertools.product(*shares):
            histogram[bins] += weight[at] / total * np.prod([share[k] for share, k in zip(shares, bins, strict=True)])
    mean = sum(weight[at] * lab[at] for at in lab) / total
    variance = sum(weight[at] * (lab[at] - mean) ** 2 for at in lab) / total
    return np.concatenate([histogram.ravel(), mean / 100, np.sqrt(variance) / 100])


@pytest.mark.parametrize(("height", "width", "step"), [(24, 18, 1), (21, 15, 1), (50, 48, 2), (80, 60, 3), (81, 61, 3)])
def test_they_are_those_of_a_reading_pixel_by_pixel(height: int, width: int, step: int) -> None:
    pixels = torch.cat([_catalogue(1, height, width), _noise(1, height, width), torch.full((1, height, width, 3), 9)])
    expected = np.stack([_slow(picture, step) for picture in pixels.byte().numpy()])
    found = colour_statistics(pixels.byte())
    assert found.shape == (3, SIZE)
    torch.testing.assert_close(found, torch.from_numpy(expected).float(), rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("ground", ["white", "black", "grey"])
def test_of_a_square_on_a_plain_ground_the_squares_colour_is_seen_alone(name: str, ground: str) -> None:
    rgb, lab = KNOWN[name]
    statistics = colour_statistics(_picture(KNOWN[ground][0], rgb, (80, 60)))[0]
    histogram, mean, deviation = statistics.split([SIZE - 6, 3, 3])
    torch.testing.assert_close(mean * 100, torch.tensor(lab, dtype=torch.float32), rtol=0, atol=0.05)
    assert deviation.max() < 1e-4
    places = [
        min(k - 1, max(0, (x - low) / (high - low) * (k - 1))) for x, (low, high, k) in zip(lab, BINS, strict=True)
    ]
    histogram = histogram.view([count for _, _, count in BINS])
    for axis, place in enumerate(places):
        others = [other for other in range(3) if other != axis]
        along = histogram.sum(dim=others)
        # All the mass lies on the two knots about the colour, its mean at the colour.
        assert (along * torch.arange(len(along))).sum().item() == pytest.approx(place, abs=3e-3)
        assert along[int(place) : int(place) + 2].sum().item() == pytest.approx(1, abs=1e-3)


def test_shading_and_noise_of_the_ground_are_not_seen() -> None:
    plain, noisy = _picture((255, 255, 255), (0, 0, 128), (80, 60)), _picture((255, 255, 255), (0, 0, 128), (80, 60))
    ground = plain.amin(dim=3) == 255
    noisy[ground] -= (_noise(1, 80, 60)[ground] % 5).to(torch.uint8)
    torch.testing.assert_close(colour_statistics(noisy), colour_statistics(plain), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", KNOWN)
def test_where_nothing_stands_out_all_of_the_picture_counts(name: str) -> None:
    rgb, lab = KNOWN[name]
    pixels = torch.tensor(rgb, dtype=torch.uint8).repeat(1, 30, 20, 1)
    pixels[0, 15, 10] = 255 - pixels[0, 15, 10]  # one pixel in 600 is too little
    mean = colour_statistics(pixels)[0, -6:-3] * 100
    assert (mean - torch.tensor(lab)).abs().max() < 0.5


@pytest.mark.parametrize("size", [(80, 60), (81, 61), (24, 18), (9, 11), (8, 8), (150, 200)])
@pytest.mark.parametrize("count", [1, 3, 7])
def test_a_mirrored_picture_has_the_same_to_the_last_bit(size: tuple[int, int], count: int) -> None:
    pixels = _catalogue(count, *size)
    statistics = colour_statistics(pixels)
    assert torch.equal(colour_statistics(pixels.flip(2)), statistics)
    assert not torch.equal(colour_statistics(pixels.flip(3)), statistics)  # but not with red and blue exchanged
    torch.testing.assert_close(statistics[:, : SIZE - 6].sum(dim=1), torch.ones(count))


def test_a_picture_is_read_by_itself() -> None:
    pixels = _catalogue(5, 40, 30)
    for statistics, picture in zip(colour_statistics(pixels), pixels, strict=True):
        torch.testing.assert_close(statistics, colour_statistics(picture[None])[0], rtol=1e-5, atol=1e-6)


def test_autocast_takes_no_digits() -> None:
    pixels = _catalogue(3, 40, 30)
    with torch.autocast("cpu", torch.bfloat16):
        statistics = colour_statistics(pixels)
    assert statistics.dtype == torch.float32
    assert torch.equal(statistics, colour_statistics(pixels))


def test_the_branch_projects_them_and_only_the_projection_is_learned() -> None:
    torch.manual_seed(0)
    branch, pixels = ColourBranch(5), _catalogue(3, 24, 18)
    linear, norm, gelu = branch.projection
    projected = branch(pixels)
    assert projected.shape == (3, branch.size) == (3, 5)
    torch.testing.assert_close(projected, gelu(norm(linear(colour_statistics(pixels)))))
    assert {name for name, _ in branch.named_parameters()} == set(branch.state_dict())
    projected.sum().backward()
    assert linear.weight.grad is not None
