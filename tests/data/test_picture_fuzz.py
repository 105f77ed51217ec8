"""Damaged pictures: pixels or a `PictureError` with its code, nothing else, and soon."""

import random
import struct
import time
import zlib
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from fashionmt.config import PreprocessConfig
from fashionmt.data import preprocess
from fashionmt.data.preprocess import PictureError, decode_picture
from fashionmt.problems import Code, Stage

Encode = Callable[..., bytes]
SIGNATURE = b"\x89PNG\r\n\x1a\n"
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Of each pass of an interlaced PNG: first column and row, steps to the next."""
KINDS = [
    *("jpeg", "progressive", "cmyk", "grey"),
    *("png", "palette", "sixteen bits", "interlaced", "apng"),
    *("webp", "lossless", "animation"),
]


def exif(orientation: int) -> Image.Exif:
    block = Image.Exif()
    block[preprocess.ORIENTATION] = orientation
    block[0x010E] = "a description"
    block[0x011A] = 72.0
    block.get_ifd(0x8769)[0x9286] = b"ASCII\0\0\0a comment"
    return block


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def interlaced(pixels: npt.NDArray[np.uint8]) -> bytes:
    """An interlaced PNG, which Pillow reads but does not write. `pixels`: (H, W, 3)."""
    height, width, _ = pixels.shape
    passes = [pixels[y::down, x::right] for x, y, right, down in ADAM7]
    rows = b"".join(b"\0" + row.tobytes() for part in passes if part.size for row in part)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    text = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a comment")) + chunk(b"eXIf", exif(6).tobytes()[6:])
    return SIGNATURE + chunk(b"IHDR", header) + text + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def with_true_checksums(png: bytes) -> bytes:
    """Damage that a checksum would give away, hidden from it as far as chunks can be told apart."""
    mended, at = bytearray(png), len(SIGNATURE)
    while at + 12 <= len(png):
        end = at + 8 + struct.unpack_from(">I", png, at)[0]
        if end + 4 > len(png):
            break
        struct.pack_into(">I", mended, end, zlib.crc32(png[at + 4 : end]))
        at = end + 4
    return bytes(mended)


@pytest.fixture(scope="module")
def encoded_kinds(encode: Encode) -> dict[str, bytes]:
    """A small file for every kind of decoder and metadata."""
    pixels = np.random.default_rng(0).integers(0, 256, (9, 12, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    alpha = picture.convert("RGBA")
    turned = alpha.transpose(Image.Transpose.ROTATE_180)
    return {
        "jpeg": encode(picture, "JPEG", exif=exif(6), quality=30, dpi=(72, 72)),
        "progressive": encode(picture, "JPEG", progressive=True, icc_profile=b"x" * 50, quality=30),
        "cmyk": encode(picture.convert("CMYK"), "JPEG", quality=30),
        "grey": encode(picture.convert("L"), "JPEG", exif=exif(5), quality=30),
        "png": encode(alpha, "PNG", exif=exif(8), icc_profile=b"x" * 50),
        "palette": encode(picture.quantize(4), "PNG", transparency=bytes([0, 100, 255])),
        "sixteen bits": encode(Image.fromarray(pixels[..., 0].astype(np.uint16) * 257), "PNG"),
        "interlaced": interlaced(pixels),
        "apng": encode(alpha, "PNG", save_all=True, append_images=[turned]),
        "webp": encode(picture, "WEBP", exif=exif(3), quality=30),
        "lossless": encode(alpha, "WEBP", lossless=True),
        "animation": encode(alpha, "WEBP", save_all=True, append_images=[turned], exif=exif(2)),
    }


def flipped(whole: bytes, draw: random.Random) -> bytes:
    damaged = bytearray(whole)
    for _ in range(draw.randrange(1, 6)):
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
    return bytes(damaged)


@pytest.fixture
def small() -> PreprocessConfig:
    """Damage can make a tiny picture a large one, which takes its time like any other: such are refused here."""
    return PreprocessConfig(height=16, width=12, max_megapixels=2)


def refused(encoded: bytes, config: PreprocessConfig) -> bool:
    """Whether it is; anything but pixels and a `PictureError`, and anything slow, fails the test."""
    started = time.thread_time()
    problem = None
    try:
        pixels = decode_picture(encoded, config)
    except PictureError as error:
        problem = error.problem
    assert time.thread_time() - started < 2
    if problem is None:
        assert (pixels.shape, pixels.dtype) == ((16, 12, 3), np.uint8)
        return False
    assert problem.code.stage is Stage.DECODE
    assert problem.message
    assert "\n" not in problem.message
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_whole(kind: str, encoded_kinds: dict[str, bytes], small: PreprocessConfig) -> None:
    assert not refused(encoded_kinds[kind], small)


def test_the_interlaced_picture_is_what_was_written(small: PreprocessConfig) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (16, 12, 3), dtype=np.uint8)
    upright = PreprocessConfig(height=small.width, width=small.height)  # as its orientation turns it
    assert np.array_equal(decode_picture(interlaced(pixels), upright), np.rot90(pixels, -1))


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_cut_anywhere(kind: str, encoded_kinds: dict[str, bytes], small: PreprocessConfig) -> None:
    whole = encoded_kinds[kind]
    assert sum(refused(whole[:length], small) for length in range(len(whole))) > len(whole) / 3


@pytest.mark.parametrize("kind", KINDS)
def test_flipped_bits(kind: str, encoded_kinds: dict[str, bytes], small: PreprocessConfig) -> None:
    whole, draw = encoded_kinds[kind], random.Random(kind)
    damaged = [flipped(whole, draw) for _ in range(400)]
    if whole.startswith(SIGNATURE):
        damaged += [with_true_checksums(encoded) for encoded in damaged]
    assert 0 < sum(refused(encoded, small) for encoded in damaged) < len(damaged)


def test_random_bytes_after_a_true_beginning(encoded_kinds: dict[str, bytes], small: PreprocessConfig) -> None:
    draw = random.Random(0)
    for whole in encoded_kinds.values():
        for _ in range(50):
            encoded = whole[: draw.randrange(len(whole))] + draw.randbytes(draw.randrange(200))
            assert refused(encoded, small) in (True, False)


RAISED = [
    zlib.error("invalid"),
    struct.error("short"),
    OverflowError("large"),
    AttributeError("none"),
    KeyError("tag"),
    AssertionError(),
    RecursionError("deep"),
    UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"),
    ZeroDivisionError("dpi"),
    NotImplementedError("mode"),
    RuntimeError("two\nlines"),
    MemoryError(),
]


@pytest.fixture(params=RAISED, ids=lambda error: type(error).__name__)
def failing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Exception:
    """What Pillow raises from now on, where it decodes."""

    def fail(*_: object) -> None:
        raise request.param

    monkeypatch.setattr(Image.Image, "convert", fail)
    raised: Exception = request.param
    return raised


def test_whatever_pillow_raises_is_a_picture_error(
    failing: Exception, encoded_kinds: dict[str, bytes], small: PreprocessConfig
) -> None:
    with pytest.raises(PictureError, match=r"^damaged \(.+\)$") as error:
        decode_picture(encoded_kinds["webp"], small)
    assert error.value.problem.code is Code.IMAGE_DAMAGED


def test_an_interruption_is_not_taken_for_damage(
    encoded_kinds: dict[str, bytes], small: PreprocessConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "convert", interrupt)
    with pytest.raises(KeyboardInterrupt):
        decode_picture(encoded_kinds["webp"], small)


def grey(width: int, height: int, data: bytes) -> bytes:
    """A PNG of one byte a pixel that holds `data`."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return SIGNATURE + header + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("encoded", "code"),
    [
        (bytes(100_001), Code.IMAGE_TOO_MANY_BYTES),
        (b"GIF89a", Code.IMAGE_FORMAT_REFUSED),
        (grey(9000, 9000, b""), Code.IMAGE_TOO_MANY_PIXELS),
        (grey(90_000, 90_000, b""), Code.IMAGE_TOO_MANY_PIXELS),  # where Pillow itself raises
        (grey(9, 9, b"x"), Code.IMAGE_DAMAGED),
    ],
    ids=["bytes", "format", "pixels", "bomb", "damaged"],
)
def test_the_code_says_what_is_wrong(encoded: bytes, code: Code) -> None:
    with pytest.raises(PictureError) as error:
        decode_picture(encoded, PreprocessConfig(max_megabytes=0.1))
    assert error.value.problem.code is code


@pytest.mark.parametrize("format", ["JPEG", "MPO"])
def test_a_jpeg_of_endless_scans_is_refused_before_it_is_decoded(format: str, encode: Encode) -> None:
    """Each of these bytes would be work for a million pixels: an hour in a file of a few megabytes."""
    picture = Image.fromarray(np.full((1000, 1000, 3), 200, np.uint8))
    more = {"save_all": True, "append_images": [picture]} if format == "MPO" else {}
    whole = encode(picture, format, progressive=True, **more)
    start, end = whole.rindex(b"\xff\xda"), whole.rindex(b"\xff\xd9")
    scan = whole[start:end]
    config = PreprocessConfig()
    assert decode_picture(whole[:end] + 50 * scan + whole[end:], config).shape == (80, 60, 3)
    started = time.thread_time()
    with pytest.raises(PictureError, match=r"^\d+ scans of so many pixels$") as error:
        decode_picture(whole[:end] + 10_000 * scan + whole[end:], config)
    assert time.thread_time() - started < 1
    assert error.value.problem.code is Code.IMAGE_TOO_MANY_PIXELS
