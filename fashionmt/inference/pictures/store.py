"""Pictures in an object store, or wherever else fsspec has a driver for."""

import re
from typing import Any

import fsspec
from fsspec.asyn import sync

from fashionmt.errors import UserError
from fashionmt.inference.pictures.source import PictureLimits, PictureRefused, too_large
from fashionmt.problems import Code

ELSEWHERE = {
    **dict.fromkeys(("file", "local"), "Give the folder's path alone: images=<folder>"),
    **dict.fromkeys(("http", "https"), "Name the pictures by their whole addresses, and set allow_urls=true"),
}
"""A protocol that is not read by fsspec -> what to do: there, links and redirects would lead anywhere."""

UNHEARD_OF = re.compile("[\0-\x1f\x7f\ud800-\udfff]")
"""Control characters, and surrogates, which cannot be encoded."""


class FsspecPictures:
    """Objects by their path below a location such as `s3://bucket/folder`; credentials are found by its driver."""

    def __init__(self, url: str, limits: PictureLimits) -> None:
        """Raises `UserError` where `url` is no such location, or its driver is not installed."""
        protocol = url.partition("://")[0]
        if protocol in ELSEWHERE:
            raise UserError(f"images={url}", f"pictures are not read by {protocol}://", ELSEWHERE[protocol])
        if "::" in url:
            raise UserError(f"images={url}", "a chain of locations", "Give one: images=<protocol>://<folder>")
        try:
            fsspec.url_to_fs(url)
        except ImportError as error:
            wrong = f"needs a package that is not there ({str(error).rstrip('.')})"
            raise UserError(f"images={url}", wrong, "Install the one it names, with pip") from None
        except Exception as error:  # a driver raises whatever its own library does
            raise UserError(f"images={url}", f"cannot be opened ({error})", "Check it, and your credentials") from None
        self.url = url
        self.limits = limits

    def read(self, name: str) -> bytes:
        """An object's bytes. Raises `PictureRefused`."""
        _check(name)
        try:
            content = self._content(name)
        except FileNotFoundError:
            raise PictureRefused.of(Code.IMAGE_NOT_FOUND, "no such object") from None
        except IsADirectoryError:
            raise PictureRefused.of(Code.IMAGE_NOT_REGULAR_FILE, "a folder") from None
        except TimeoutError:
            raise PictureRefused.of(Code.IMAGE_TIMEOUT, f"not there after {self.limits.seconds:g} seconds") from None
        except Exception as error:  # as above
            raise PictureRefused.of(Code.IMAGE_READ_FAILED, error) from None
        if len(content) > self.limits.max_bytes:
            raise too_large(self.limits.max_bytes)
        return content

    def _content(self, name: str) -> bytes:
        """All of an object that is not too large, and of another one a byte more than may be."""
        # Kept by fsspec for this process and thread, so it costs nothing to ask again.
        files, root = fsspec.url_to_fs(self.url)
        path, end = f"{root.rstrip('/')}/{name}", self.limits.max_bytes + 1
        if files.async_impl:
            content: Any = sync(files.loop, files._cat_file, path, start=0, end=end, timeout=self.limits.seconds)
        else:
            content = files.cat_file(path, start=0, end=end)
        return bytes(content)

    def close(self) -> None:
        """What is open belongs to fsspec."""


def _check(name: str) -> None:
    """Raise `PictureRefused` for a name that could lead out of the location."""
    if name == "" or UNHEARD_OF.search(name):
        raise PictureRefused.of(Code.IMAGE_NOT_FOUND, "names a picture with a character that no object's name has")
    parts = re.split(r"[/\\]", name)
    if parts[0] == "" or ".." in parts or "://" in name or "::" in name:
        raise PictureRefused.of(Code.IMAGE_OUTSIDE_ROOT, "names a picture outside the picture folder")
