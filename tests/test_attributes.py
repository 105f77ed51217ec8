"""Label spaces: name <-> index, holes masked, unlearned classes past the last logit."""

import json

import numpy as np
import pytest
from sklearn.preprocessing import LabelEncoder

from fashionmt.attributes import MISSING, LabelSpace


def test_labels_encode_as_scikit_learn_encodes_them() -> None:
    labels = ["Red", "Blue", "NA", "Blue", "007", "é", "Red"]
    encoder = LabelEncoder().fit(labels)
    space = LabelSpace("colour", tuple(encoder.classes_.tolist()))
    assert space.encode(labels).tolist() == encoder.transform(labels).tolist()
    assert [space.classes[i] for i in space.encode(labels)] == labels


def test_a_hole_is_missing_and_missing_is_no_class() -> None:
    space = LabelSpace("colour", ("Blue", "Red"), ("Teal",))
    encoded = space.encode(["Red", None, "Teal", "Blue", None])
    assert encoded.tolist() == [1, MISSING, 2, 0, MISSING]
    assert encoded.dtype == np.int64
    assert MISSING not in range(len(space.every_class))


def test_unlearned_classes_have_an_index_and_no_logit() -> None:
    space = LabelSpace("colour", ("Blue", "Red"), ("Aqua", "Teal"))
    assert len(space) == 2
    assert space.every_class == ("Blue", "Red", "Aqua", "Teal")
    assert (space.encode(["Aqua", "Teal"]) >= len(space)).all()


def test_no_labels_encode_to_no_indices() -> None:
    encoded = LabelSpace("colour", ("Blue", "Red")).encode([])
    assert encoded.shape == (0,)
    assert encoded.dtype == np.int64


@pytest.mark.parametrize("name", ["red", "Red ", "", "Green"])
def test_an_unknown_name_is_a_key_error(name: str) -> None:
    with pytest.raises(KeyError, match=f"^{name!r}$"):
        LabelSpace("colour", ("Blue", "Red")).encode(["Red", name])


def test_what_is_stored_comes_back_as_the_classes_a_head_answers_with() -> None:
    space = LabelSpace("colour", ("Blue", "NA", "Röt", "a,b"), ("Teal",))
    back = LabelSpace.from_json(json.loads(json.dumps(space.to_json())))
    assert back == LabelSpace("colour", space.classes)
    assert back.encode(["Röt", None]).tolist() == [2, MISSING]


def test_what_is_read_as_no_label_is_stored_and_says_no_value() -> None:
    space = LabelSpace("colour", ("Blue", "Red"), missing=("", "N/A", " ? "))
    stored = json.loads(json.dumps(space.to_json()))
    back = LabelSpace.from_json(stored)
    assert back == space
    assert [back.stated(text) for text in ("", "  ", "N/A", " N/A ", " ? ")] == [None] * 5
    assert [back.stated(text) for text in ("n/a", " Red")] == ["n/a", "Red"]
    del stored["missing"]  # as bundles of before are
    assert LabelSpace.from_json(stored).missing == ("",)
    assert LabelSpace.from_json(stored).stated("N/A") == "N/A"
