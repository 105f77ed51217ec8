"""Learns what items are compared by, when a training run ends: of the frozen tagger, on its training rows.

An item's views (whole, by the picture alone, by the title alone) are drawn to the whole items that share its labels, by
`graded_contrast`; so that a photo without a title lands near the catalogue's items. It begins as the tagger's answers
beside the principal components of its embedding, which alone rank well by what a title says and badly by a picture: the
linear model's share in the answers makes those to a picture flat.

N items, V views, F numbers that the head reads, E numbers of its vectors.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import trange

from fashionmt.batch import TaggerOutput
from fashionmt.config import SimilarityConfig
from fashionmt.data import CatalogueDataset
from fashionmt.data.prepare import PreparedData
from fashionmt.model import Tagger
from fashionmt.similarity import SimilarityHead, head_features
from fashionmt.training.answers import Answers, collect_views
from fashionmt.training.graded_contrast import graded_contrast, likeness

LEARNING_RATE = 3e-3
WARMUP = 0.1
MOST = 50_000
"""Training items that are learned from: of more, some drawn by the seed."""


def learn_similarity(
    tagger: Tagger,
    data: PreparedData,
    alike: Sequence[str] | None,
    config: SimilarityConfig,
    seed: int,
    device: torch.device,
    batch_size: int,
) -> SimilarityHead:
    """The head of a trained tagger. `alike`: the attributes that make items similar; None: all."""
    rows = data.split.train
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(seed).choice(rows, MOST, replace=False))
    views = collect_views(tagger, CatalogueDataset(data.items, rows), device, batch_size)
    return fit_similarity_head(list(views.values()), alike or list(data.spaces), config, seed)


def fit_similarity_head(
    views: Sequence[Answers], alike: Sequence[str], config: SimilarityConfig, seed: int
) -> SimilarityHead:
    """The head of what a tagger says of its training items, by each view, the whole items' first; the same again for
    the same `seed`."""
    temperatures = dict.fromkeys(alike, 1.0)
    outputs = [TaggerOutput(view.logits, view.embedding) for view in views]
    shown = torch.stack([head_features(output, temperatures) for output in outputs])  # (V, N, F)
    head = starting_head(shown, outputs[0].embedding.shape[1], config.size)
    _train(head, shown, {name: views[0].labels[name] for name in alike}, config, seed)
    return SimilarityHead(head.weight.detach().clone(), head.bias.detach().clone(), temperatures)


def starting_head(shown: Tensor, features: int, size: int) -> nn.Linear:
    """A map of F numbers, (V, N, F) of the training items, `features` of them the embedding's: to `size` principal
    components of that at most, and to the answers as they are."""
    embedding = shown[..., :features].flatten(0, 1)
    covariance = torch.cov(embedding.T.double())
    components = torch.linalg.eigh(covariance).eigenvectors.flip(1)[:, :size].T.float()
    answers = shown.shape[2] - features
    head = nn.Linear(shown.shape[2], len(components) + answers)
    with torch.no_grad():
        head.weight.zero_()
        head.weight[: len(components), :features] = components
        head.weight[len(components) :, features:] = torch.eye(answers)
        head.bias.zero_()
    return head


def _train(head: nn.Linear, shown: Tensor, labels: Mapping[str, Tensor], config: SimilarityConfig, seed: int) -> None:
    """By AdamW, warm-up and cosine. `shown`: (V, N, F); each step takes some of the N items in all views."""
    count = shown.shape[1]
    batches = max(1, count // config.batch_size)
    optimizer = torch.optim.AdamW(head.parameters(), weight_decay=0.0)
    steps = config.epochs * batches + 1
    # Of 10 steps the warm-up would be 0 steps long, by which OneCycleLR divides; of fewer it has none.
    warmup = WARMUP if WARMUP * steps != 1 else 0.0
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps, pct_start=warmup)
    draw = torch.Generator().manual_seed(seed)
    for _ in trange(config.epochs, desc="similarity head", unit="epoch", delay=2.0, disable=None, leave=False):
        for rows in torch.randperm(count, generator=draw).tensor_split(batches):
            degrees = likeness({name: column[rows] for name, column in labels.items()}, config.sharpness)
            optimizer.zero_grad()
            views_loss(head, shown[:, rows], degrees, config.temperature).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()


def views_loss(head: nn.Linear, shown: Tensor, degrees: Tensor, temperature: float) -> Tensor:
    """Every view of B items, (V, B, F), among the whole ones: float (). `degrees`: (B, B), how alike they are.

    An item's views have it for a positive too; it is no candidate of itself.
    """
    vectors = F.normalize(head(shown), dim=2)
    whole = vectors[0]
    own = torch.eye(len(whole), dtype=torch.bool)
    by_view = torch.stack([degrees.masked_fill(own, -1.0), *[degrees] * (len(shown) - 1)])
    return graded_contrast(vectors.flatten(0, 1), whole, by_view.flatten(0, 1), temperature)
