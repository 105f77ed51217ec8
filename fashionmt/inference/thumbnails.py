"""Pictures of items as people look at them on a page."""

from dataclasses import replace
from pathlib import Path

from fashionmt.config import PreprocessConfig
from fashionmt.data.preprocess import PictureError, decode_picture, read_encoded
from fashionmt.inference.items import Picture, StoredPicture
from fashionmt.pages import data_uri

SIDE = 160
"""Pixels of a picture's longer side: more than the model sees, as a person looks."""
NO_PICTURE = "no picture"


def thumbnail(picture: Picture | None, config: PreprocessConfig) -> tuple[str | None, str]:
    """(data URI or None, why None), of a file or a stored picture."""
    scale = SIDE / max(config.height, config.width)
    larger = replace(config, height=round(scale * config.height), width=round(scale * config.width))
    try:
        if isinstance(picture, StoredPicture):
            return data_uri(decode_picture(picture.read(), larger), SIDE), ""
        if isinstance(picture, str | Path):
            return data_uri(decode_picture(read_encoded(Path(picture), larger), larger), SIDE), ""
    except PictureError as error:
        return None, f"{error.problem.code}: {error.problem.message}"
    except OSError as error:
        return None, str(error.strerror or error)
    return None, NO_PICTURE
