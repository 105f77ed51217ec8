"""Where batch tagging gets an item's encoded picture from."""

from fashionmt.inference.pictures.archives import TarPictures, ZipPictures
from fashionmt.inference.pictures.folder import FolderPictures
from fashionmt.inference.pictures.opening import RoutedPictures, check_pictures, open_pictures
from fashionmt.inference.pictures.source import PictureLimits, PictureRefused, PictureSource
from fashionmt.inference.pictures.store import FsspecPictures
from fashionmt.inference.pictures.urls import UrlPictures

__all__ = [
    "FolderPictures",
    "FsspecPictures",
    "PictureLimits",
    "PictureRefused",
    "PictureSource",
    "RoutedPictures",
    "TarPictures",
    "UrlPictures",
    "ZipPictures",
    "check_pictures",
    "open_pictures",
]
