"""The worst pairs are those of a count by hand."""

from collections import Counter

import numpy as np

from fashionmt.attributes import LabelSpace
from fashionmt.run_report import Head
from fashionmt.run_report.confusion import MOST_CONFUSED, WORST_PAIRS, Confusion
from tests.run_report.conftest import SPACES, random_head


def head(answers: list[int], labels: list[int], classes: int = 4) -> Head:
    return Head(np.eye(classes, dtype=np.float32)[answers], np.array(answers), np.array(labels))


def test_pairs_are_counted_and_the_worst_come_first() -> None:
    space, given = SPACES["colour"], random_head(SPACES["colour"], 500)
    pairs = Confusion.of(given, space).worst_pairs()
    names = space.every_class
    labelled = [(names[t], names[a]) for t, a in zip(given.labels, given.answers, strict=True) if t >= 0]
    expected = Counter((true, answered) for true, answered in labelled if true != answered)
    totals = Counter(true for true, _ in labelled)
    assert [pair.count for pair in pairs] == sorted(expected.values(), reverse=True)[:WORST_PAIRS]
    for pair in pairs:
        assert pair.count == expected[pair.true, pair.answered]
        assert pair.share == pair.count / totals[pair.true]


def test_classes_are_chosen_by_mistakes_as_label_or_as_answer() -> None:
    confusion = Confusion.of(head([0, 0, 0, 1, 2], [0, 1, 1, 3, -1]), SPACES["colour"])
    assert confusion.most_confused().tolist() == [1, 0, 3]


def test_at_most_so_many_classes_are_chosen() -> None:
    space = LabelSpace("type", tuple(map(str, range(40))))
    answers = list(range(40))
    chosen = Confusion.of(head(answers, [*answers[1:], 0], 40), space).most_confused()
    assert len(chosen) == MOST_CONFUSED


def test_without_mistakes_or_labels_there_is_nothing_to_show() -> None:
    for labels in ([0, 1, 2], [-1, -1, -1]):
        confusion = Confusion.of(head([0, 1, 2], labels), SPACES["colour"])
        assert confusion.worst_pairs() == []
        assert len(confusion.most_confused()) == 0


def test_what_is_never_answered_is_named_with_its_items() -> None:
    confusion = Confusion.of(head([0, 0, 0, 0, 1], [1, 2, 4, 4, -1]), SPACES["colour"])
    assert list(confusion.never_answered().items()) == [("plum", 2), ("blue", 1), ("red", 1)]
