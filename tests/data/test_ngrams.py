"""N-grams: scikit-learn's TF-IDF, known by hashes, the same in every process."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.pipeline import make_union

from fashionmt.data import ngrams
from fashionmt.data.ngrams import NgramArrays, NgramVocabulary

COLOURS = ["Red", "Blue", "Navy Blue", "Grey"]
KINDS = ["Shirt", "T-shirt", "Watch", "été Scarf"]
TITLES = [f"{colour} {kind} {word}" for colour in COLOURS for kind in KINDS for word in ("slim fit", "red", "slim")]
NEW = ["Teal shirt", "red RED reds", None, "", "\u200b", "靴", "Navy Blue Watch slim fit " * 20]


@pytest.fixture(scope="module")
def vocabulary() -> NgramVocabulary:
    return NgramVocabulary.learn(TITLES, 4)


def _table(found: NgramArrays, size: int) -> csr_array:
    return csr_array((found.weights, found.ids, found.starts), (len(found.starts) - 1, size))


@pytest.mark.parametrize("min_count", [1, 4])
@pytest.mark.parametrize("titles", [TITLES, NEW])
def test_the_weights_are_scikit_learns_tf_idf(titles: list[str | None], min_count: int) -> None:
    known = NgramVocabulary.learn(TITLES, min_count)
    options = {"binary": True, "min_df": min_count}
    count = make_union(
        CountVectorizer(ngram_range=(1, 2), **options),
        CountVectorizer(analyzer="char_wb", ngram_range=(2, 5), **options),
    )
    reference = TfidfTransformer().fit(count.fit_transform(TITLES))
    expected = reference.transform(count.transform([title or "" for title in titles]))
    found = _table(known.encode(titles), len(known))
    # Hashes number the n-grams in another order: what must agree is every title's weights, and what titles share.
    assert expected.shape[1] == len(known) - 1
    for row in range(len(titles)):
        np.testing.assert_allclose(np.sort(found[[row]].data), np.sort(expected[[row]].data), rtol=1e-6)
    trained, trained_expected = _table(known.encode(TITLES), len(known)), reference.transform(count.transform(TITLES))
    np.testing.assert_allclose((found @ trained.T).toarray(), (expected @ trained_expected.T).toarray(), atol=1e-6)


def test_titles_are_the_same_in_any_blocks_and_on_the_disk(
    vocabulary: NgramVocabulary, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    whole = vocabulary.encode(TITLES + NEW)
    monkeypatch.setattr(ngrams, "BLOCK", 5)
    learned = NgramVocabulary.learn(TITLES, 4)
    np.testing.assert_array_equal(learned.hashes, vocabulary.hashes)
    np.testing.assert_array_equal(learned.idf, vocabulary.idf)
    for found in (vocabulary.encode(TITLES + NEW), vocabulary.encode_mapped(TITLES + NEW, tmp_path)):
        for one, other in zip(vars(found).values(), vars(whole).values(), strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype


def test_a_title_has_norm_1_or_nothing(vocabulary: NgramVocabulary) -> None:
    found = vocabulary.encode(NEW)
    norms = np.sqrt(np.add.reduceat(np.append(found.weights, 0) ** 2, found.starts[:-1]) * (np.diff(found.starts) > 0))
    assert norms.tolist() == pytest.approx([1, 1, 0, 0, 0, 0, 1])


def test_ids_are_those_of_the_table_and_occur_once_a_title(vocabulary: NgramVocabulary) -> None:
    found = vocabulary.encode(TITLES + NEW)
    assert found.ids.min() >= 1
    assert found.ids.max() < len(vocabulary)
    for first, last in zip(found.starts[:-1], found.starts[1:], strict=True):
        assert len(set(found.ids[first:last].tolist())) == last - first


def test_the_vocabulary_is_the_same_in_every_process_and_order(vocabulary: NgramVocabulary) -> None:
    code = f"from fashionmt.data import NgramVocabulary; print(NgramVocabulary.learn({TITLES!r}, 4).hashes.tolist())"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(vocabulary.hashes.tolist())
    assert NgramVocabulary.learn(TITLES[::-1], 4).hashes.tolist() == vocabulary.hashes.tolist()


def test_a_word_and_the_same_letters_within_a_word_are_two_ngrams() -> None:
    known = NgramVocabulary.learn(["red"], 1)  # red; " r" re ed "d " " re" red "ed " " red" "red " " red "
    assert len(known) - 1 == 1 + 10


def test_no_title_at_all(vocabulary: NgramVocabulary, tmp_path: Path) -> None:
    assert vocabulary.encode([]).starts.tolist() == vocabulary.encode_mapped([], tmp_path).starts.tolist() == [0]
    assert vocabulary.encode_mapped([None] * 3, tmp_path).starts.tolist() == [0] * 4
    ids, weights = vocabulary.encode([None]).padded(np.array([0]))
    assert (ids.tolist(), weights.tolist()) == ([[0]], [[0.0]])
    none = NgramArrays.none(3)
    assert none.padded(np.array([2, 0]))[0].tolist() == [[0], [0]]


def test_a_vocabulary_may_be_empty() -> None:
    empty = NgramVocabulary.learn(["one", "other"], 3)
    assert len(empty) == 1
    assert empty.encode(["one", None]).starts.tolist() == [0, 0, 0]
