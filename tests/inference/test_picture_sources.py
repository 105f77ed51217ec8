"""Where pictures lie: each place hands over what it is asked for, nothing from outside, and never another exception."""

import asyncio
import os
import pickle
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.asyn import AsyncFileSystem
from fsspec.registry import _registry, known_implementations
from picture_places import LIMITS, refusal, write_tar, write_zip

from fashionmt.errors import UserError
from fashionmt.inference.pictures import (
    FolderPictures,
    FsspecPictures,
    PictureLimits,
    PictureRefused,
    PictureSource,
    RoutedPictures,
    UrlPictures,
    open_pictures,
    per_process,
)
from fashionmt.problems import Code

PICTURES = {"1.jpg": b"one", "a b/é.png": b"two", "2.jpg": bytes(1000)}
KINDS = ["folder", "zip", "tar", "memory"]
Place = Callable[[str], PictureSource]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place of each kind with `PICTURES`, one too large, and secrets around it."""
    pictures = PICTURES | {"large.jpg": bytes(1001)}
    root = tmp_path / "images"
    for name, content in pictures.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    (tmp_path / "secret").write_bytes(b"secret")
    memory = fsspec.filesystem("memory")
    memory.pipe({f"/shop/images/{name}": content for name, content in pictures.items()} | {"/shop/secret": b"secret"})
    write_zip(tmp_path / "p.zip", pictures)
    write_tar(tmp_path / "p.tar", pictures)
    named = {"folder": root, "zip": tmp_path / "p.zip", "tar": tmp_path / "p.tar", "memory": "memory://shop/images"}
    opened: list[PictureSource] = []

    def open_one(kind: str) -> PictureSource:
        source = open_pictures(str(named[kind]), LIMITS)
        assert source is not None
        opened.append(source)
        return source

    yield open_one
    for source in opened:
        source.close()
    memory.rm("/shop", recursive=True)


# What every place has in common


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_are_handed_over_byte_for_byte(kind: str, place: Place) -> None:
    source = place(kind)
    assert {name: source.read(name) for name in PICTURES} == PICTURES


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_absent_or_too_large_is_told(kind: str, place: Place) -> None:
    source = place(kind)
    assert refusal(source, "3.jpg") is Code.IMAGE_NOT_FOUND
    assert refusal(source, "a b/1.jpg") is Code.IMAGE_NOT_FOUND
    assert refusal(source, "1.jpg/x") is Code.IMAGE_NOT_FOUND
    assert refusal(source, "x" * 300) is Code.IMAGE_NOT_FOUND
    assert refusal(source, "large.jpg") is Code.IMAGE_TOO_MANY_BYTES


HOSTILE = [
    "",
    ".",
    "..",
    "/",
    "../secret",
    "a b/../../secret",
    "/etc/passwd",
    "//etc/passwd",
    "..\\secret",
    "\0",
    "1.jpg\0",
    "../secret\0.jpg",
    "\ud800",
    "a b/\ud800",
    "\udcff",
    "\n",
    "x" * 300,
    "x" * 100_000,
    "x/" * 5000,
    "../" * 5000 + "etc/passwd",
    "file:///etc/passwd",
    "file://{tmp}/secret",
    "{tmp}/secret",
    "memory://shop/secret",
    "x::memory://shop/secret",
    "memory:///shop/secret",
    "*",
    "?",
    "[12].jpg",
    "~",
    "a b",
    "a b/",
    "%2e%2e/secret",
    "http://169.254.169.254/",
    "HTTPS://localhost/secret",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_name_is_refused_and_nothing_else(kind: str, name: str, place: Place, tmp_path: Path) -> None:
    refusal(place(kind), name.replace("{tmp}", str(tmp_path)))


@pytest.mark.parametrize("kind", KINDS)
def test_threads_read_at_once(kind: str, place: Place) -> None:
    source, names = place(kind), list(PICTURES) * 200
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(source.read, names)) == [PICTURES[name] for name in names]


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_travels_to_another_process_as_its_settings(kind: str, place: Place) -> None:
    source = place(kind)
    source.read("1.jpg")
    packed = pickle.dumps(source)
    assert len(packed) < 1000
    arrived = pickle.loads(packed)  # noqa: S301
    assert arrived.read("a b/é.png") == b"two"
    arrived.close()
    assert source.read("2.jpg") == PICTURES["2.jpg"]


@pytest.mark.parametrize("kind", KINDS)
def test_reading_after_closing_opens_again(kind: str, place: Place) -> None:
    source = place(kind)
    source.close()
    assert source.read("1.jpg") == b"one"


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_forked_process_does_not_share_an_open_archive(
    kind: str, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    source: Any = place(kind)
    archive = source._named._archive
    mine = archive.get()
    assert archive.get() is mine
    monkeypatch.setattr(per_process.os, "getpid", lambda: -1)
    assert archive.get() is not mine
    assert source.read("1.jpg") == b"one"
    mine.close()


# Folders


def test_what_is_no_regular_file_is_refused_without_waiting(place: Place, tmp_path: Path) -> None:
    root, source = tmp_path / "images", place("folder")
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to("loop")
    (root / "there").symlink_to("pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        for name in ("pipe", "there", "loop", "a b", "socket", "loop/x"):
            assert refusal(source, name) is Code.IMAGE_NOT_REGULAR_FILE, name


def test_a_link_is_followed_inside_and_refused_where_it_leads_out(place: Place, tmp_path: Path) -> None:
    root, source = tmp_path / "images", place("folder")
    (root / "inside.jpg").symlink_to("a b/é.png")
    (root / "outside.jpg").symlink_to(tmp_path / "secret")
    (root / "up").symlink_to("..")
    (root / "dangling.jpg").symlink_to("nothing")
    assert source.read("inside.jpg") == b"two"
    assert source.read("up/images/1.jpg") == b"one"
    assert refusal(source, "outside.jpg") is Code.IMAGE_OUTSIDE_ROOT
    assert refusal(source, "up/secret") is Code.IMAGE_OUTSIDE_ROOT
    assert refusal(source, "dangling.jpg") is Code.IMAGE_NOT_FOUND


def test_a_link_put_there_after_the_check_is_not_followed(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = place("folder")
    (tmp_path / "images/late.jpg").symlink_to(tmp_path / "secret")
    monkeypatch.setattr("fashionmt.data.contained.os.path.islink", lambda _: False)
    assert refusal(source, "late.jpg") is Code.IMAGE_NOT_REGULAR_FILE


def test_an_unreadable_file_is_told(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    source = place("folder")
    monkeypatch.setattr("fashionmt.inference.pictures.folder.os.open", denied)
    assert refusal(source, "1.jpg") is Code.IMAGE_READ_FAILED


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts open files where the system lists them")
def test_refusals_leave_nothing_open(place: Place, tmp_path: Path) -> None:
    source = place("folder")
    os.mkfifo(tmp_path / "images/pipe")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        for name in ("a b", "pipe", "large.jpg", "3.jpg"):
            refusal(source, name)
    assert len(os.listdir("/proc/self/fd")) == before


# Stores


def test_an_object_over_the_limit_is_not_read_whole(monkeypatch: pytest.MonkeyPatch, place: Place) -> None:
    read: list[int] = []
    memory = type(fsspec.filesystem("memory"))
    whole = memory.cat_file

    def counted(*arguments: Any, **options: Any) -> bytes:
        content: bytes = whole(*arguments, **options)
        read.append(len(content))
        return content

    fsspec.filesystem("memory").pipe("/shop/images/huge.jpg", bytes(100_000))
    monkeypatch.setattr(memory, "cat_file", counted)
    assert refusal(place("memory"), "huge.jpg") is Code.IMAGE_TOO_MANY_BYTES
    assert read == [1001]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("..", Code.IMAGE_OUTSIDE_ROOT),
        ("../secret", Code.IMAGE_OUTSIDE_ROOT),
        ("a/../../secret", Code.IMAGE_OUTSIDE_ROOT),
        ("..\\secret", Code.IMAGE_OUTSIDE_ROOT),
        ("/shop/secret", Code.IMAGE_OUTSIDE_ROOT),
        ("\\secret", Code.IMAGE_OUTSIDE_ROOT),
        ("s3://other/secret", Code.IMAGE_OUTSIDE_ROOT),
        ("x::file:secret", Code.IMAGE_OUTSIDE_ROOT),
        ("", Code.IMAGE_NOT_FOUND),
        ("1.jpg\0", Code.IMAGE_NOT_FOUND),
        ("1.jpg\r\nX: y", Code.IMAGE_NOT_FOUND),
        ("\ud800", Code.IMAGE_NOT_FOUND),
    ],
)
def test_no_driver_hears_of_a_name_that_could_lead_out(
    name: str, code: Code, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = place("memory")
    monkeypatch.setattr(FsspecPictures, "_content", lambda *_: pytest.fail("asked for it"))
    assert refusal(source, name) is code


@pytest.mark.parametrize(
    ("raised", "code"),
    [
        (RuntimeError("AccessDenied\n<xml>" + "x" * 500), Code.IMAGE_READ_FAILED),
        (KeyError(), Code.IMAGE_READ_FAILED),
        (PermissionError("denied"), Code.IMAGE_READ_FAILED),
        (TimeoutError(), Code.IMAGE_TIMEOUT),
        (IsADirectoryError(), Code.IMAGE_NOT_REGULAR_FILE),
    ],
)
def test_whatever_a_driver_raises_is_a_refusal(
    raised: Exception, code: Code, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> bytes:
        raise raised

    monkeypatch.setattr(type(fsspec.filesystem("memory")), "cat_file", failing)
    assert refusal(place("memory"), "1.jpg") is code


def test_a_slow_store_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Slow(AsyncFileSystem):  # type: ignore[misc]
        protocol = "slow"

        async def _cat_file(self, path: str, **_: object) -> bytes:
            await asyncio.sleep(0.02 if "1" in path else 30)
            return path.encode()

    monkeypatch.setitem(_registry, "slow", Slow)
    source = FsspecPictures("slow://shop", PictureLimits(max_bytes=1000, seconds=0.1))
    assert source.read("1.jpg").endswith(b"shop/1.jpg")
    assert refusal(source, "2.jpg") is Code.IMAGE_TIMEOUT


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = {"class": "no_such_driver.FileSystem", "err": "Install no_such_driver to access the store."}
    monkeypatch.setitem(known_implementations, "absent", absent)
    with pytest.raises(UserError, match=r"images=absent://x: needs .*Install no_such_driver .*with pip"):
        FsspecPictures("absent://x", LIMITS)


# Choosing


@pytest.mark.parametrize(
    ("images", "told"),
    [
        ("nothing", "no such folder or file"),
        ("list.txt", r"neither a folder nor a \.zip or \.tar file, nor a location such as s3://"),
        ("text.zip", r"not a \.zip file"),
        ("text.tar", r"not a \.tar file"),
        ("p.tar.gz", "Decompress it first"),
        ("p.tgz", "Decompress it first"),
        ("hidden.tar", "Decompress it first"),
        ("nonsense://x", "cannot be opened .*nonsense"),
        ("file:///tmp", "Give the folder's path alone"),
        ("local:///tmp", "Give the folder's path alone"),
        ("https://shop.test/images", "set allow_urls=true"),
        ("memory://x::file:///etc", "a chain of locations"),
    ],
)
def test_what_cannot_be_opened_is_a_user_error(
    images: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("list.txt", "text.zip", "text.tar"):
        (tmp_path / name).write_text("a text of no great length")
    for name in ("p.tar.gz", "p.tgz", "hidden.tar"):
        write_tar(tmp_path / name, PICTURES, "w:gz")
    with pytest.raises(UserError, match=f"^images={images}: .*{told}"):
        open_pictures(images, LIMITS)


def test_without_images_a_catalogue_has_no_pictures_unless_addresses_are_fetched() -> None:
    assert open_pictures(None, LIMITS) is None
    source = open_pictures(None, PictureLimits(1000, 5, allow_urls=True))
    assert source is not None
    assert refusal(source, "1.jpg") is Code.IMAGE_NOT_FOUND
    assert refusal(source, "http://127.0.0.1/1.jpg") is Code.IMAGE_URL_REFUSED
    source.close()


class Told:
    """A source that answers with the name it was asked for."""

    def read(self, name: str) -> bytes:
        return name.encode()

    def close(self) -> None:
        pass


@pytest.mark.parametrize("name", ["http://shop.test/1.jpg", "HTTPS://shop.test/1.jpg"])
def test_a_web_address_is_fetched_only_if_that_is_switched_on(name: str, tmp_path: Path) -> None:
    off, on = RoutedPictures(FolderPictures(tmp_path, LIMITS), None), RoutedPictures(None, Told())
    with pytest.raises(PictureRefused, match="allow_urls=true") as refused:
        off.read(name)
    assert refused.value.problem.code is Code.IMAGE_URL_REFUSED
    assert on.read(name) == name.encode()
    assert refusal(on, f" {name}") is Code.IMAGE_NOT_FOUND


def test_limits_reach_every_place(tmp_path: Path) -> None:
    limits = PictureLimits(7, 3.0, redirects=1, allow_urls=True)
    source: Any = open_pictures(str(tmp_path), limits)
    assert source._named.limits == source._urls.limits == limits
    assert isinstance(source._urls, UrlPictures)
