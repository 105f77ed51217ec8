"""Pictures in a .zip or .tar file: found by an index that is read once."""

import stat
import struct
import tarfile
import threading
import zipfile
import zlib
from functools import partial
from pathlib import Path
from typing import BinaryIO, ClassVar, Protocol

from fashionmt.errors import UserError
from fashionmt.inference.pictures.per_process import PerProcess
from fashionmt.inference.pictures.source import PictureLimits, PictureRefused, read_declared
from fashionmt.problems import Code

COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")  # gzip, bzip2, xz, zstd
# bzip2 and LZMA members are not read: the zipfile module unpacks them without a bound.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
BROKEN = (OSError, EOFError, ValueError, RuntimeError, ArithmeticError, MemoryError, struct.error, zlib.error)
"""What zipfile and tarfile raise besides errors of their own; RuntimeError also where a member is encrypted."""


class Archive(Protocol):
    """An archive that is open."""

    def __init__(self, path: Path) -> None: ...

    def read(self, name: str, max_bytes: int) -> bytes:
        """A member's bytes. Raises `PictureRefused`."""

    def close(self) -> None:
        """Close its file."""


class _ArchivePictures:
    """The members of an archive by their name, with or without a leading `./`; of two with one name the last counts."""

    archive: ClassVar[type[Archive]]

    def __init__(self, path: Path, limits: PictureLimits) -> None:
        """Reads the index. Raises `UserError` where `path` is no such archive."""
        self.path = path
        self.limits = limits
        self._archive: PerProcess[Archive] = PerProcess(partial(self.archive, path))
        self._archive.get()

    def read(self, name: str) -> bytes:
        """A member's bytes. Raises `PictureRefused`."""
        return self._archive.get().read(_plain(name), self.limits.max_bytes)

    def close(self) -> None:
        """Close the archive's file."""
        self._archive.close()


class ZipArchive:
    """An open .zip file. Members are named without a leading `./`."""

    def __init__(self, path: Path) -> None:
        """Raises `UserError` where it cannot be read."""
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, *BROKEN) as error:
            raise _unreadable(path, ".zip", error) from None
        self._members = {_plain(member.filename): member for member in self._zip.infolist()}
        self._lock = threading.Lock()

    def read(self, name: str, max_bytes: int) -> bytes:
        """A member's bytes. Raises `PictureRefused`."""
        if (member := self._members.get(name)) is None:
            raise _absent()
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG) or member.is_dir():
            raise _not_regular()
        if member.compress_type not in METHODS:
            raise PictureRefused.of(Code.IMAGE_READ_FAILED, "neither stored nor deflated in the archive")
        try:
            return self._content(member, max_bytes)
        except (zipfile.BadZipFile, *BROKEN) as error:
            raise _failed(error) from None

    def _content(self, member: zipfile.ZipInfo, max_bytes: int) -> bytes:
        # The zipfile module locks where it reads, but not where it counts its open members.
        with self._lock:
            file = self._zip.open(member)
        try:
            return read_declared(file, member.file_size, max_bytes)
        finally:
            with self._lock:
                file.close()

    def close(self) -> None:
        """Close its file."""
        self._zip.close()


class TarArchive:
    """An open .tar file. Members are named without a leading `./`."""

    def __init__(self, path: Path) -> None:
        """Raises `UserError` where it is compressed or cannot be read to its end."""
        try:
            self._file = path.open("rb")
        except OSError as error:
            raise _unreadable(path, ".tar", error) from None
        try:
            self._places = _places(self._file)
        except (tarfile.TarError, *BROKEN) as error:
            self._file.seek(0)
            packed = self._file.read(8).startswith(COMPRESSED)
            self._file.close()
            raise _compressed(path) if packed else _unreadable(path, ".tar", error) from None
        self._lock = threading.Lock()

    def read(self, name: str, max_bytes: int) -> bytes:
        """A member's bytes. Raises `PictureRefused`."""
        if name not in self._places:
            raise _absent()
        place = self._places[name]
        if place is None:
            raise _not_regular()
        start, size = place
        try:
            with self._lock:
                self._file.seek(start)
                content = read_declared(self._file, size, max_bytes)
        except BROKEN as error:
            raise _failed(error) from None
        if len(content) < size:
            raise _failed("it ends early")
        return content

    def close(self) -> None:
        """Close its file."""
        self._file.close()


class ZipPictures(_ArchivePictures):
    """The pictures in a .zip file."""

    archive = ZipArchive


class TarPictures(_ArchivePictures):
    """The pictures in a .tar file, which may not be compressed: of such a file no member can be read by itself."""

    archive = TarArchive


def _places(file: BinaryIO) -> dict[str, tuple[int, int] | None]:
    """Member -> (start, size) of its bytes, or None for a folder, a link, a device or a file with holes."""
    places: dict[str, tuple[int, int] | None] = {}
    with tarfile.open(fileobj=file, mode="r:") as archive:
        while (member := archive.next()) is not None:
            if member.size < 0:
                raise tarfile.ReadError("a member of negative size")  # older versions would read in a circle
            plain = member.isreg() and not member.issparse()
            places[_plain(member.name)] = (member.offset_data, member.size) if plain else None
            archive.members.clear()  # type: ignore[attr-defined]  # they would all be kept
        file.seek(archive.offset)
    # A header that cannot be read looks to the tarfile module like the end, which is zeros.
    if file.read(tarfile.BLOCKSIZE).strip(b"\0"):
        raise tarfile.ReadError("a header is damaged")
    return places


def _plain(name: str) -> str:
    """`tar cf p.tar -C photos .` calls its members `./1.jpg`."""
    while name.startswith("./"):
        name = name[2:].lstrip("/")
    return name


def _unreadable(path: Path, kind: str, error: Exception) -> UserError:
    return UserError(f"images={path}", f"not a {kind} file that can be read ({error})", "Make it anew, or unpack it")


def _compressed(path: Path) -> UserError:
    wrong = "a compressed .tar file, of which no picture can be read by itself"
    return UserError(f"images={path}", wrong, "Decompress it first, with gunzip, say, or unpack it")


def _absent() -> PictureRefused:
    return PictureRefused.of(Code.IMAGE_NOT_FOUND, "not in the archive")


def _not_regular() -> PictureRefused:
    return PictureRefused.of(Code.IMAGE_NOT_REGULAR_FILE, "not a regular file in the archive")


def _failed(error: object) -> PictureRefused:
    return PictureRefused.of(Code.IMAGE_READ_FAILED, f"cannot be read from the archive ({error})")
