"""Arrays on the disk: the same numbers, no file that stays, and an error where the disk is full."""

from pathlib import Path

import numpy as np
import pytest

from fashionmt.data.mapped import mapped


@pytest.mark.parametrize("array", [np.arange(12, dtype=np.int32).reshape(4, 3), np.zeros((0, 3), np.float32)])
def test_it_is_the_same_array_and_leaves_no_file(array: np.ndarray, tmp_path: Path) -> None:
    found = mapped(array, tmp_path / "new")
    np.testing.assert_array_equal(found, array)
    assert found.dtype == array.dtype
    assert not list(tmp_path.rglob("*.*"))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_it_lies_on_the_disk(tmp_path: Path) -> None:
    assert isinstance(mapped(np.ones(5), tmp_path), np.memmap)
