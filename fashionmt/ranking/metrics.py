"""How good the first k items of rankings are: MAP, NDCG, recall, hit rate and MRR.

A figure is computed from the first k items alone, so no scores are asked for and none is mistaken for a label
(`torchmetrics.retrieval` counts a relevant item whose score is at or below 0 as not retrieved, and divides MAP@k by the
hits within k). Relevance is yes or no. The item at place i counts from 1.

    U users (or queries), k places, R_u relevant items of user u, h_ui = 1 if place i of user u holds one of them.

A user without relevant items has no figure: NaN, which `mean` leaves out and counts.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from fashionmt.bootstrap import Bootstrap, Estimate


@dataclass(frozen=True)
class Relevant:
    """Which items are relevant to each user, in compressed rows."""

    offsets: Tensor
    """(U + 1,) int64: user u has `items[offsets[u] : offsets[u + 1]]`."""
    items: Tensor
    """(nnz,) int64, rows of the catalogue; ascending within a user, none twice."""

    @classmethod
    def from_pairs(cls, users: Tensor, items: Tensor, user_count: int) -> "Relevant":
        """From pairs of user and item, (P,) int64 each, in any order; a pair that stands twice counts once."""
        pairs = (
            torch.unique(torch.stack([users.long(), items.long()]), dim=1) if len(users) else torch.zeros(2, 0).long()
        )
        counts = torch.bincount(pairs[0], minlength=user_count)
        if len(counts) > user_count:
            raise ValueError(f"user {len(counts) - 1} of {user_count}")
        return cls(torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)]), pairs[1])

    @classmethod
    def from_lists(cls, items: Iterable[Iterable[int]]) -> "Relevant":
        """From each user's items."""
        lists = [list(each) for each in items]
        users = torch.repeat_interleave(torch.tensor([len(each) for each in lists], dtype=torch.int64))
        return cls.from_pairs(users, torch.tensor([item for each in lists for item in each]).long(), len(lists))

    @property
    def counts(self) -> Tensor:
        """R_u: how many items are relevant, (U,) int64."""
        return self.offsets.diff()


def find_hits(top: Tensor, relevant: Relevant) -> Tensor:
    """Which places hold a relevant item, (U, k) bool.

    `top`: (U, k) int64, each user's items from the best to the worst, -1 where there are fewer. Raises ValueError where
    an item stands twice in a row, which would count it twice.
    """
    if len(top) != len(relevant.counts):
        raise ValueError(f"{len(top)} rankings for {len(relevant.counts)} users")
    ordered = top.sort(dim=1).values
    if bool(((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any()):
        raise ValueError("an item stands twice in a ranking")
    size = 1 + max([int(each.max()) for each in (top, relevant.items) if each.numel()], default=0)
    users = torch.arange(len(top))
    known = torch.repeat_interleave(users, relevant.counts) * size + relevant.items
    if not len(known):
        return torch.zeros(top.shape, dtype=torch.bool)
    asked = users[:, None] * size + top
    place = torch.searchsorted(known, asked).clamp(max=len(known) - 1)
    return (known[place] == asked) & (top >= 0)


def average_precision(hits: Tensor, relevant: Tensor, k: int) -> Tensor:
    """AP@k = (1 / min(R, k)) * sum over places i <= k of h_i * (hits among the first i) / i; its mean is MAP@k.

    The denominator is that of H&M's competition and of RecBole: k relevant items in the first k places are 1, and one
    hit at the top of five relevant ones is 0.2. `hits`: (U, K) bool, cut at k, or with absent places taken as misses
    where K < k; `relevant`: (U,) int64, R. -> (U,) float64, NaN where R is 0. The others take and give the same.
    """
    hits = hits[:, :k].double()
    precision = hits.cumsum(dim=1) / _places(hits)
    return _defined((hits * precision).sum(dim=1) / relevant.clamp(1, k), relevant)


def ndcg(hits: Tensor, relevant: Tensor, k: int) -> Tensor:
    """NDCG@k = DCG / IDCG: DCG sums h_i / log2(i + 1) over i <= k, and IDCG 1 / log2(i + 1) over i <= min(R, k).

    Binary gains, Järvelin and Kekäläinen (2002) with the discount of Burges et al. (2005).
    """
    hits = hits[:, :k].double()
    gained = (hits / torch.log2(_places(hits) + 1)).sum(dim=1)
    ideal = (1 / torch.log2(torch.arange(1, k + 1, dtype=torch.float64) + 1)).cumsum(dim=0)
    return _defined(gained / ideal[relevant.clamp(1, k) - 1], relevant)


def recall(hits: Tensor, relevant: Tensor, k: int) -> Tensor:
    """Recall@k = hits among the first k / R: below 1 where R > k."""
    return _defined(hits[:, :k].sum(dim=1).double() / relevant.clamp(min=1), relevant)


def hit_rate(hits: Tensor, relevant: Tensor, k: int) -> Tensor:
    """Hit@k = 1 if any of the first k is relevant, else 0."""
    return _defined(hits[:, :k].any(dim=1).double(), relevant)


def reciprocal_rank(hits: Tensor, relevant: Tensor, k: int) -> Tensor:
    """RR@k = 1 / the first place of a relevant item, 0 if that is beyond k; its mean is MRR@k."""
    hits = hits[:, :k].double()
    return _defined(torch.cat([hits / _places(hits), hits.new_zeros(len(hits), 1)], dim=1).amax(dim=1), relevant)


METRICS: Mapping[str, Callable[[Tensor, Tensor, int], Tensor]] = {
    "MAP": average_precision,
    "NDCG": ndcg,
    "Recall": recall,
    "Hit": hit_rate,
    "MRR": reciprocal_rank,
}


def measure(top: Tensor, relevant: Relevant, k: int) -> dict[str, Tensor]:
    """Every metric of every user: `MAP@10` and so on -> (U,) float64, NaN for a user without relevant items.

    `top`: as `find_hits` takes it; it may hold more than k places, or fewer where the catalogue is smaller than k.
    """
    hits = find_hits(top, relevant)
    return {f"{name}@{k}": metric(hits, relevant.counts, k) for name, metric in METRICS.items()}


def mean(values: Tensor, bootstrap: Bootstrap) -> Estimate:
    """The mean over the users who have a figure, with its interval; `items` is their number.

    `values`: (U,); `bootstrap`: of the same U users, one by one or in groups that are drawn together.
    """
    counted = ~values.isnan()
    return bootstrap.mean(values.nan_to_num().numpy(), counted.numpy()).estimate()


def _places(hits: Tensor) -> Tensor:
    """1, 2, ... (k,)."""
    return torch.arange(1, hits.shape[1] + 1, dtype=torch.float64)


def _defined(values: Tensor, relevant: Tensor) -> Tensor:
    return values.where(relevant > 0, torch.nan)
