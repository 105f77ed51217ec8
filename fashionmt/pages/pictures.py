"""Pictures inside a page."""

import base64
import io

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 120
"""Pixels of a picture's longer side, at most."""


def data_uri(pixels: npt.NDArray[np.uint8], side: int = SIDE) -> str:
    """A small JPEG of uint8 (H, W, 3) pixels, its longer side `side` at most."""
    picture = Image.fromarray(np.ascontiguousarray(pixels), "RGB")
    picture.thumbnail((side, side))
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=85)
    return f"data:image/jpeg;base64,{base64.b64encode(encoded.getvalue()).decode()}"
