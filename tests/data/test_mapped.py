"""Arrays and texts on the disk: the same as in memory, no file that stays, and an error where the disk is full."""

from pathlib import Path

import numpy as np
import pyarrow
import pytest

from fashionmt.data import mapped_texts
from fashionmt.data.mapped import mapped, mapped_ends
from fashionmt.data.mapped_texts import MappedTexts, chosen_rows, mapped_table

TEXTS = ["Blue Shirt", None, "", "Ärmel 袖 👗", None, "a\0b", "x" * 5000]
SCHEMA = pyarrow.schema([("id", pyarrow.large_string()), ("picture", pyarrow.large_binary())])


def no_file_stays(folder: Path) -> bool:
    return not [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture(params=[1, 2, 3, 8192])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Rows at a time."""
    size: int = request.param
    monkeypatch.setattr(mapped_texts, "BLOCK", size)
    return size


# Arrays


@pytest.mark.parametrize(
    "array", [np.arange(12, dtype=np.int32).reshape(4, 3), np.zeros((0, 3), np.float32), np.zeros(5, np.bool_)]
)
def test_it_is_the_same_array_and_leaves_no_file(array: np.ndarray, tmp_path: Path) -> None:
    found = mapped(array, tmp_path / "new")
    np.testing.assert_array_equal(found, array)
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert no_file_stays(tmp_path)


def test_it_lies_on_the_disk_and_cannot_be_written(tmp_path: Path) -> None:
    found = mapped(np.ones(5), tmp_path)
    assert isinstance(found, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        found[0] = 2


@pytest.mark.parametrize("lengths", [[3, 0, 2], [0], [0, 0], [1]])
def test_parts_lie_end_to_end(lengths: list[int], tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    parts = [(draw.integers(0, 9, length, np.int32), draw.random(length, np.float32)) for length in lengths]
    found = mapped_ends(iter(parts), tmp_path)
    for array, expected in zip(found, zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(array, np.concatenate(expected))
        assert array.dtype == expected[0].dtype
    assert no_file_stays(tmp_path)


# Texts


def test_texts_are_the_same(block: int, tmp_path: Path) -> None:
    found = MappedTexts[str | None].written(iter(TEXTS), tmp_path / "new")
    assert list(found) == TEXTS
    assert [found[i] for i in range(-len(TEXTS), len(TEXTS))] == TEXTS * 2
    assert found[np.int64(3)] == TEXTS[3]  # type: ignore[call-overload]
    assert [found[i:j] for i in range(8) for j in range(8)] == [TEXTS[i:j] for i in range(8) for j in range(8)]
    assert len(found) == len(TEXTS)
    with pytest.raises(IndexError):
        found[len(TEXTS)]
    assert no_file_stays(tmp_path)


def test_no_texts_are_none(block: int, tmp_path: Path) -> None:
    found = MappedTexts[str].written([], tmp_path)
    assert (list(found), len(found), found[:3]) == ([], 0, [])


@pytest.mark.parametrize("rows", [[], [0], [1, 2, 3, 9], [0, 4, 5, 8], list(range(10))])
def test_chosen_rows_keep_their_order_and_all_their_columns(rows: list[int], block: int, tmp_path: Path) -> None:
    records = [{"id": str(i), "picture": None if i % 3 else bytes([200, i])} for i in range(10)]
    table = mapped_table(records, SCHEMA, tmp_path)
    assert table.to_pylist() == records
    found = chosen_rows(table, np.array(rows, np.int64), tmp_path)
    assert found.to_pylist() == [records[row] for row in rows]
    assert no_file_stays(tmp_path)


def test_reading_takes_no_memory_of_arrows(tmp_path: Path) -> None:
    before = pyarrow.total_allocated_bytes()
    found = MappedTexts[str].written((f"{i:09}" for i in range(100_000)), tmp_path)
    assert found[99_999] == "000099999"
    assert pyarrow.total_allocated_bytes() - before < 100_000
