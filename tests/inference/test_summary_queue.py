"""What is looked at first: the rows that teach most, no two alike in a row, whatever order they come in."""

import csv
import io
import random
from collections import Counter

import pytest

from fashionmt.attributes import LabelSpace
from fashionmt.inference.summary.review_queue import Candidate, best, to_csv
from fashionmt.inference.summary.riskiest import SHEET, Riskiest
from fashionmt.inference.summary.rows import Answer, Row

SPACES = {name: LabelSpace(name, ("a", "b", "c")) for name in ("type", "colour")}


def sure(value: str, confidence: float) -> Answer:
    return Answer(value, confidence, confidence >= 0.9)


def given(value: str, accepted: bool = True) -> Answer:
    return Answer(value, None, accepted)


def row(number: int, kind: Answer, colour: Answer, confidence: float | None = 0.5, item_id: str = "x") -> Row:
    return Row(number, item_id, {"type": kind, "colour": colour}, confidence, "why", "image+text")


def queued(*rows: Row) -> list[int]:
    return [each.row.row for each in best(Candidate.of(each) for each in rows)]


def test_the_value_is_the_number_of_tags_that_are_expected_to_change() -> None:
    assert Candidate.of(row(0, sure("a", 0.4), sure("b", 0.95))).value == pytest.approx(0.65)
    assert Candidate.of(row(0, given("a"), sure("b", 0.7))).value == pytest.approx(0.3)
    contradicted = Candidate.of(row(0, given("a", accepted=False), sure("b", 0.7)))
    assert (contradicted.value, contradicted.attribute, contradicted.answer) == (pytest.approx(1.3), "type", "a")


def test_most_doubt_comes_first_and_the_earlier_row_of_equals() -> None:
    rows = [row(0, sure("a", 0.8), given("a")), row(1, sure("b", 0.3), given("a")), row(2, sure("c", 0.8), given("a"))]
    assert queued(*rows) == queued(*rows[::-1]) == [1, 0, 2]


def test_rows_that_are_alike_stand_back_for_others() -> None:
    alike = [row(i, sure("a", 0.4), sure("a", 1.0)) for i in range(60)]
    others = [row(60, sure("b", 0.65), sure("a", 1.0)), row(61, sure("b", 1.0), sure("c", 0.75))]
    assert queued(*alike, *others)[:6] == [0, 60, 1, 61, 2, 3]
    # A plain order by doubt shows none of them in fifty.
    assert sorted(alike + others, key=lambda each: -Candidate.of(each).value)[:50] == alike[:50]


def test_the_top_holds_every_doubtful_class() -> None:
    chance = random.Random(0)
    weights = {"a": 0.9, "b": 0.07, "c": 0.03}
    labels = chance.choices(list(weights), list(weights.values()), k=3000)
    rows = [row(i, sure(label, chance.uniform(0.3, 0.8)), sure("a", 1.0)) for i, label in enumerate(labels)]
    top = Counter(each.answer for each in best(map(Candidate.of, rows))[:30])
    assert min(top.values()) >= 8


@pytest.mark.parametrize("seed", range(5))
def test_best_of_the_best_so_far_is_best_of_all(seed: int) -> None:
    chance = random.Random(seed)
    rows = [
        row(i, sure(chance.choice("aaab"), chance.choice([0.2, 0.4, 0.6, 0.8])), sure("a", chance.random()))
        for i in range(400)
    ]
    whole = best(map(Candidate.of, rows), 30)
    kept: list[Candidate] = []
    for some in (rows[i : i + 17] for i in range(0, 400, 17)):
        kept = best([*kept, *map(Candidate.of, some)], 30)
        assert len(kept) <= 30
    assert kept == whole == best(map(Candidate.of, rows))[:30]


def test_the_file_holds_the_queue_and_nothing_that_a_spreadsheet_would_run() -> None:
    rows = [row(3, given("=1+1", accepted=False), sure("-b", 0.5), item_id="@x"), row(4, sure("a", 0.8), sure("b", 1))]
    read = list(csv.DictReader(io.StringIO(to_csv(best(map(Candidate.of, rows)), ["type", "colour"]).decode())))
    assert [each["place"] for each in read] == ["1", "2"]
    assert read[0] == {
        "place": "1",
        "row": "3",
        "id": "'@x",
        "expected_mistakes": "1.5",
        "review_reasons": "why",
        "inputs": "image+text",
        "type": "'=1+1",
        "type_confidence": "",
        "colour": "'-b",
        "colour_confidence": "0.5",
    }


# The contact sheet's


def chosen(rows: list[Row]) -> list[int]:
    riskiest = Riskiest(SPACES)
    for i in range(0, len(rows), 7):
        riskiest.add(rows[i : i + 7])
    return [each.row for each in riskiest.chosen()]


def test_contradicted_items_come_first_then_the_least_confident() -> None:
    rows = [row(i, sure("a", 1.0), given("a"), confidence=i / 200) for i in range(100)]
    rows += [row(100 + i, given("a", accepted=False), given("b"), confidence=None) for i in range(40)]
    rows.append(row(140, given("a", accepted=False), given("b", accepted=False), None))
    half = SHEET // 2
    assert chosen(rows) == chosen(rows[::-1]) == [140, *range(100, 100 + half - 1), *range(half)]


def test_where_one_kind_has_few_the_other_has_more() -> None:
    doubtful = [row(i, sure("a", 1.0), given("a"), confidence=0.5) for i in range(60)]
    contradicted = [row(100 + i, given("a", accepted=False), given("b"), None) for i in range(60)]
    assert chosen([*doubtful, *contradicted[:3]]) == [100, 101, 102, *range(SHEET - 3)]
    assert chosen([*doubtful[:3], *contradicted]) == [*range(100, 100 + SHEET - 3), 0, 1, 2]
    assert chosen(doubtful[:5]) == [0, 1, 2, 3, 4]


def test_a_value_that_the_model_does_not_know_is_no_contradiction_and_all_given_is_no_risk() -> None:
    rows = [row(0, given("Teal", accepted=False), sure("a", 0.9), 0.9), row(1, given("a"), given("b"), None)]
    assert chosen(rows) == [0]
    assert not Riskiest(SPACES, contradicted=[], doubtful=[]).chosen()
