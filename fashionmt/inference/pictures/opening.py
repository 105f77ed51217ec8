"""Chooses how pictures are read by what `images` names."""

from pathlib import Path

from fashionmt.errors import UserError
from fashionmt.inference.pictures.archives import TarPictures, ZipPictures
from fashionmt.inference.pictures.folder import FolderPictures
from fashionmt.inference.pictures.source import PictureLimits, PictureRefused, PictureSource
from fashionmt.inference.pictures.store import FsspecPictures
from fashionmt.inference.pictures.urls import UrlPictures
from fashionmt.problems import Code

ARCHIVES = {".zip": ZipPictures, ".tar": TarPictures, ".tar.gz": TarPictures, ".tgz": TarPictures}
WEB = ("http://", "https://")


def open_pictures(images: str | None, limits: PictureLimits) -> PictureSource | None:
    """Where a catalogue's pictures lie; None: it has none, as `images` is not set and addresses are not fetched.

    Raises `UserError` where `images` is no folder, .zip, .tar or location such as `s3://bucket/folder`.
    """
    if images is None and not limits.allow_urls:
        return None
    named = None if images is None else _open(images, limits)
    return RoutedPictures(named, UrlPictures(limits) if limits.allow_urls else None)


def check_pictures(images: str | None) -> None:
    """Raise `UserError` for a folder or file that is not there."""
    if images is not None and "://" not in images and not Path(images).exists():
        raise UserError(f"images={images}", "no such folder or file", "Check the path")


def _open(images: str, limits: PictureLimits) -> PictureSource:
    if "://" in images:
        return FsspecPictures(images, limits)
    check_pictures(images)
    path = Path(images)
    if path.is_dir():
        return FolderPictures(path, limits)
    for suffix, archive in ARCHIVES.items():
        if path.name.lower().endswith(suffix):
            return archive(path, limits)
    wrong = "neither a folder nor a .zip or .tar file, nor a location such as s3://bucket/folder"
    raise UserError(f"images={images}", wrong, "Give one of these")


class RoutedPictures:
    """Names that are web addresses are fetched, where that is allowed; all others are read where pictures lie."""

    def __init__(self, named: PictureSource | None, urls: PictureSource | None) -> None:
        self._named = named
        self._urls = urls

    def read(self, name: str) -> bytes:
        """A picture's encoded bytes. Raises `PictureRefused`."""
        if name[: len(WEB[-1])].lower().startswith(WEB):
            source, code, message = self._urls, Code.IMAGE_URL_REFUSED, "a web address: set allow_urls=true to fetch it"
        else:
            source, code, message = self._named, Code.IMAGE_NOT_FOUND, "a file's name, and images is not set"
        if source is None:
            raise PictureRefused.of(code, message)
        return source.read(name)

    def close(self) -> None:
        """Close both."""
        for source in (self._named, self._urls):
            if source is not None:
                source.close()
