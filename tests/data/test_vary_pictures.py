"""Training pictures: each item its own draw, and no colour that was not there unless the light is varied."""

import pytest
import torch
from torch import Tensor

from fashionmt.config import PictureVariationConfig
from fashionmt.data.vary_pictures import vary_pictures

CONFIG = PictureVariationConfig()


def positions(count: int, height: int, width: int) -> Tensor:
    """Pictures whose pixels say where they stand: channel 0 the row, 1 the column, 2 the item."""
    item, row, column = torch.meshgrid(torch.arange(count), torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([row, column, item], dim=3).to(torch.uint8)


@pytest.mark.parametrize("shape", [(1, 80, 60, 3), (5, 16, 12, 3), (3, 1, 1, 3), (2, 7, 200, 3), (0, 8, 8, 3)])
def test_shape_and_dtype_stay(shape: tuple[int, ...]) -> None:
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    before = pixels.clone()
    varied = vary_pictures(pixels, CONFIG)
    assert varied.shape == pixels.shape
    assert varied.dtype == torch.uint8
    assert torch.equal(pixels, before)


def test_every_pixel_is_one_of_the_same_picture() -> None:
    count = 40
    varied = vary_pictures(positions(count, 80, 60), CONFIG)
    assert torch.equal(varied[..., 2], torch.arange(count)[:, None, None].expand(count, 80, 60).to(torch.uint8))
    assert varied[..., 0].max() < 80
    assert varied[..., 1].max() < 60


def test_a_picture_of_one_colour_does_not_change() -> None:
    pixels = torch.tensor([[10, 20, 30], [200, 0, 255]], dtype=torch.uint8)[:, None, None].expand(2, 16, 12, 3)
    assert torch.equal(vary_pictures(pixels, CONFIG), pixels)


def test_rows_stay_in_order_and_columns_may_turn_round() -> None:
    """A flip, a shift and a zoom: whole rows and columns move, and none overtakes another."""
    varied = vary_pictures(positions(60, 80, 60), CONFIG).long()
    rows, columns = varied[:, :, 0, 0], varied[:, 0, :, 1]
    assert torch.equal(varied[..., 0], rows[:, :, None].expand(-1, -1, 60))
    assert torch.equal(varied[..., 1], columns[:, None, :].expand(-1, 80, -1))
    assert (rows.diff(dim=1) >= 0).all()
    steps = columns.diff(dim=1)
    forwards, backwards = (steps >= 0).all(1), (steps <= 0).all(1)
    assert (forwards ^ backwards).all()
    assert 0 < int(backwards.sum()) < 60


def test_shift_and_zoom_stay_within_their_limits() -> None:
    size = 200
    varied = vary_pictures(positions(200, size, size), CONFIG).long()
    rows = varied[:, :, 0, 0].double()
    inside = (rows > 0) & (rows < size - 1)
    centre = (size - 1) / 2
    furthest = CONFIG.shift * size + CONFIG.zoom * centre + 1
    moved = (rows - torch.arange(size)).abs()
    assert moved[inside].max() <= furthest
    middle = (rows[:, size // 2] - centre).abs()
    assert middle.max() <= CONFIG.shift * size + 1
    assert middle.max() > 0.8 * CONFIG.shift * size
    zoom = (rows[:, 150] - rows[:, 50]) / 100
    assert (zoom - 1).abs().max() <= CONFIG.zoom + 0.02
    assert zoom.max() > 1 + 0.7 * CONFIG.zoom
    assert zoom.min() < 1 - 0.7 * CONFIG.zoom


def test_each_item_has_its_own_draw() -> None:
    one = torch.randint(0, 256, (1, 80, 60, 3), dtype=torch.uint8)
    varied = vary_pictures(one.expand(50, 80, 60, 3), CONFIG)
    assert len({picture.numpy().tobytes() for picture in varied}) > 45


def test_about_half_are_flipped() -> None:
    columns = vary_pictures(positions(250, 8, 60), CONFIG)[:, 0, :, 1].long()
    flipped = columns[:, 0] > columns[:, -1]
    assert 0.35 < flipped.float().mean() < 0.65


def test_the_same_seed_is_the_same_batch() -> None:
    pixels = torch.randint(0, 256, (6, 40, 30, 3), dtype=torch.uint8)
    batches = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        batches.append(vary_pictures(pixels, CONFIG))
    assert torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[2])


def still(**changes: float) -> PictureVariationConfig:
    return PictureVariationConfig(**({"flip": 0, "shift": 0, "zoom": 0} | changes))


def test_nothing_varied_is_nothing_changed() -> None:
    pixels = torch.randint(0, 256, (5, 80, 60, 3), dtype=torch.uint8)
    assert torch.equal(vary_pictures(pixels, still()), pixels)


def test_a_turn_is_a_turn_about_the_middle() -> None:
    """By a right angle a square's rows become its columns; the draw is uniform up to the limit."""
    size = 101
    varied = vary_pictures(positions(60, size, size), still(rotate=90)).double() - 50
    row, column = varied[:, 50, 60, 0], varied[:, 50, 60, 1]  # ten to the right of the middle
    assert torch.allclose((row**2 + column**2).sqrt(), torch.tensor(10.0, dtype=torch.float64), atol=1.0)
    angle = torch.atan2(row, column)
    assert angle.abs().max() <= torch.pi / 2 + 0.1
    assert angle.max() > 1.2
    assert angle.min() < -1.2


@pytest.mark.parametrize(("limit", "change"), [("brightness", 0.1), ("contrast", 0.2)])
def test_light_keeps_greys_grey_and_stays_within_its_limit(limit: str, change: float) -> None:
    grey = torch.arange(60, 200, dtype=torch.uint8).repeat(40, 1)[:, None, :, None].expand(40, 8, 140, 3)
    varied = vary_pictures(grey, still(**{limit: change}))
    assert torch.equal(varied[..., 0], varied[..., 1])
    assert torch.equal(varied[..., 0], varied[..., 2])
    moved = (varied.double() - grey.double()).abs()
    furthest = 255 * change if limit == "brightness" else 70 * change
    assert moved.max() <= furthest + 1
    assert moved.max() > 0.8 * furthest
    assert len({picture.numpy().tobytes() for picture in varied}) > 20


@pytest.mark.parametrize(
    ("brightness", "contrast", "lightest"), [(0.1, 0, 93), (0, 0.2, 93), (0.05, 0.1, 93), (0.1, 0.2, 118)]
)
def test_how_light_a_black_becomes_is_what_the_config_says(brightness: float, contrast: float, lightest: int) -> None:
    pixels = torch.full((3000, 10, 10, 3), 64, dtype=torch.uint8)
    pixels[:, :8] = 244  # the mean is 208
    found = vary_pictures(pixels, still(brightness=brightness, contrast=contrast))[:, 9].max()
    assert lightest - 5 <= found <= lightest
