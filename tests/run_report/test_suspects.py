"""Suspects are those of confident learning, item by item; the CSV is safe to open."""

import csv
from pathlib import Path

import numpy as np
import pytest

from fashionmt.run_report import Head, HeldOut
from fashionmt.run_report.suspects import class_bars, find_suspects, guarded, save_suspects
from tests.run_report.conftest import SPACES, held_out, random_head

SPACE = SPACES["colour"]


def parts() -> list[HeldOut]:
    return [
        held_out(name, {"colour": random_head(SPACE, 200, seed)}) for seed, name in enumerate(("validation", "test"))
    ]


def test_they_are_those_of_a_loop_over_items() -> None:
    items = [
        (part, i, head.probabilities[i].astype(float), head.labels[i])
        for part in parts()
        for head in part.heads.values()
        for i in range(200)
    ]
    bars = [np.mean([p[k] for _, _, p, label in items if label == k]) for k in range(4)]
    expected = {
        (part.ids[i], SPACE.classes[p.argmax()])
        for part, i, p, label in items
        if 0 <= label < 4 and p.argmax() != label and p.max() >= bars[p.argmax()]
    }
    found = find_suspects(parts(), SPACE)
    assert 0 < len(expected) < 100
    assert {(s.part.ids[s.position], s.suggested) for s in found} == expected
    assert [s.confidence for s in found] == sorted((s.confidence for s in found), reverse=True)


def test_a_flipped_label_is_found_and_a_doubtful_one_is_not() -> None:
    labels = np.array([0] * 20 + [1] * 20)
    probabilities = np.tile(np.array([0.03, 0.97])[(labels[:, None] + np.array([1, 0])) % 2], 1).astype(np.float32)
    labels[3] = 1  # the model says 0 with 0.97
    probabilities[30] = [0.6, 0.4]  # a mistake, less sure than is usual for 0
    found = find_suspects([held_out("test", {"colour": Head(probabilities, probabilities.argmax(1), labels)})], SPACE)
    assert [(s.position, s.label, s.suggested) for s in found] == [(3, "blue", "black")]
    assert found[0].confidence == pytest.approx(0.97)


def test_a_class_that_no_label_names_is_never_suggested() -> None:
    probabilities = np.array([[0.1, 0.9, 0, 0], [0.9, 0.1, 0, 0]], dtype=np.float32)
    head = Head(probabilities, probabilities.argmax(1), np.array([0, 0]))
    assert class_bars([head], 4).tolist() == [pytest.approx(0.5), np.inf, np.inf, np.inf]
    assert find_suspects([held_out("test", {"colour": head})], SPACE) == []


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+A1", "'+A1"),
        ("-2+3", "'-2+3"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =1", "'  =1"),
        ("\t=1", "'\t=1"),
        ("\uff1dHYPERLINK()", "'\uff1dHYPERLINK()"),
        ("-12", "-12"),
        ("+3.5", "+3.5"),
        ("Red = nice", "Red = nice"),
        ("", ""),
    ],
)
def test_a_cell_that_a_spreadsheet_would_run_is_text(text: str, cell: str) -> None:
    assert guarded(text) == cell


def test_the_csv_holds_what_was_found(tmp_path: Path) -> None:
    titles = ['लाल कुर्ता, "नया"', "=cmd|' /C calc'!A0", None]
    probabilities = np.array([[0.1, 0.9, 0, 0], [0.2, 0.8, 0, 0], [0.6, 0.4, 0, 0]], dtype=np.float32)
    head = Head(probabilities, probabilities.argmax(1), np.array([0, 0, 1]))
    part = held_out("test", {"colour": head}, titles=titles, ids=["007", "-x", "3"])
    save_suspects(find_suspects([part], SPACE), tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["id", "attribute", "label", "suggested", "confidence", "title"],
        ["007", "colour", "black", "blue", "0.9000", titles[0]],
        ["'-x", "colour", "black", "blue", "0.8000", f"'{titles[1]}"],
        ["3", "colour", "blue", "black", "0.6000", ""],
    ]
