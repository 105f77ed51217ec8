"""A named file is below the folder, or there is a reason why not. The catalogue's tests hold many more names."""

from pathlib import Path

import pytest

from fashionmt.data.contained import find_contained
from fashionmt.problems import Code, Problem


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with a folder, a loop of links, and a link out of it."""
    root = tmp_path / "images"
    (root / "men").mkdir(parents=True)
    (root / "loop").symlink_to("loop")
    (root / "out").symlink_to(tmp_path)
    return root


@pytest.mark.parametrize(
    "name", ["1.jpg", "men/1.jpg", "men/../1.jpg", "./1.jpg", "absent/1.jpg", "é.jpg", "\udcff.jpg"]
)
def test_a_name_below_the_folder_is_a_path_below_it(name: str, root: Path) -> None:
    found = find_contained(root, name)
    assert isinstance(found, Path)
    assert found.is_relative_to(root)
    assert ".." not in found.parts


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("..", Code.IMAGE_OUTSIDE_ROOT),
        (".", Code.IMAGE_OUTSIDE_ROOT),
        ("", Code.IMAGE_OUTSIDE_ROOT),
        ("men/..", Code.IMAGE_OUTSIDE_ROOT),
        ("out", Code.IMAGE_OUTSIDE_ROOT),
        ("out/1.jpg", Code.IMAGE_OUTSIDE_ROOT),
        ("/1.jpg", Code.IMAGE_OUTSIDE_ROOT),
        ("loop", Code.IMAGE_NOT_REGULAR_FILE),
        ("loop/1.jpg", Code.IMAGE_NOT_REGULAR_FILE),
        ("\0", Code.IMAGE_NOT_FOUND),
        ("\ud800.jpg", Code.IMAGE_NOT_FOUND),
        ("men/\ud800.jpg", Code.IMAGE_NOT_FOUND),
    ],
)
def test_another_name_is_a_problem(name: str, code: Code, root: Path) -> None:
    found = find_contained(root, name)
    assert isinstance(found, Problem)
    assert found.code is code
    assert found.message.startswith("names a picture ")
