"""A picture file becomes pixels: decoded, upright, on white, fitted into H x W. The same code trains and tags."""

import contextlib
import io
import os
import threading
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from fashionmt.config import PreprocessConfig
from fashionmt.problems import Code, Problem

Pixels = npt.NDArray[np.uint8]
"""RGB, shape (H, W, 3)."""

WHITE = (255, 255, 255)
DECODING = 1
"""Raise it whenever the same file would become other pixels: caches of the old ones are then not used."""

SCAN = b"\xff\xda"
MAX_SCANNED = 1e10
"""Pixels times scans of a JPEG: a scan of a few bytes is work for every pixel, and a file holds any number of them."""
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF orientation -> what sets the picture upright."""


class _Quiet:
    """No warnings while any thread is inside.

    `catch_warnings` by itself is not for threads: the last one out puts back what another had silenced, for good.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.silence = contextlib.ExitStack()

    def __enter__(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.silence.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.silence.close()


_quiet = _Quiet()


class PictureError(Exception):
    """A picture that cannot be used."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem

    def __str__(self) -> str:
        return self.problem.message


def read_encoded(path: Path, config: PreprocessConfig) -> bytes:
    """A picture's file, or the beginning of one that is too large, which `decode_picture` then refuses."""
    limit = int(config.max_megabytes * 1e6) + 1
    with path.open("rb") as file:
        # Asked for its own size, as a read of the limit would set all of that aside first.
        return file.read(min(limit, os.fstat(file.fileno()).st_size))


def decode_picture(encoded: bytes, config: PreprocessConfig) -> Pixels:
    """Pixels, uint8 (H, W, 3), of an encoded picture.

    EXIF orientation is applied, transparency lies on white, 16-bit greys are scaled (not clipped), CMYK is
    converted, and of an animation the first frame counts. The picture keeps its proportions, centred on white.
    Raises `PictureError` where the bytes are no complete picture of an allowed format and size.
    """
    if len(encoded) > config.max_megabytes * 1e6:
        raise _error(Code.IMAGE_TOO_MANY_BYTES, f"over {config.max_megabytes:g} megabytes")
    try:
        # Our own cap is stricter than Pillow's bomb warning, so the warning says nothing new.
        with _quiet:
            return fit(upright_rgb(_open(encoded, config)), config)
    except PictureError:
        raise
    except Exception as error:
        # Damage makes Pillow raise nearly every kind there is: OSError, SyntaxError, zlib.error, KeyError, ...
        what = " ".join(str(error).split()) or type(error).__name__
        raise _error(Code.IMAGE_DAMAGED, f"damaged ({what})") from None


def _open(encoded: bytes, config: PreprocessConfig) -> Image.Image:
    """The picture before its pixels are decoded."""
    too_large = _error(Code.IMAGE_TOO_MANY_PIXELS, f"over {config.max_megapixels:g} megapixels")
    try:
        image = Image.open(io.BytesIO(encoded), formats=config.formats)
    except UnidentifiedImageError:
        raise _error(Code.IMAGE_FORMAT_REFUSED, f"not a picture of {', '.join(config.formats)}") from None
    except Image.DecompressionBombError:
        raise too_large from None
    if image.width * image.height > config.max_megapixels * 1e6:
        raise too_large
    if isinstance(image, JpegImageFile) and image.width * image.height * encoded.count(SCAN) > MAX_SCANNED:
        raise _error(Code.IMAGE_TOO_MANY_PIXELS, f"{encoded.count(SCAN)} scans of so many pixels")
    # A JPEG far larger than needed is decoded at a fraction of its size.
    image.draft("RGB", (2 * config.width, 2 * config.height))
    return image


def _error(code: Code, message: str) -> PictureError:
    return PictureError(Problem(code, message))


def upright_rgb(image: Image.Image) -> Image.Image:
    """The picture in RGB as a person would see it: turned by its EXIF orientation, transparency on white."""
    # Not ImageOps.exif_transpose: it writes the EXIF block anew and fails where any tag of it is malformed.
    turn = TURNS.get(image.getexif().get(ORIENTATION, 1))
    image = image if turn is None else image.transpose(turn)
    if image.mode.startswith("I") or image.mode == "F":
        wide = np.asarray(image, dtype=np.float32)
        return Image.fromarray((wide / 257).round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, (*WHITE, 255))
        return Image.alpha_composite(ground, layer).convert("RGB")
    return image.convert("RGB")


def fit(image: Image.Image, config: PreprocessConfig) -> Pixels:
    """Pixels, uint8 (H, W, 3): the whole picture, proportions kept, centred on white; the exact size is untouched."""
    if image.size == (config.width, config.height):
        return np.asarray(image)
    scale = min(config.width / image.width, config.height / image.height)
    # Not ImageOps.pad: of a very long picture nothing would be left.
    width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    ground = Image.new("RGB", (config.width, config.height), WHITE)
    corner = round((config.width - width) / 2), round((config.height - height) / 2)
    ground.paste(image.resize((width, height), Image.Resampling.BICUBIC), corner)
    return np.asarray(ground)
