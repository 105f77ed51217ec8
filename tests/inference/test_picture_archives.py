"""Pictures in archives: by an index that misses none, whatever a header says, in little memory."""

import contextlib
import io
import os
import stat
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from picture_places import LIMITS, refusal, tar_member, write_tar, write_zip

from fashionmt.errors import UserError
from fashionmt.inference.pictures import PictureLimits, PictureRefused, TarPictures, ZipPictures, open_pictures
from fashionmt.problems import Code


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_of_two_members_with_one_name_the_last_counts(kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"p.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("1.jpg", b"first")
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr("1.jpg", b"last")
    else:
        write_tar(path, {"1.jpg": b"first"})
        write_tar(path, {"1.jpg": b"last"}, "a")
    source = open_pictures(str(path), LIMITS)
    assert source is not None
    assert source.read("1.jpg") == b"last"
    source.close()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_members_and_names_may_begin_with_the_folder_itself(kind: str, tmp_path: Path) -> None:
    """As `tar cf p.tar -C photos .` calls its members."""
    members = {"./1.jpg": b"one", ".//new/2.jpg": b"two", "3.jpg": b"three", "../4.jpg": b"four", ".5.jpg": b"five"}
    {"zip": write_zip, "tar": write_tar}[kind](tmp_path / f"p.{kind}", members)
    source = open_pictures(str(tmp_path / f"p.{kind}"), LIMITS)
    assert source is not None
    for name in ("1.jpg", "./1.jpg", "new/2.jpg", "./new/2.jpg", "3.jpg", "./3.jpg", ".5.jpg"):
        assert source.read(name) in members.values()
    assert (source.read("./1.jpg"), source.read("./3.jpg")) == (b"one", b"three")
    for name in ("4.jpg", "new/../1.jpg", "5.jpg", "/1.jpg", "2.jpg"):
        assert refusal(source, name) is Code.IMAGE_NOT_FOUND
    source.close()


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_threads_do_not_get_each_others_pictures(kind: str, tmp_path: Path) -> None:
    pictures = {f"{i}.jpg": bytes([i]) * 200_000 for i in range(16)}
    {"zip": write_zip, "tar": write_tar}[kind](tmp_path / f"p.{kind}", pictures)
    source = open_pictures(str(tmp_path / f"p.{kind}"), PictureLimits(200_000, 5))
    assert source is not None
    names = list(pictures) * 10
    with ThreadPoolExecutor(8) as pool:
        assert all(content == pictures[name] for name, content in zip(names, pool.map(source.read, names), strict=True))
    source.close()


def _changed(path: Path, old: bytes, new: bytes) -> None:
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new))


def test_a_zip_bomb_that_lies_of_its_size_is_refused_in_little_memory(tmp_path: Path) -> None:
    path, real, stated = tmp_path / "bomb.zip", struct.pack("<I", 50_000_000), struct.pack("<I", 900)
    write_zip(path, {"1.jpg": bytes(50_000_000)})
    source = ZipPictures(path, LIMITS)
    assert refusal(source, "1.jpg") is Code.IMAGE_TOO_MANY_BYTES
    source.close()
    _changed(path, real, stated)
    source = ZipPictures(path, LIMITS)
    tracemalloc.start()
    assert refusal(source, "1.jpg") is Code.IMAGE_READ_FAILED
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000
    source.close()


def test_damaged_members_are_refused_and_their_neighbours_read(tmp_path: Path) -> None:
    path = tmp_path / "p.zip"
    write_zip(path, {"1.jpg": b"first picture", "2.jpg": b"second picture"}, zipfile.ZIP_STORED)
    _changed(path, b"first picture", b"fIrst picture")
    source = ZipPictures(path, LIMITS)
    assert refusal(source, "1.jpg") is Code.IMAGE_READ_FAILED
    assert source.read("2.jpg") == b"second picture"
    source.close()


def test_any_damage_to_a_zip_is_a_refusal_or_a_user_error(tmp_path: Path) -> None:
    path = tmp_path / "p.zip"
    write_zip(path, {"1.jpg": b"a picture" * 9})
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            source = ZipPictures(path, LIMITS)
        except UserError:
            continue
        with contextlib.suppress(PictureRefused):
            assert source.read("1.jpg") == b"a picture" * 9
        source.close()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_that_could_unpack_without_bound_is_not_unpacked(method: int, tmp_path: Path) -> None:
    write_zip(tmp_path / "p.zip", {"1.jpg": b"one"}, method)
    source = ZipPictures(tmp_path / "p.zip", LIMITS)
    assert refusal(source, "1.jpg") is Code.IMAGE_READ_FAILED
    source.close()


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.zip"
    write_zip(path, {"1.jpg": b"one"})
    content = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        content[content.index(mark) + flags] |= 1
    path.write_bytes(content)
    source = ZipPictures(path, LIMITS)
    with pytest.raises(PictureRefused, match="encrypted") as refused:
        source.read("1.jpg")
    assert refused.value.problem.code is Code.IMAGE_READ_FAILED
    source.close()


def test_folders_and_links_in_an_archive_are_no_pictures(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "p.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.mkdir("folder")
        archive.writestr(zipfile.ZipInfo("bare/"), b"")
    kinds = {"link.jpg": tarfile.SYMTYPE, "hard.jpg": tarfile.LNKTYPE, "folder": tarfile.DIRTYPE}
    kinds |= {"device": tarfile.CHRTYPE, "pipe": tarfile.FIFOTYPE}
    with tarfile.open(tmp_path / "p.tar", "w") as tar:
        for name, kind in kinds.items():
            tar.addfile(tar_member(name, type=kind, linkname="/etc/passwd"))
    zipped, tarred = ZipPictures(tmp_path / "p.zip", LIMITS), TarPictures(tmp_path / "p.tar", LIMITS)
    assert {refusal(zipped, name) for name in ("link.jpg", "folder/", "bare/")} == {Code.IMAGE_NOT_REGULAR_FILE}
    assert {refusal(tarred, name) for name in kinds} == {Code.IMAGE_NOT_REGULAR_FILE}
    zipped.close()
    tarred.close()


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_names_are_found_in_every_kind_ofwrite_tar(format: int, tmp_path: Path) -> None:
    names = ["x" * 90 + f"/{i}.jpg" for i in range(3)] + (["y" * 300, "é" * 120] if format else [])
    with tarfile.open(tmp_path / "p.tar", "w", format=format) as archive:
        for name in names:
            archive.addfile(tar_member(name, name.encode()[:50]), io.BytesIO(name.encode()[:50]))
    source = TarPictures(tmp_path / "p.tar", LIMITS)
    assert [source.read(name) for name in names] == [name.encode()[:50] for name in names]
    source.close()


def _without_end(path: Path, length: int) -> bytes:
    return path.read_bytes()[:length]


def _damaged_header(path: Path, length: int) -> bytes:
    content = bytearray(path.read_bytes())
    content[1024 + 10] ^= 0xFF  # of the second member
    return bytes(content)


def _negative_size(path: Path, length: int) -> bytes:
    """Of the second member, so that its header comes next, for ever."""
    content = bytearray(path.read_bytes())
    content[1024 + 124 : 1024 + 136] = b"\xff" * 10 + b"\xfe\x00"
    content[1024 + 148 : 1024 + 156] = b" " * 8
    content[1024 + 148 : 1024 + 156] = f"{sum(content[1024:1536]):06o}\0 ".encode()
    return bytes(content)


@pytest.mark.parametrize(
    ("change", "length"),
    [(_without_end, 1500), (_without_end, 1600), (_without_end, 0), (_damaged_header, 0), (_negative_size, 0)],
    ids=["cut in a header", "cut in a member", "empty", "a damaged header", "a negative size"],
)
def test_a_damaged_tar_is_refused_and_loses_no_members_in_silence(
    change: Callable[[Path, int], bytes], length: int, tmp_path: Path
) -> None:
    path = tmp_path / "p.tar"
    write_tar(path, {"1.jpg": b"one", "2.jpg": b"two" * 100, "3.jpg": b"three"})
    path.write_bytes(change(path, length))
    with pytest.raises(UserError, match=r"not a \.tar file that can be read"):
        TarPictures(path, LIMITS)


def test_a_tar_that_shrinks_while_it_is_open_is_told(tmp_path: Path) -> None:
    write_tar(tmp_path / "p.tar", {"1.jpg": bytes(50_000)})
    source = TarPictures(tmp_path / "p.tar", PictureLimits(50_000, 5))
    os.truncate(tmp_path / "p.tar", 20_000)
    assert refusal(source, "1.jpg") is Code.IMAGE_READ_FAILED
    source.close()
