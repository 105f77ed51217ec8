"""Pictures: upright, on white, whole, or refused in words; never another exception."""

import io
import struct
import threading
import warnings
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageOps

from fashionmt.config import PreprocessConfig
from fashionmt.data import preprocess
from fashionmt.data.preprocess import PictureError, decode_picture, upright_rgb

Encode = Callable[..., bytes]
Pixels = npt.NDArray[Any]


def noise(height: int = 16, width: int = 12, channels: int = 3, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)


def png(width: int, height: int, rows: bytes, bits: int = 8, colour: int = 0) -> bytes:
    """A PNG built by hand from its filtered rows."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = zlib.compress(rows, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def on_white(colour: Pixels, alpha: Pixels) -> Pixels:
    """The definition of lying on white, in floating point."""
    share = alpha[..., None] / 255
    return colour * share + 255 * (1 - share)


# Refused


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"RIFF\0\0\0\0WEBP",
        b"not a picture",
        b"<svg/>",
        bytes(5000),
    ],
    ids=["empty", "a byte", "jpeg mark", "png mark", "webp mark", "text", "svg", "zeros"],
)
def test_what_is_no_picture_is_refused(content: bytes, small: PreprocessConfig) -> None:
    with pytest.raises(PictureError, match=r"not a picture of JPEG, PNG, WEBP|damaged"):
        decode_picture(content, small)


@pytest.mark.parametrize("format", ["GIF", "BMP", "TIFF", "ICO", "PPM"])
def test_a_format_that_is_not_allowed_is_refused(format: str, encode: Encode, small: PreprocessConfig) -> None:
    with pytest.raises(PictureError, match=r"^not a picture of JPEG, PNG, WEBP$"):
        decode_picture(encode(noise(16, 16), format), small)


def test_the_allowed_formats_are_those_of_the_config(encode: Encode) -> None:
    gif = PreprocessConfig(height=16, width=12, formats=["GIF"])
    assert decode_picture(encode(noise(), "GIF"), gif).shape == (16, 12, 3)
    with pytest.raises(PictureError, match=r"^not a picture of GIF$"):
        decode_picture(encode(noise()), gif)


def test_a_truncated_jpeg_is_refused(encode: Encode, small: PreprocessConfig) -> None:
    whole = encode(noise(200, 200), "JPEG")
    with pytest.raises(PictureError, match="damaged"):
        decode_picture(whole[: len(whole) // 2], small)


def exif(orientation: int = 1) -> Image.Exif:
    block = Image.Exif()
    block[preprocess.ORIENTATION] = orientation
    block[0x010E] = "a description"
    block[0x011A] = 72.0
    return block


# Size limits


HUGE = {
    "a header": png(20_000, 20_000, b""),
    "a one-bit picture": png(20_000, 20_000, bytes(20_000 * 2_501), bits=1),
    "under Pillow's own limit": png(8_000, 8_000, b""),
    "where Pillow warns": png(10_000, 10_000, b""),
    "no height in memory": png(2**31 - 1, 2**31 - 1, b""),
    "a line": png(100_000_000, 1, b""),
}


@pytest.mark.parametrize("kind", HUGE)
def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(
    kind: str, small: PreprocessConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preprocess, "upright_rgb", lambda image: pytest.fail("decoded"))
    with pytest.raises(PictureError, match=r"^over 50 megapixels$"):
        decode_picture(HUGE[kind], small)


def test_the_limits_themselves_are_allowed(encode: Encode) -> None:
    picture = encode(noise(16, 12))
    at_limit = PreprocessConfig(height=16, width=12, max_megapixels=16 * 12 / 1e6, max_megabytes=len(picture) / 1e6)
    assert np.array_equal(decode_picture(picture, at_limit), noise(16, 12))
    with pytest.raises(PictureError, match="megapixels"):
        decode_picture(encode(np.zeros((16, 13, 3), np.uint8)), at_limit)
    with pytest.raises(PictureError, match="megabytes"):
        decode_picture(picture + b"\0", at_limit)


def test_a_file_over_max_megabytes_is_refused_unread() -> None:
    config = PreprocessConfig(height=16, width=12, max_megabytes=0.5)
    with pytest.raises(PictureError, match=r"^over 0\.5 megabytes$"):
        decode_picture(bytes(500_001), config)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (3, 400)])
def test_a_picture_of_any_shape_fits(size: tuple[int, int], encode: Encode, small: PreprocessConfig) -> None:
    height, width = size
    pixels = decode_picture(encode(np.zeros((height, width, 3), np.uint8)), small)
    assert pixels.shape == (16, 12, 3)
    assert pixels.dtype == np.uint8
    assert pixels.min() < 128
    if height == width:
        # A square fills the width and leaves two white bands.
        assert np.array_equal(pixels[2:14], np.zeros((12, 12, 3)))
        assert np.array_equal(pixels[[0, 1, 14, 15]], np.full((4, 12, 3), 255))


# Modes


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_a_picture_of_the_exact_size_is_unchanged(format: str, encode: Encode, small: PreprocessConfig) -> None:
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    assert np.array_equal(decode_picture(encode(noise(), format, **options), small), noise())


def test_a_jpeg_of_the_exact_size_is_as_pillow_decodes_it(encode: Encode, small: PreprocessConfig) -> None:
    encoded = encode(noise(), "JPEG")
    assert np.array_equal(decode_picture(encoded, small), np.asarray(Image.open(io.BytesIO(encoded))))


def test_grey_is_the_same_in_three_channels(encode: Encode, small: PreprocessConfig) -> None:
    grey = noise(channels=1)[..., 0]
    assert np.array_equal(decode_picture(encode(grey), small), np.repeat(grey[..., None], 3, axis=2))


def test_sixteen_bit_grey_is_scaled_not_clipped(encode: Encode, small: PreprocessConfig) -> None:
    grey = np.linspace(0, 65535, 16 * 12).astype(np.uint16).reshape(16, 12)
    pixels = decode_picture(encode(Image.fromarray(grey)), small)
    expected = [[round(value / 65535 * 255) for value in row] for row in grey.tolist()]
    assert np.array_equal(pixels, np.repeat(np.array(expected)[..., None], 3, axis=2))
    assert len(np.unique(pixels)) > 150


@pytest.mark.parametrize("mode", ["I", "F"])
def test_wide_pixels_handed_over_in_memory_are_scaled(mode: str) -> None:
    grey = np.array([[0, 257, 32896, 65535, 70000, -5]], np.int32)
    image = Image.fromarray(grey if mode == "I" else grey.astype(np.float32))
    assert image.mode == mode
    assert np.asarray(upright_rgb(image))[0, :, 0].tolist() == [0, 1, 128, 255, 255, 0]


@pytest.mark.parametrize(
    ("cmyk", "rgb"),
    [
        ((0, 255, 255, 0), (255, 0, 0)),
        ((255, 0, 255, 0), (0, 255, 0)),
        ((0, 0, 0, 0), (255, 255, 255)),
        ((0, 0, 0, 255), (0, 0, 0)),
    ],
)
def test_a_cmyk_jpeg_has_its_printed_colour(
    cmyk: tuple[int, ...], rgb: tuple[int, ...], encode: Encode, small: PreprocessConfig
) -> None:
    pixels = decode_picture(encode(Image.new("CMYK", (12, 16), cmyk), "JPEG", quality=100), small)
    assert np.abs(pixels.astype(int) - rgb).max() <= 3


def test_transparency_lies_on_white(encode: Encode, small: PreprocessConfig) -> None:
    rgba = noise(channels=4)
    rgba[0, 0], rgba[0, 1], rgba[0, 2] = (0, 0, 0, 0), (10, 20, 30, 255), (0, 0, 0, 128)
    pixels = decode_picture(encode(rgba), small)
    assert np.abs(pixels - on_white(rgba[..., :3], rgba[..., 3])).max() <= 1
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, 1].tolist() == [10, 20, 30]


def test_grey_with_transparency_lies_on_white(encode: Encode, small: PreprocessConfig) -> None:
    la = noise(channels=2)
    pixels = decode_picture(encode(Image.merge("LA", _channels(la))), small)
    grey = np.repeat(la[..., :1], 3, axis=2)
    assert np.abs(pixels - on_white(grey, la[..., 1])).max() <= 1


def _channels(pixels: Pixels) -> list[Image.Image]:
    return [Image.fromarray(np.ascontiguousarray(pixels[..., i])) for i in range(pixels.shape[2])]


@pytest.mark.parametrize("transparency", [bytes([0, 128, 255, 255]), 1, None])
def test_a_palette_with_transparency_lies_on_white(
    transparency: bytes | int | None, encode: Encode, small: PreprocessConfig
) -> None:
    colours = np.array([[200, 0, 0], [0, 200, 0], [0, 0, 200], [9, 9, 9]], np.uint8)
    index = noise(channels=1)[..., 0] % 4
    image = Image.fromarray(index).convert("L")
    palette = Image.frombytes("P", image.size, image.tobytes())
    palette.putpalette(colours.tobytes())
    options = {} if transparency is None else {"transparency": transparency}
    alpha = {None: [255] * 4, 1: [255, 0, 255, 255]}.get(transparency, [0, 128, 255, 255])  # type: ignore[call-overload]
    pixels = decode_picture(encode(palette, **options), small)
    assert np.abs(pixels - on_white(colours[index], np.array(alpha)[index])).max() <= 1


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_of_an_animation_the_first_frame_counts(format: str, encode: Encode, small: PreprocessConfig) -> None:
    first, second = noise(seed=1), noise(seed=2)
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    encoded = encode(first, format, save_all=True, append_images=[Image.fromarray(second)], **options)
    with Image.open(io.BytesIO(encoded)) as image:
        assert image.n_frames == 2
    assert np.array_equal(decode_picture(encoded, small), first)


# Orientation


def stored(upright: Pixels, orientation: int) -> Pixels:
    """How a camera stores `upright`: the EXIF standard says where its first row and first column are seen."""
    row_first, column_first = {
        1: ("top", "left"), 2: ("top", "right"), 3: ("bottom", "right"), 4: ("bottom", "left"),
        5: ("left", "top"), 6: ("right", "top"), 7: ("right", "bottom"), 8: ("left", "bottom"),
    }[orientation]  # fmt: skip
    height, width, _ = upright.shape
    rows, columns = (height, width) if row_first in ("top", "bottom") else (width, height)
    picture = np.empty((rows, columns, 3), np.uint8)
    for row in range(rows):
        for column in range(columns):
            seen = {row_first: row, column_first: column}
            y = seen["top"] if "top" in seen else height - 1 - seen["bottom"]
            x = seen["left"] if "left" in seen else width - 1 - seen["right"]
            picture[row, column] = upright[y, x]
    return picture


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_set_upright(orientation: int, encode: Encode, small: PreprocessConfig) -> None:
    upright = noise()
    encoded = encode(stored(upright, orientation), "PNG", exif=exif(orientation))
    assert np.array_equal(decode_picture(encoded, small), upright)


@pytest.mark.parametrize("format", ["JPEG", "WEBP"])
def test_orientation_counts_in_every_format(format: str, encode: Encode, small: PreprocessConfig) -> None:
    upright = np.zeros((16, 12, 3), np.uint8)
    upright[:8] = 255
    encoded = encode(stored(upright, 6), format, exif=exif(6), quality=95)
    assert np.abs(decode_picture(encoded, small).astype(int) - upright).max() < 60


def test_an_orientation_behind_the_pixels_counts_too(encode: Encode, small: PreprocessConfig) -> None:
    """A PNG may hold its EXIF chunk after its pixels."""
    encoded = encode(stored(noise(), 6), "PNG", exif=exif(6))
    start = encoded.index(b"eXIf") - 4
    stop = start + 12 + struct.unpack(">I", encoded[start : start + 4])[0]
    end = encoded.index(b"IEND") - 4
    assert stop < encoded.index(b"IDAT")
    moved = encoded[:start] + encoded[stop:end] + encoded[start:stop] + encoded[end:]
    assert np.array_equal(decode_picture(moved, small), noise())


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_is_none_turns_nothing(orientation: int, encode: Encode, small: PreprocessConfig) -> None:
    assert np.array_equal(decode_picture(encode(noise(), exif=exif(orientation)), small), noise())


def test_a_malformed_tag_beside_the_orientation_does_no_harm(encode: Encode, small: PreprocessConfig) -> None:
    """The width as a text: ImageOps.exif_transpose raises struct.error on it."""
    width = struct.pack("<HHI4s", 0x0100, 2, 4, b"abc\0")
    turn = struct.pack("<HHIHH", preprocess.ORIENTATION, 3, 1, 6, 0)
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + width + turn + bytes(4)
    encoded = encode(stored(noise(), 6), "PNG", exif=block)
    with pytest.raises(struct.error), Image.open(io.BytesIO(encoded)) as image:
        ImageOps.exif_transpose(image)
    assert np.array_equal(decode_picture(encoded, small), noise())


# Fitting


@pytest.mark.parametrize(
    ("size", "rows", "columns"),
    [
        ((20, 40), slice(5, 11), slice(0, 12)),  # height, width: 12 x 6 in the middle
        ((64, 24), slice(0, 16), slice(3, 9)),
        ((32, 24), slice(0, 16), slice(0, 12)),
        ((4, 3), slice(0, 16), slice(0, 12)),  # enlarged
    ],
)
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_proportions_are_kept_on_white(
    size: tuple[int, int], rows: slice, columns: slice, format: str, encode: Encode, small: PreprocessConfig
) -> None:
    pixels = decode_picture(encode(np.full((*size, 3), 40, np.uint8), format), small).astype(int)
    expected = np.full((16, 12, 3), 255)
    expected[rows, columns] = 40
    assert np.abs(pixels - expected).max() <= 2


def test_a_large_jpeg_decoded_at_a_fraction_looks_as_decoded_whole(encode: Encode) -> None:
    y, x = np.mgrid[0:640, 0:480]
    large = np.stack([128 + 120 * np.sin(x / 60), 128 + 120 * np.cos(y / 70), x / 2], axis=2).astype(np.uint8)
    encoded = encode(large, "JPEG", quality=95)
    pixels = decode_picture(encoded, PreprocessConfig())
    whole = Image.open(io.BytesIO(encoded)).resize((60, 80), Image.Resampling.BICUBIC)
    assert np.abs(pixels.astype(int) - np.asarray(whole)).mean() < 1.5


# Warnings


def test_overlapping_threads_leave_the_warning_filters_alone(
    encode: Encode, small: PreprocessConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First in, first out: with a `catch_warnings` in each thread the second would silence the process for good."""
    first_came, second_came, first_left = threading.Event(), threading.Event(), threading.Event()
    fit = preprocess.fit

    def slow_fit(image: Image.Image, config: PreprocessConfig) -> Pixels:
        if threading.current_thread().name == "first":
            first_came.set()
            assert second_came.wait(10)
        else:
            second_came.set()
            assert first_left.wait(10)
        return fit(image, config)

    def first() -> None:
        decode_picture(encode(noise()), small)
        first_left.set()

    monkeypatch.setattr(preprocess, "fit", slow_fit)
    before = list(warnings.filters)
    threads = [
        threading.Thread(target=first, name="first"),
        threading.Thread(target=decode_picture, args=(encode(noise()), small)),
    ]
    threads[0].start()
    assert first_came.wait(10)
    threads[1].start()
    for thread in threads:
        thread.join(20)
    assert first_left.is_set()
    assert list(warnings.filters) == before
    with pytest.raises(UserWarning, match="heard"):
        warnings.warn("heard", stacklevel=1)


def test_what_pillow_warns_of_is_not_heard(encode: Encode, small: PreprocessConfig) -> None:
    """Warnings are errors here, and this EXIF block makes Pillow warn."""
    twice = struct.pack("<HHIHH", preprocess.ORIENTATION, 3, 2, 1, 1)
    block = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + twice + bytes(4)
    encoded = encode(noise(), "PNG", exif=block)
    with pytest.warns(UserWarning, match="too many entries"), Image.open(io.BytesIO(encoded)) as image:
        image.getexif().get(preprocess.ORIENTATION)
    assert np.array_equal(decode_picture(encoded, small), noise())
