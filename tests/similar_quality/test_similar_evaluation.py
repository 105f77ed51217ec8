"""Figures against a brute force over all pairs, in plain Python."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity
from tiny import one_thread
from torch import Tensor

from fashionmt.similar_quality.entrants import TitleWords, Vectors
from fashionmt.similar_quality.evaluation import Evaluation, Hubs, evaluate, hubs_of
from fashionmt.similar_quality.judged import Judged
from fashionmt.similar_quality.sheet import draw_queries
from fashionmt.similar_quality.table import markdown

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)

COUNT = 60


def _judged() -> Judged:
    draw = np.random.default_rng(0)
    labels = {"type": draw.integers(0, 3, COUNT), "colour": draw.integers(-1, 3, COUNT)}
    return Judged(labels, draw.integers(0, 25, COUNT).astype(str))


def _readable() -> dict[str, np.ndarray]:
    return {
        "picture": np.arange(COUNT) % 7 > 0,
        "title": np.ones(COUNT, dtype=bool),
        "both": np.ones(COUNT, dtype=bool),
    }


def _vectors() -> Vectors:
    draw = torch.Generator().manual_seed(0)
    items, picture = (F.normalize(torch.randn(COUNT, 5, generator=draw), dim=1) for _ in range(2))
    return Vectors("ours", items, {"picture": picture, "both": items})


def _brute_force(judged: Judged, queries: Tensor, items: Tensor, asked: Sequence[bool]) -> tuple[list[float], int]:
    """The means of NDCG, AP and recall at 10, and of how many queries."""
    figures = []
    for i in range(COUNT):
        labels = list(judged.labels.values())
        alike = {
            j
            for j in range(COUNT)
            if all(column[i] == column[j] >= 0 for column in labels) and judged.families[i] != judged.families[j]
        }
        if not alike or not asked[i]:
            continue
        others = [j for j in range(COUNT) if judged.families[j] != judged.families[i]]
        ranking = sorted(others, key=lambda j: (-float(queries[i] @ items[j]), j))[:10]
        hits = [j in alike for j in ranking]
        gained = sum(1 / math.log2(place + 2) for place, hit in enumerate(hits) if hit)
        ideal = sum(1 / math.log2(place + 2) for place in range(min(10, len(alike))))
        precisions = [sum(hits[: place + 1]) / (place + 1) for place, hit in enumerate(hits) if hit]
        figures.append((gained / ideal, sum(precisions) / min(10, len(alike)), sum(hits) / len(alike)))
    return [sum(column) / len(figures) for column in zip(*figures, strict=True)], len(figures)


def test_the_figures_are_those_of_a_brute_force() -> None:
    judged, vectors, readable = _judged(), _vectors(), _readable()
    evaluation = Evaluation(judged, readable, draws=20)
    found = evaluate(evaluation, [vectors], ["picture", "title", "both"])
    assert found["title"] == {}  # it cannot be asked by a title
    for kind in ("picture", "both"):
        expected, count = _brute_force(judged, vectors.queries[kind], vectors.items, readable[kind].tolist())
        metrics = found[kind]["ours"].metrics
        assert [metrics[name].value for name in ("NDCG@10", "MAP@10", "Recall@10")] == pytest.approx(expected)
        assert {metrics[name].items for name in metrics} == {count} == {evaluation.counts(kind)["queries"]}
        for estimate in metrics.values():
            assert estimate.low is not None
            assert estimate.high is not None
            assert estimate.value is not None
            assert estimate.low <= estimate.value <= estimate.high


def test_every_query_is_counted_once() -> None:
    evaluation = Evaluation(_judged(), _readable(), draws=5)
    counts = evaluation.counts("picture")
    assert sum(counts.values()) == COUNT
    assert counts["that cannot be asked"] == 9
    assert all(counts.values())


def test_a_perfect_ranking_finds_what_there_is_room_for() -> None:
    judged = Judged({"type": np.array([0] * 21 + [1, 1, 2])}, np.arange(24).astype(str))
    whole = {"both": np.ones(24, dtype=bool)}
    evaluation = Evaluation(judged, whole, draws=5)
    assert evaluation.best_recall("both") == pytest.approx((21 * 10 / 20 + 2 * 1) / 23)
    perfect = F.normalize(torch.eye(3)[torch.from_numpy(judged.labels["type"])])
    figures = evaluation.of(Vectors("perfect", perfect, {"both": perfect}), "both")
    assert figures.metrics["Recall@10"].value == pytest.approx(evaluation.best_recall("both"))
    assert figures.metrics["NDCG@10"].value == pytest.approx(1)
    assert figures.metrics["MAP@10"].value == pytest.approx(1)
    assert evaluation.counts("both") == {"queries": 23, "without a relevant item": 1, "that cannot be asked": 0}


def test_a_query_finds_its_own_product_where_it_is_not_left_out() -> None:
    judged = Judged({"type": np.zeros(30, dtype=np.int64)}, np.array([*"aabb", *map(str, range(26))]))
    items = torch.eye(30)
    evaluation = Evaluation(judged, {"both": np.ones(30, dtype=bool)}, draws=5)
    own = evaluation.of(Vectors("itself", items, {"both": items}), "both")
    assert own.itself.value == 1
    assert not set(own.found.rows[0].tolist()) & {0, 1}
    away = evaluation.of(Vectors("away", items, {"both": -items}), "both")
    # All others tie at 0 and come by row: none finds itself in the last place but by its family's other item.
    assert away.itself.value == pytest.approx(4 / 30)


def test_hubs_are_items_that_many_queries_find() -> None:
    even = torch.arange(20).view(10, 2)
    assert hubs_of(even, 20) == Hubs(0.0, 0.0)
    rows = torch.stack([torch.zeros(10, dtype=torch.int64), torch.arange(1, 11)], dim=1)
    times = np.array([10.0] + [1.0] * 10 + [0.0] * 9)
    skewness = ((times - times.mean()) ** 3).mean() / times.std() ** 3
    found = hubs_of(rows, 20)
    assert found.skewness == pytest.approx(skewness)
    assert found.never == 9 / 20
    assert hubs_of(torch.full((3, 2), -1), 4).never == 1


def test_titles_are_compared_by_their_words() -> None:
    train = ["red shirt", "blue shirt", "red wool scarf"]
    items = ["red shirt", "blue shirt", None, "a red scarf", "shirt shirt red", "unheard-of"]
    entrant = TitleWords(train, items)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit(train)
    texts = vectorizer.transform([item or "" for item in items])
    scores = cosine_similarity(texts)
    np.fill_diagonal(scores, -1)
    excluded = [torch.tensor([row]) for row in range(len(items))]
    for kind in entrant.kinds:
        found = entrant.search(kind, 2, excluded)
        for row in range(len(items)):
            best = sorted((j for j in range(len(items)) if j != row), key=lambda j: (-np.float32(scores[row, j]), j))
            assert torch.allclose(found.scores[row], torch.from_numpy(scores[row, best[:2]]).float(), atol=1e-6)
    assert list(entrant.kinds) == ["title", "both"]


def test_the_table_names_every_figure() -> None:
    evaluation = Evaluation(_judged(), _readable(), draws=20)
    figures = evaluate(evaluation, [_vectors()], ["picture", "both"])
    table = markdown(evaluation, figures, "the same type and colour")
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith("|")]
    assert len({len(row) for row in rows if "---" not in row[0]}) == 1
    ndcg = figures["picture"]["ours"].metrics["NDCG@10"]
    assert f"{ndcg.value:.4f} [{ndcg.low:.4f}, {ndcg.high:.4f}]" in table
    assert "that cannot be asked" in table


def test_queries_to_look_at_are_drawn_by_the_seed_from_those_that_count() -> None:
    evaluation = Evaluation(_judged(), _readable(), draws=5)
    drawn = draw_queries(evaluation, 10, 0)
    assert drawn == draw_queries(evaluation, 10, 0) != draw_queries(evaluation, 10, 1)
    assert len(set(drawn)) == 10
    assert all(row % 7 and evaluation.judged.relevant.counts[row] for row in drawn)
