"""Label words in titles are found however they are written, and struck without harm to the rest."""

import pytest

from fashionmt.data.label_words import fold, label_words, names_any, strike, title_words

WORDS = label_words(["Navy Blue", "Grey", "Tshirts", "Men", "Casual Shoes", "Watches", "Face Wash and Cleanser"])


@pytest.mark.parametrize(
    "alike",
    [
        ("Men", "men", "Men's", "MENS", "Men\u2019s", "mens'", "man"),
        ("Women", "womens", "woman"),
        ("Grey", "gray", "Greys"),
        ("Watches", "watch"),
        ("Dresses", "Dress"),
        ("Boxes", "box"),
        ("Shoes", "shoe"),
        ("Accessories", "accessory"),
        ("Hoodies", "hoodie"),
        ("Ties", "tie"),
        ("Scarves", "scarf"),
        ("Gloves", "glove"),
        ("Jewellery", "jewelry"),
        ("Kids", "kid"),
        ("Sunglasses", "sunglasses"),
    ],
)
def test_one_word_in_several_forms_folds_to_one(alike: tuple[str, ...]) -> None:
    assert len({fold(word) for word in alike}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("men", "women"), ("boy", "boot"), ("tie", "tier"), ("dress", "drew"), ("bra", "brass"), ("shirt", "tshirt")],
)
def test_other_words_stay_apart(one: str, other: str) -> None:
    assert fold(one) != fold(other)


def test_the_words_of_labels_are_folded_and_without_function_words() -> None:
    assert label_words(["Navy Blue", "Men", "Face Wash and Cleanser"]) == {
        "navy",
        "blue",
        "man",
        "face",
        "wash",
        "cleanser",
    }


def test_a_title_holds_its_words_in_order_and_its_neighbours_as_one() -> None:
    assert title_words("Red t shirt") == {"red": 0, "redt": 0, "t": 1, "tshirt": 1, "shirt": 2}
    places = title_words("Nike Men's Navy T-shirts")
    assert [places[word] for word in ("nike", "man", "navy", "tshirt")] == [0, 1, 2, 3]
    assert title_words(None) == {}


@pytest.mark.parametrize(
    ("title", "left"),
    [
        ("Nike Men's Navy-Blue T-shirt", "Nike"),
        ("Nike Mens Blue Tshirts Pack", "Nike Pack"),
        ("Gray t shirt by Nike", "by Nike"),
        ("Puma Shoe - casual, Size 9", "Puma Size 9"),
        ("Womens shirt", "Womens shirt"),
        ("Bluetooth Watch", "Bluetooth"),
        ("Salt and Pepper", "Salt and Pepper"),
        ("Grey Men\u2019s Watch!", None),
        ("", None),
        (None, None),
    ],
)
def test_striking_removes_the_label_words_and_nothing_else(title: str | None, left: str | None) -> None:
    assert strike(title, WORDS) == left


def test_nothing_that_is_left_names_a_label() -> None:
    titles = ["Blue-grey men watch and shoes", "T T shirt Casual", "navy t-shirt's blue"]
    assert not any(names_any(strike(title, WORDS), WORDS) for title in titles)


def test_a_title_without_label_words_is_left_as_it_is() -> None:
    assert strike("  Café  au lait — No. 5 ", WORDS) == "Café au lait No. 5"
    assert strike("Red T.V. set", WORDS) == "Red T.V. set"


def test_a_title_names_its_label_by_one_word_of_it() -> None:
    colours = ["Navy Blue", "Red", "Multi"]
    assert names_any("Navy shirt", label_words(["Navy Blue"]))
    assert not names_any("Multicoloured shirt", label_words(colours))
    assert not names_any(None, label_words(colours))
