"""Augmentation: each item its own draw, and no colour that was not there."""

import pytest
import torch
from torch import Tensor

from fashionmt.data.augment import MAX_SHIFT, MAX_ZOOM, augment


def positions(count: int, height: int, width: int) -> Tensor:
    """Pictures whose pixels say where they stand: channel 0 the row, 1 the column, 2 the item."""
    item, row, column = torch.meshgrid(torch.arange(count), torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([row, column, item], dim=3).to(torch.uint8)


@pytest.mark.parametrize("shape", [(1, 80, 60, 3), (5, 16, 12, 3), (3, 1, 1, 3), (2, 7, 200, 3), (0, 8, 8, 3)])
def test_shape_and_dtype_stay(shape: tuple[int, ...]) -> None:
    pixels = torch.randint(0, 256, shape, dtype=torch.uint8)
    before = pixels.clone()
    varied = augment(pixels)
    assert varied.shape == pixels.shape
    assert varied.dtype == torch.uint8
    assert torch.equal(pixels, before)


def test_every_pixel_is_one_of_the_same_picture() -> None:
    count = 40
    varied = augment(positions(count, 80, 60))
    assert torch.equal(varied[..., 2], torch.arange(count)[:, None, None].expand(count, 80, 60).to(torch.uint8))
    assert varied[..., 0].max() < 80
    assert varied[..., 1].max() < 60


def test_a_picture_of_one_colour_does_not_change() -> None:
    pixels = torch.tensor([[10, 20, 30], [200, 0, 255]], dtype=torch.uint8)[:, None, None].expand(2, 16, 12, 3)
    assert torch.equal(augment(pixels), pixels)


def test_rows_stay_in_order_and_columns_may_turn_round() -> None:
    """A flip, a shift and a zoom: whole rows and columns move, and none overtakes another."""
    varied = augment(positions(60, 80, 60)).long()
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
    varied = augment(positions(200, size, size)).long()
    rows = varied[:, :, 0, 0].double()
    inside = (rows > 0) & (rows < size - 1)
    centre = (size - 1) / 2
    furthest = MAX_SHIFT * size + MAX_ZOOM * centre + 1
    moved = (rows - torch.arange(size)).abs()
    assert moved[inside].max() <= furthest
    middle = (rows[:, size // 2] - centre).abs()
    assert middle.max() <= MAX_SHIFT * size + 1
    assert middle.max() > 0.8 * MAX_SHIFT * size
    zoom = (rows[:, 150] - rows[:, 50]) / 100
    assert (zoom - 1).abs().max() <= MAX_ZOOM + 0.02
    assert zoom.max() > 1 + 0.7 * MAX_ZOOM
    assert zoom.min() < 1 - 0.7 * MAX_ZOOM


def test_each_item_has_its_own_draw() -> None:
    one = torch.randint(0, 256, (1, 80, 60, 3), dtype=torch.uint8)
    varied = augment(one.expand(50, 80, 60, 3))
    assert len({picture.numpy().tobytes() for picture in varied}) > 45


def test_about_half_are_flipped() -> None:
    columns = augment(positions(250, 8, 60))[:, 0, :, 1].long()
    flipped = columns[:, 0] > columns[:, -1]
    assert 0.35 < flipped.float().mean() < 0.65


def test_the_same_seed_is_the_same_batch() -> None:
    pixels = torch.randint(0, 256, (6, 40, 30, 3), dtype=torch.uint8)
    batches = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        batches.append(augment(pixels))
    assert torch.equal(batches[0], batches[1])
    assert not torch.equal(batches[0], batches[2])
