"""Contact sheets show the right items, worst first, in small pictures."""

import base64
import io

import numpy as np
from PIL import Image

from fashionmt.pages import SIDE, data_uri
from fashionmt.run_report import Head
from fashionmt.run_report.cards import SHEET, worst_mistakes
from tests.run_report.conftest import SPACES, held_out, random_head


def opened(uri: str) -> Image.Image:
    start = "data:image/jpeg;base64,"
    assert uri.startswith(start)
    return Image.open(io.BytesIO(base64.b64decode(uri.removeprefix(start))))


def test_a_picture_keeps_its_colours_and_is_made_small() -> None:
    pixels = np.zeros((300, 200, 3), dtype=np.uint8)
    pixels[..., 0] = 250
    picture = opened(data_uri(pixels))
    assert picture.size == (SIDE * 2 // 3, SIDE)
    assert np.abs(np.asarray(picture, dtype=int) - [250, 0, 0]).max() < 12


def test_a_small_picture_stays_as_it_is() -> None:
    assert opened(data_uri(np.zeros((80, 60, 3), dtype=np.uint8))).size == (60, 80)


def test_the_worst_mistakes_are_the_most_confident_ones() -> None:
    space = SPACES["colour"]
    part = held_out("test", {"colour": random_head(space, 300)})
    head = part.heads["colour"]
    wrong = [i for i in range(300) if head.labels[i] not in (-1, head.answers[i])]
    worst = sorted(wrong, key=lambda i: -head.probabilities[i].max())[:SHEET]
    cards = worst_mistakes(part, space)
    assert [card.id for card in cards] == [f"test-{i}" for i in worst]
    assert [card.label for card in cards] == [space.every_class[head.labels[i]] for i in worst]
    assert [card.answer for card in cards] == [space.classes[head.answers[i]] for i in worst]
    assert {card.picture is None for card in cards} == {True, False}


def test_the_answer_need_not_be_the_most_probable_class() -> None:
    head = Head(np.array([[0.5, 0.3, 0.2, 0.0]]), np.array([1]), np.array([0]))
    (card,) = worst_mistakes(held_out("test", {"colour": head}), SPACES["colour"])
    assert (card.label, card.answer, card.confidence) == ("black", "blue", 0.3)
