"""The picture cache: decoded once, keyed by content, never half there."""

import errno
import hashlib
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fashionmt.config import PreprocessConfig
from fashionmt.data import picture_cache
from fashionmt.data.picture_cache import ABSENT, CHUNK, NO_ROW, PictureCache, open_pictures
from fashionmt.data.preprocess import decode_picture

Encode = Callable[..., bytes]
SIZE = (16, 12, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def pictures(tmp_path: Path, encode: Encode) -> list[Path]:
    """Five pictures of one colour each; the fourth is a copy of the second."""
    paths = [tmp_path / f"{i}.png" for i in range(5)]
    for path, shade in zip(paths, (10, 20, 30, 20, 50), strict=True):
        path.write_bytes(encode(np.full(SIZE, shade, np.uint8)))
    return paths


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Every picture that was decoded since."""
    seen: list[bytes] = []

    def counted(encoded: bytes, config: PreprocessConfig) -> Any:
        seen.append(encoded)
        return decode_picture(encoded, config)

    monkeypatch.setattr(picture_cache, "decode_picture", counted)
    return seen


def shown(cache: PictureCache) -> list[np.ndarray[Any, Any] | None]:
    return [None if row == NO_ROW else np.asarray(cache.pixels[row]) for row in cache.row]


def shades(cache: PictureCache) -> list[int | None]:
    found = shown(cache)
    assert all(pixels is None or len(np.unique(pixels)) == 1 for pixels in found)
    return [None if pixels is None else int(pixels[0, 0, 0]) for pixels in found]


def test_each_item_shows_what_decoding_its_own_file_gives(
    tmp_path: Path, folder: Path, encode: Encode, small: PreprocessConfig
) -> None:
    draw = np.random.default_rng(0)
    paths = [tmp_path / f"{i}.png" for i in range(30)]
    for path in paths:
        path.write_bytes(encode(draw.integers(0, 256, (*draw.integers(3, 40, 2), 3), dtype=np.uint8)))
    cache = open_pictures(paths, small, folder)
    assert cache.pixels.shape == (30, *SIZE)
    for path, pixels in zip(paths, shown(cache), strict=True):
        assert np.array_equal(pixels, decode_picture(path.read_bytes(), small))
    assert cache.digests == [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths]
    assert cache.problems == [None] * 30


def test_the_same_bytes_are_decoded_and_stored_once(
    pictures: list[Path], folder: Path, small: PreprocessConfig, decoded: list[bytes]
) -> None:
    cache = open_pictures(pictures, small, folder)
    assert len(decoded) == 4
    assert len(cache.pixels) == 4
    assert cache.row[1] == cache.row[3]
    assert shades(cache) == [10, 20, 30, 20, 50]


def test_a_second_open_decodes_nothing(
    pictures: list[Path], folder: Path, small: PreprocessConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_pictures(pictures, small, folder)
    monkeypatch.setattr(picture_cache, "decode_picture", lambda *_: pytest.fail("decoded again"))
    again = open_pictures(pictures, small, folder)
    assert np.array_equal(again.pixels, first.pixels)
    assert again.row.tolist() == first.row.tolist()
    assert (again.digests, again.problems) == (first.digests, first.problems)
    assert shades(open_pictures(pictures[::-1], small, folder)) == [50, 20, 30, 20, 10]


def test_moved_and_renamed_files_are_known_by_content(
    tmp_path: Path, pictures: list[Path], folder: Path, small: PreprocessConfig, decoded: list[bytes]
) -> None:
    open_pictures(pictures, small, folder)
    decoded.clear()
    moved = [path.rename(tmp_path / f"moved-{path.name}") for path in pictures]
    assert shades(open_pictures(moved, small, folder)) == [10, 20, 30, 20, 50]
    assert decoded == []


def test_changed_bytes_are_decoded_again(
    pictures: list[Path], folder: Path, small: PreprocessConfig, encode: Encode
) -> None:
    open_pictures(pictures, small, folder)
    stamp = pictures[2].stat()
    pictures[2].write_bytes(encode(np.full(SIZE, 99, np.uint8)))
    os.utime(pictures[2], ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # the time of change is not what counts
    assert shades(open_pictures(pictures, small, folder)) == [10, 20, 99, 20, 50]


@pytest.mark.parametrize(
    "other",
    [
        PreprocessConfig(height=12, width=16),
        PreprocessConfig(height=16, width=12, formats=["JPEG"]),
        PreprocessConfig(height=16, width=12, max_megapixels=0.0001),
        PreprocessConfig(height=16, width=12, max_megabytes=0.00001),
    ],
    ids=["size", "formats", "megapixels", "megabytes"],
)
def test_another_preprocessing_is_another_file(
    pictures: list[Path], folder: Path, small: PreprocessConfig, other: PreprocessConfig
) -> None:
    before = open_pictures(pictures, small, folder)
    cache = open_pictures(pictures, other, folder)
    assert len(list(folder.glob("*.u8"))) == 2
    assert cache.pixels.shape[1:] == (other.height, other.width, 3)
    if (other.height, other.width) == SIZE[:2]:
        assert all(cache.problems)
    assert shades(open_pictures(pictures, small, folder)) == [10, 20, 30, 20, 50]
    assert before.problems == [None] * 5


def test_problems_are_told_by_item(
    tmp_path: Path, pictures: list[Path], folder: Path, small: PreprocessConfig, encode: Encode
) -> None:
    text, gif = tmp_path / "text.png", tmp_path / "gif.png"
    text.write_bytes(b"not a picture")
    gif.write_bytes(encode(np.zeros(SIZE, np.uint8), "GIF"))
    cut = tmp_path / "cut.png"
    cut.write_bytes(pictures[0].read_bytes()[:60])
    paths = [pictures[0], text, None, tmp_path / "absent.png", cut, gif, text, pictures[1], tmp_path]
    for _ in range(2):  # decoded, then from the cache
        cache = open_pictures(paths, small, folder)
        assert shades(cache) == [10, None, None, None, None, None, None, 20, None]
        refused = "not a picture of JPEG, PNG, WEBP"
        assert [cache.problems[i] for i in (0, 1, 2, 3, 5, 6, 7)] == [
            None, refused, None, ABSENT, refused, refused, None,
        ]  # fmt: skip
        assert str(cache.problems[4]).startswith("damaged")
        assert str(cache.problems[8]).startswith("unreadable file")
        assert [digest is None for digest in cache.digests] == [False, False, True, True, *[False] * 4, True]


def test_a_subset_of_the_items_keeps_order_and_content(
    tmp_path: Path, pictures: list[Path], folder: Path, small: PreprocessConfig
) -> None:
    cache = open_pictures([*pictures, None, tmp_path / "absent.png"], small, folder).take([6, 4, 1, 5, 1])
    assert shades(cache) == [None, 50, 20, None, 20]
    assert cache.problems == [ABSENT, None, None, None, None]
    assert [digest is None for digest in cache.digests] == [True, False, False, True, False]


@pytest.mark.parametrize("paths", [[], [None], [None, None]])
def test_no_picture_at_all_is_no_error(paths: list[None], folder: Path, small: PreprocessConfig) -> None:
    for _ in range(2):
        cache = open_pictures(paths, small, folder)
        assert cache.pixels.shape == (0, *SIZE)
        assert cache.row.tolist() == [NO_ROW] * len(paths)
        assert cache.problems == cache.digests == paths
        assert cache.take([]).row.shape == (0,)


def test_more_pictures_than_a_chunk_stay_in_order(
    tmp_path: Path, folder: Path, small: PreprocessConfig, monkeypatch: pytest.MonkeyPatch, encode: Encode
) -> None:
    assert CHUNK > 100
    monkeypatch.setattr(picture_cache, "CHUNK", 7)
    paths = [tmp_path / f"{i}.png" for i in range(30)]
    for i, path in enumerate(paths):
        path.write_bytes(encode(np.full(SIZE, i, np.uint8)))
    assert shades(open_pictures(paths, small, folder)) == list(range(30))


# A full disk


class FullDisk(io.FileIO):
    """Takes a few writes, then there is no space left."""

    left = 2

    def write(self, content: Any) -> int:
        if self.left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self.left -= 1
        return super().write(content)


@pytest.mark.parametrize("full", ["pixels", "index"])
def test_a_full_disk_leaves_no_half_cache(
    pictures: list[Path], folder: Path, small: PreprocessConfig, full: str
) -> None:
    open_path, write_text = Path.open, Path.write_text

    def open_full(self: Path, mode: str = "r", *args: Any, **options: Any) -> Any:
        return FullDisk(self, mode) if mode == "wb" else open_path(self, mode, *args, **options)

    def write_full(self: Path, content: str, *args: Any, **options: Any) -> int:
        write_text(self, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        if full == "pixels":
            patch.setattr(Path, "open", open_full)
        else:
            patch.setattr(Path, "write_text", write_full)
        with pytest.raises(OSError, match="No space left") as failed:
            open_pictures(pictures, small, folder)
    assert failed.value.errno == errno.ENOSPC
    assert list(folder.glob("*.json")) == []
    assert list(folder.glob("*.tmp")) == []
    assert shades(open_pictures(pictures, small, folder)) == [10, 20, 30, 20, 50]


def test_what_a_kill_left_behind_does_no_harm(pictures: list[Path], folder: Path, small: PreprocessConfig) -> None:
    """Pixels without an index are no cache: they may be half written."""
    open_pictures(pictures, small, folder)
    (data,), (index,) = folder.glob("*.u8"), folder.glob("*.json")
    data.write_bytes(data.read_bytes()[:100])
    index.unlink()
    assert shades(open_pictures(pictures, small, folder)) == [10, 20, 30, 20, 50]
