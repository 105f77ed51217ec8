"""Physical lines: as `bytes.splitlines` finds them, wherever the reading stops and goes on."""

import gzip
import tracemalloc
from pathlib import Path

import drawn_tables
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fashionmt.data.tables import Place, lines
from fashionmt.data.tables.lines import Line, Lookahead, physical_lines
from fashionmt.errors import UserError

CONTENTS = st.lists(st.sampled_from([b"a", b"bcd", b"\n", b"\r", b"\r\n", b"x" * 30, "é\u2028".encode()])).map(b"".join)


def expected(content: bytes) -> list[tuple[int, int, bytes]]:
    found, offset = [], 0
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        found.append((offset, number, line))
        offset += len(line)
    return found


@pytest.mark.parametrize("name", ["items.csv", "items.csv.gz"])
@given(content=CONTENTS, chunk=st.integers(1, 9))
def test_lines_are_those_of_splitlines_from_every_place(tmp_path: Path, name: str, content: bytes, chunk: int) -> None:
    path = drawn_tables.write(tmp_path, name, content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "CHUNK", chunk)
        whole = list(physical_lines(path, Place(0, 1)))
        assert whole == expected(content)
        for i, (offset, number, _) in enumerate(whole):
            assert list(physical_lines(path, Place(offset, number))) == whole[i:]


@given(content=CONTENTS, chunk=st.integers(1, 9), limit=st.integers(1, 12))
def test_a_line_that_is_too_long_is_cut_and_its_neighbours_are_not(
    tmp_path: Path, content: bytes, chunk: int, limit: int
) -> None:
    path = drawn_tables.write(tmp_path, "items.csv", content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "CHUNK", chunk)
        patch.setattr(lines, "MAX_BYTES", limit)
        found = list(physical_lines(path, Place(0, 1)))
    assert [line[:2] for line in found] == [line[:2] for line in expected(content)]
    for (*_, line), (*_, whole) in zip(found, expected(content), strict=True):
        assert line == whole or (limit < len(line) <= limit + 2 + chunk and whole.startswith(line[: limit + 1]))


def test_a_long_line_is_never_held(tmp_path: Path) -> None:
    path = tmp_path / "items.csv.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        file.write(b"a\n")
        for _ in range(64):
            file.write(b"x" * 1_000_000)
        file.write(b"\nb\n")
    tracemalloc.start()
    try:
        found = [(offset, number, line[:3]) for offset, number, line in physical_lines(path, Place(0, 1))]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == [(0, 1, b"a\n"), (2, 2, b"xxx"), (64_000_003, 3, b"b\n")]
    assert peak < 20_000_000


@given(
    count=st.integers(0, 12),
    steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=8),
)
def test_looking_ahead_changes_nothing_but_what_is_taken(count: int, steps: list[tuple[int, int]]) -> None:
    every = [(i, i, b"%d" % i) for i in range(count)]
    ahead, rest, plan = Lookahead(iter(every)), list(every), iter(steps)
    for line in ahead:
        assert line == rest.pop(0)
        look, take = next(plan, (0, 0))
        seen = [content for content, _ in zip(ahead.following(), range(look), strict=False)]
        assert seen == [content for *_, content in rest[:look]]
        taken = min(take, len(seen))
        assert ahead.take(taken) == seen[:taken]
        del rest[:taken]
    assert rest == []


LONG = b"".join(b"%d,title %d\n" % (i, i * 7919) for i in range(30_000))


@pytest.mark.parametrize("share", [0.3, 0.6, 0.99])
def test_the_lines_before_a_damage_are_read_and_the_last_is_named(tmp_path: Path, share: float) -> None:
    packed = gzip.compress(LONG, mtime=0)
    path = tmp_path / "items.csv.gz"
    path.write_bytes(packed[: int(share * len(packed))])
    found: list[Line] = []
    with pytest.raises(UserError) as refused:
        found.extend(physical_lines(path, Place(0, 1)))
    assert found == expected(LONG)[: len(found)]
    assert len(found) == pytest.approx(30_000 * share, rel=0.1)
    assert f"items.csv.gz after line {len(found)}: " in str(refused.value)


def test_a_damage_before_the_place_is_found_too(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(LONG, mtime=0))
    packed[1000] ^= 0xFF
    path = tmp_path / "items.csv.gz"
    path.write_bytes(packed)
    *_, (offset, number, _) = expected(LONG)
    with pytest.raises(UserError, match=r"items\.csv\.gz after line 0: .*Repair the file"):
        list(physical_lines(path, Place(offset, number)))
