"""The head begins as the answers beside principal components, learns from all views, and finds what is alike."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.decomposition import PCA
from tiny import one_thread, tiny_dataset, tiny_prepared, tiny_spaces, tiny_tagger, tiny_titles
from torch import Tensor, nn

from fashionmt.batch import TaggerOutput
from fashionmt.config import SimilarityConfig
from fashionmt.data.prepare import PreparedData
from fashionmt.data.splits import Split
from fashionmt.similarity import head_features, item_vectors
from fashionmt.training import similarity_head
from fashionmt.training.answers import Answers, collect_views
from fashionmt.training.similarity_head import fit_similarity_head, learn_similarity, starting_head, views_loss

_one_thread = pytest.fixture(scope="module", autouse=True)(one_thread)

CPU = torch.device("cpu")
COUNT = 300
QUICK = SimilarityConfig(size=8, epochs=20, batch_size=50)


def _views(seed: int = 0) -> list[Answers]:
    """Of items of six colours and four kinds: the whole ones say both in their answers, those seen by the picture alone
    answer nothing, and what they are stands in the embedding."""
    draw = torch.Generator().manual_seed(seed)
    labels = {"colour": torch.randint(0, 6, (COUNT,), generator=draw)}
    labels["kind"] = torch.randint(0, 4, (COUNT,), generator=draw)
    labels["noise"] = torch.randint(0, 3, (COUNT,), generator=draw)
    sure = {"colour": 5 * F.one_hot(labels["colour"], 6).float(), "kind": 5 * F.one_hot(labels["kind"], 4).float()}
    flat = {name: torch.zeros_like(value) for name, value in sure.items()}
    mix = torch.randn(10, 20, generator=torch.Generator().manual_seed(9))
    said = torch.cat([sure["colour"], sure["kind"]], dim=1) @ mix
    whole, picture = (said + 8 * torch.randn(COUNT, 20, generator=draw) for _ in range(2))
    return [
        Answers(sure, labels, whole, ["image+text"] * COUNT),
        Answers(flat, labels, picture, ["image"] * COUNT),
    ]


def _output(view: Answers) -> TaggerOutput:
    return TaggerOutput(view.logits, view.embedding)


def _precision(found: Tensor, gallery: Tensor, labels: dict[str, Tensor]) -> float:
    """Of the five nearest of each."""
    nearest = (found @ gallery.T).fill_diagonal_(-2).topk(5, dim=1).indices
    alike = torch.stack([labels[name][nearest] == labels[name][:, None] for name in ("colour", "kind")]).all(dim=0)
    return float(alike.float().mean())


def test_it_begins_as_the_answers_beside_principal_components() -> None:
    views = _views()
    shown = torch.stack([head_features(_output(view), {"colour": 1.0, "kind": 1.0}) for view in views])
    head = starting_head(shown, 20, 8)
    assert head.weight.shape == (8 + 10, 20 + 10)
    assert torch.equal(head.weight[8:, 20:], torch.eye(10))
    assert not head.weight[8:, :20].any()
    assert not head.weight[:8, 20:].any()
    assert not head.bias.any()
    components = PCA(8).fit(shown[..., :20].flatten(0, 1).double().numpy()).components_
    turned = head.weight[:8, :20].detach().double().numpy() @ components.T
    assert np.allclose(np.abs(turned), np.eye(8), atol=1e-3)  # but for their signs


def test_there_are_no_more_components_than_features() -> None:
    assert starting_head(torch.randn(2, 9, 7), 4, 128).weight.shape == (4 + 3, 7)


def test_the_loss_is_that_of_every_view_among_the_whole_items() -> None:
    draw = torch.Generator().manual_seed(0)
    shown, head = torch.randn(3, 5, 6, generator=draw), nn.Linear(6, 4)
    degrees = torch.rand(5, 5, generator=draw)
    degrees = ((degrees + degrees.T) / 2).fill_diagonal_(1)
    vectors = F.normalize(head(shown), dim=2).detach().double()
    losses = []
    for view in range(3):
        for i in range(5):
            candidates = [j for j in range(5) if view > 0 or j != i]
            exps = {j: math.exp(float(vectors[view, i] @ vectors[0, j]) / 0.3) for j in candidates}
            weights = {j: float(degrees[i, j]) for j in candidates}
            logs = {j: math.log(exps[j] / sum(exps.values())) for j in candidates}
            losses.append(-sum(weights[j] * logs[j] for j in candidates) / sum(weights.values()))
    found = views_loss(head, shown, degrees, 0.3)
    assert float(found.detach()) == pytest.approx(sum(losses) / 15, rel=1e-5)


def test_it_finds_what_is_alike_also_where_the_answers_are_flat() -> None:
    """On items that it did not learn from."""
    head = fit_similarity_head(_views(), ["colour", "kind"], QUICK, seed=0)
    unseen = _views(seed=1)
    labels = unseen[0].labels
    whole, picture = (item_vectors(head, _output(view)) for view in unseen)
    embedding = [item_vectors(None, _output(view)) for view in unseen]
    assert _precision(picture, whole, labels) > 0.1 + _precision(embedding[1], embedding[0], labels)
    assert _precision(whole, whole, labels) > 0.95


def test_only_the_attributes_that_make_items_alike_are_read() -> None:
    head = fit_similarity_head(_views(), ["kind"], QUICK, seed=0)
    assert list(head.temperatures) == ["kind"]
    assert head.weight.shape == (8 + 4, 20 + 4)
    head.check(20, {"colour": 6, "kind": 4})


def test_the_seed_decides() -> None:
    heads = [fit_similarity_head(_views(), ["colour", "kind"], QUICK, seed) for seed in (0, 0, 1)]
    assert torch.equal(heads[0].weight, heads[1].weight)
    assert not torch.equal(heads[0].weight, heads[2].weight)


def test_labels_that_are_missing_or_never_agree_are_no_nan() -> None:
    views = _views()
    views[0].labels["colour"][:] = -1
    views[0].labels["kind"][:] = torch.arange(COUNT)
    head = fit_similarity_head(views, ["colour", "kind"], QUICK, seed=0)
    assert bool(head.weight.isfinite().all())


@pytest.mark.parametrize("epochs", range(1, 21))
def test_it_learns_in_however_few_steps(epochs: int) -> None:
    """One batch an epoch."""
    views = _views()
    heads = [
        fit_similarity_head(views, ["colour", "kind"], replace(QUICK, epochs=count, batch_size=COUNT), seed=0)
        for count in (epochs, 1)
    ]
    assert all(bool(head.weight.isfinite().all()) for head in heads)
    assert torch.equal(heads[0].weight, heads[1].weight) is (epochs == 1)


@pytest.fixture
def data() -> PreparedData:
    items = tiny_dataset(40).items
    draw = np.random.default_rng(0)
    labels = {"colour": draw.integers(0, 4, 40), "season": draw.integers(-1, 3, 40)}
    split = Split(np.arange(30), np.arange(30, 35), np.arange(35, 40))
    return tiny_prepared(replace(items, labels=labels), split, tiny_spaces(), [None] * 40, tiny_titles())


def test_it_is_learned_from_training_rows_alone(data: PreparedData) -> None:
    tagger = tiny_tagger()
    config = SimilarityConfig(size=4, epochs=2, batch_size=8)
    head = learn_similarity(tagger, data, None, config, 0, CPU, 16)
    views = list(collect_views(tagger, data.dataset("train"), CPU, 16).values())
    expected = fit_similarity_head(views, list(data.spaces), config, 0)
    assert torch.equal(head.weight, expected.weight)
    assert list(head.temperatures) == list(data.spaces)
    assert list(learn_similarity(tagger, data, ["season"], config, 0, CPU, 16).temperatures) == ["season"]


def test_of_many_training_rows_some_are_drawn(data: PreparedData, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def fit(views: list[Answers], *rest: object) -> None:
        seen.append(len(views[0]))

    monkeypatch.setattr(similarity_head, "MOST", 12)
    monkeypatch.setattr(similarity_head, "fit_similarity_head", fit)
    learn_similarity(tiny_tagger(), data, None, SimilarityConfig(), 0, CPU, 16)
    assert seen == [12]
