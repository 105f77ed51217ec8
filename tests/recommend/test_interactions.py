"""Files of interactions: whose headers are understood, what is set aside and counted, and in what order events come."""

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fashionmt.data.tables.json_lines import KEY_LINES, LATE_KEYS
from fashionmt.errors import UserError
from fashionmt.recommend.asked import read_asked
from fashionmt.recommend.interactions import Filters, ReadInteractions, read_interactions
from fashionmt.recommend.times import parse_times

ROWS = {"007": 0, "7": 1, "NA": 2}
NOW = 1_700_000_000.0


def read(path: Path, filters: Filters | None = None) -> ReadInteractions:
    return read_interactions(path, ROWS, filters or Filters({}), "recommend.columns", NOW)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def found(result: ReadInteractions) -> dict[str, int]:
    return {what: count for (what, _), count in result.findings.counts.items()}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "user_id,item_id,timestamp\nu,007,1600000000\nu,7,1600000100\n"),
        ("a.inter", "user_id:token\titem_id:token\ttimestamp:float\nu\t007\t1600000000\nu\t7\t1600000100\n"),
        ("ratings.csv", "userId,movieId,rating,timestamp\nu,007,4.0,1600000000\nu,7,3.5,1600000100\n"),
        ("hm.csv", "t_dat,customer_id,article_id,price\n2020-09-13,u,007,0.1\n2020-09-14,u,7,0.2\n"),
        ("amazon.csv", "user_id,parent_asin,rating,timestamp\nu,007,5.0,1600000000000\nu,7,1.0,1600000100000\n"),
        (
            "a.jsonl",
            '{"user_id":"u","item_id":"007","timestamp":1600000000}\n'
            '{"user_id":"u","item_id":7,"timestamp":1600000100}\n',
        ),
    ],
)
def test_it_understands_the_headers_of(tmp_path: Path, name: str, text: str) -> None:
    result = read(written(tmp_path, name, text))
    assert result.events.users == ("u",)
    assert result.events.item.tolist() == [0, 1]
    assert result.events.time[0] == pytest.approx(1_600_000_000, abs=86_400)
    assert found(result) == {}


def test_gz_and_parquet_are_read_alike(tmp_path: Path) -> None:
    text = "user_id,item_id,timestamp\nu,007,1600000000\nv,7,1600000100\n"
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(text.encode()))
    table = pd.DataFrame({"user_id": ["u", "v"], "item_id": ["007", "7"], "timestamp": [1_600_000_000, 1_600_000_100]})
    table.to_parquet(tmp_path / "a.parquet")
    for name in ("a.csv.gz", "a.parquet"):
        events = read(tmp_path / name).events
        assert (events.users, events.item.tolist()) == (("u", "v"), [0, 1])


def test_nothing_is_lost_in_silence(tmp_path: Path) -> None:
    """Unknown items, an event that stands twice, times that are missing, no time, equal and in the future."""
    text = (
        "user_id,item_id,timestamp\n"
        "u,unknown,1600000000\nu,7,1600000300\nu,007,1600000100\nu,007,1600000100\n"
        "v,NA,\nv,7,soon\nv,007,1900000000\n"
        "w,7,1600000000\nw,007,1600000000\n"
        ",7,1600000000\nx,unknown,1600000000\n"
    )
    result = read(written(tmp_path, "a.csv", text))
    events = result.events
    assert events.users == ("u", "v", "w", "x")
    taken = {user: events.item[events.user == at].tolist() for at, user in enumerate(events.users)}
    assert taken == {"u": [0, 1], "v": [2, 1, 0], "w": [1, 0], "x": []}
    assert np.isnan(events.time[events.user == 1]).all()
    assert found(result) == {
        "rows without a user or an item": 1,
        "events with items that the catalogue lacks": 2,
        "events whose time is missing or no time": 2,
        "events dated in the future": 1,
        "events that stand twice, at one time": 1,
        "events at the same time as another of their user": 1,
    }


def test_rows_that_were_repaired_are_counted(tmp_path: Path) -> None:
    """Of JSON Lines a key that comes up late, of CSV absent fields; of events and of users."""
    lines = ['{"user_id": "u", "item_id": "7", "timestamp": 1600000000}'] * KEY_LINES
    lines.append('{"user_id": "u", "item_id": "007", "timestamp": 1600000000, "event": "view"}')
    path = written(tmp_path, "a.jsonl", "\n".join(lines))
    assert found(read(path))[LATE_KEYS] == 1
    assert read_asked(path, None, ()).findings.counts[LATE_KEYS, "repaired"] == 1
    short = written(tmp_path, "a.csv", "user_id,item_id,timestamp\nu,7,1600000000\nu,007\n")
    assert found(read(short))["rows with too few fields, the absent ones read as empty"] == 1


def test_without_a_column_of_times_the_file_is_the_order(tmp_path: Path) -> None:
    result = read(written(tmp_path, "a.csv", "user_id,item_id\nu,7\nv,NA\nu,007\nu,7\n"))
    assert result.events.item[result.events.user == 0].tolist() == [1, 0, 1]
    assert found(result) == {"events without a time": 4}


def test_rows_that_cannot_be_read_are_kept_apart(tmp_path: Path) -> None:
    result = read(written(tmp_path, "a.csv", "user_id,item_id,timestamp\nu,7,1,2,3\nu,007,1600000000\n"))
    assert [row.line for row in result.bad] == [2]
    assert len(result.events.item) == 1


def test_events_and_weights_are_filtered(tmp_path: Path) -> None:
    text = "user_id,item_id,timestamp,event,rating\nu,7,1,view,5\nu,007,2,buy,1\nu,NA,3,buy,4\nu,7,4,buy,many\n"
    result = read(written(tmp_path, "a.csv", text), Filters({}, ["buy"], 3.0))
    assert result.events.item.tolist() == [2]
    assert result.had.item.tolist() == [0, 1, 2]
    only_bought = read(tmp_path / "a.csv", Filters({}, ["buy"]))
    assert only_bought.had is only_bought.events
    assert sum(found(result).values()) == 3


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("who,item_id\nu,7\n", {}, "no column of users"),
        ("user_id,what\nu,7\n", {}, "no column of items"),
        ("user_id,item_id\nu,7\n", {"time": "when"}, "no column 'when'"),
    ],
)
def test_a_column_that_is_not_there_is_named(
    tmp_path: Path, text: str, columns: dict[str, str | None], said: str
) -> None:
    with pytest.raises(UserError, match=said):
        read(written(tmp_path, "a.csv", text), Filters(columns))


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        (Filters({}, ["buy"]), r"no column of events, and recommend\.events .*recommend\.columns\.event="),
        (Filters({}, (), 3.0), r"no column of weights, and recommend\.least_weight .*recommend\.columns\.weight="),
    ],
)
def test_events_are_not_left_out_by_a_column_that_is_not_there(tmp_path: Path, filters: Filters, said: str) -> None:
    path = written(tmp_path, "a.csv", "user_id,item_id,kind,stars\nu,7,view,1\n")
    with pytest.raises(UserError, match=said):
        read(path, filters)
    named = Filters({"event": "kind", "weight": "stars"}, filters.events, filters.least_weight)
    assert len(read(path, named).events.item) == 0


def test_a_named_column_goes_before_a_known_one(tmp_path: Path) -> None:
    text = "user_id,item_id,sku,timestamp\nu,7,NA,1600000000\n"
    assert read(written(tmp_path, "a.csv", text), Filters({"item": "sku"})).events.item.tolist() == [2]


@pytest.mark.parametrize(
    ("texts", "seconds"),
    [
        (["1600000000", "1600000001.5"], [1_600_000_000, 1_600_000_001.5]),
        (["1600000000000"], [1_600_000_000]),
        (["1600000000000000"], [1_600_000_000]),
        (["1600000000000000000"], [1_600_000_000]),
        (["2020-09-13", "2020-09-13T12:26:40Z", "2020-09-13T14:26:40+02:00"], [1_599_955_200, 1.6e9, 1.6e9]),
        (["", "inf", "yesterday"], [np.nan] * 3),
        ([], []),
    ],
)
def test_times(texts: list[str], seconds: list[float]) -> None:
    np.testing.assert_allclose(parse_times(texts), seconds)
