"""Whatever stands beside a good row, its tags are the same, and every row is in exactly one of tags and quarantine."""

import functools
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fashionmt.config import PredictConfig
from fashionmt.inference.quarantine import read_records
from fashionmt.inference.run import tag_catalogue

WORDS = ("Red Shirt", "Blue Jeans", "Black Belt", "", "White Sports Shoes", "Green Scarf")
GOOD = [f"{i},{WORDS[i % len(WORDS)]}\n".encode() for i in range(12)]
"""Every sixth has a picture alone."""
HOSTILE = [
    b'x1,"opened and not closed\n',
    b'"x2,opened\n',
    b"x3,\xff\xfe\n",
    b"x4,NUL\0byte\n",
    b",no id\n",
    b"x5,\n",
    b"../secret,\n",
    b"broken,\n",
    b"x6,a,b,c,d\n",
    b"x7\n",
    b'x8,"two\nlines"\n',
    b'x9,a "quoted" word\r\n',
    b"x10," + b"y" * 1_000_001 + b"\n",
    b"\n",
    b"=cmd|' /C calc'!A0,formula\n",
    b"/etc/passwd,\n",
]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    for i in range(0, len(GOOD), 3):
        Image.effect_noise((60, 80), 20.0 + i).convert("RGB").save(folder / f"{i}.jpg")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    return folder


def tag(
    lines: Sequence[bytes], photos: Path, trained: Path, **options: Any
) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """The tags and the quarantine of a catalogue of these lines."""
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "items.csv"
        table.write_bytes(b"id,productDisplayName\n" + b"".join(lines))
        settings = {"batch_size": 4, "part_rows": 8, "max_bad_fraction": 1.0, "early_stop": False} | options
        output = Path(folder) / "out"
        tag_catalogue(
            PredictConfig(
                bundle=str(trained / "bundle"), catalogue=str(table), images=str(photos), output=str(output), **settings
            )
        )
        tags = pd.concat([pd.read_parquet(path) for path in sorted(output.glob("part-*"))], ignore_index=True)
        records = [record for path in sorted(output.glob("quarantine-*")) for record in read_records(path)]
        return tags, records


@functools.cache
def alone(photos: Path, trained: Path) -> pd.DataFrame:
    """The good rows' tags by themselves, by id."""
    tags, records = tag(GOOD, photos, trained)
    assert records == []
    return tags.set_index("id")


def check_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """But for the last digits of confidences, which depend on the batch."""
    found, expected = found.drop(columns="row"), expected.drop(columns="row")
    numbers = [column for column in expected if column.endswith("_confidence")]
    lists = [column for column in expected if column.endswith("_top3")]
    assert ((found[numbers] - expected[numbers]).abs() < 1e-5).all().all()
    others = expected.columns.difference([*numbers, *lists])
    pd.testing.assert_frame_equal(found[others].astype(str), expected[others].astype(str))
    for column in lists:
        labels = [[each["label"] for each in cell] for cell in found[column]]
        assert labels == [[each["label"] for each in cell] for cell in expected[column]]


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, len(GOOD)), st.sampled_from(HOSTILE)), max_size=12),
    st.randoms(use_true_random=False),
)
def test_hostile_rows_anywhere_leave_every_good_row_as_it_is(
    photos: Path, trained: Path, planted: list[tuple[int, bytes]], shuffle: random.Random
) -> None:
    lines = shuffle.sample(GOOD, len(GOOD))
    for place, line in sorted(planted, key=lambda pair: -pair[0]):
        lines.insert(place, line)
    tags, records = tag(lines, photos, trained)
    good = tags[tags["id"].isin(alone(photos, trained).index)].set_index("id")
    assert good.index.tolist() == [line.split(b",")[0].decode() for line in lines if line in GOOD]
    check_same(good.sort_index(), alone(photos, trained).sort_index())
    rows = sorted([*tags["row"], *(record["row"] for record in records)])
    assert rows == list(range(len([line for line in lines if line != b"\n"])))


@pytest.mark.parametrize("options", [{"batch_size": 1, "part_rows": 1}, {"batch_size": 64, "part_rows": 64}])
def test_batches_and_parts_of_any_size_agree(photos: Path, trained: Path, options: dict[str, Any]) -> None:
    tags, _ = tag(GOOD, photos, trained, **options)
    check_same(tags.set_index("id"), alone(photos, trained))
