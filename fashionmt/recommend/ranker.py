"""The network that ranks items for a history: attention over its items, a content vector an item, their product.

    B histories, L places, N items, D numbers of an item's vector, H heads, R items of training.

Item i is the vector f(i), made from its content, so a new item ranks at once; an item of training may have a bias, or a
vector and a bias, of its own besides. A history of items j is

    u = sum over heads h of (1/H + W_h) sum over j of a_hj f(j)

with a_hj a softmax over the history, and item i's score is s * u . f(i) + b_i, where b_i is its bias and what is
learned of its popularity at that moment. As u is a sum over the history, so is u . f(i), and each item of the history
has a share in it.

It starts as the mean of the history, exactly: f is the identity, and W_h, b_i, the items' own vectors and what the
softmax is taken of are 0. W_h is a product of two narrow matrices.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionmt.recommend.histories import AGE_BUCKETS, Histories
from fashionmt.recommend.trends import NUMBERS

START_SCALE = 10.0
MAX_SCALE = 100.0


@dataclass(frozen=True)
class RankerSizes:
    """What a ranker is built from."""

    vector: int
    """D."""
    length: int
    """L, at most."""
    heads: int
    """H."""
    hidden: int
    """Of the adapter, the attention and W."""
    own: int
    """R, or 0 where items have nothing of their own."""
    own_vectors: bool
    """Whether they have vectors of their own beside biases."""


@dataclass(frozen=True)
class ItemSpace:
    """The whole catalogue as a ranker sees it."""

    vectors: Tensor
    """f: float (N, D)."""
    biases: Tensor
    """The items' own: float (N,)."""
    keys: Tensor
    """What attention looks at: float (N, hidden)."""


class HistoryAttention(nn.Module):
    """How much each item of a history counts, for each head: by its place, its age, what it is, and what came last."""

    def __init__(self, sizes: RankerSizes) -> None:
        super().__init__()
        heads, hidden = sizes.heads, sizes.hidden
        self.place = nn.Parameter(torch.zeros(heads, sizes.length))
        self.age = nn.Parameter(torch.zeros(heads, AGE_BUCKETS))
        self.key = nn.Linear(sizes.vector, hidden)
        self.kind = nn.Parameter(torch.zeros(heads, hidden))
        self.asked = nn.Parameter(torch.zeros(heads, hidden, hidden))

    def keys(self, vectors: Tensor) -> Tensor:
        """float (N, D) -> (N, hidden)."""
        return torch.tanh(self.key(vectors))

    def forward(self, keys: Tensor, histories: Histories) -> Tensor:
        """The keys of each history's items, float (B, L, hidden) -> (B, H, L), which add up to 1 over the items of a
        history, and are 0 where it has none."""
        queries = self.kind + torch.einsum("bk,hkr->bhr", keys[:, 0], self.asked) / keys.shape[2] ** 0.5
        logits = queries @ keys.transpose(1, 2)
        logits = logits + self.place[:, : keys.shape[1]] + self.age.T[histories.ages].transpose(1, 2)
        mask = histories.mask[:, None]
        return torch.softmax(logits.masked_fill(~mask, torch.finfo(logits.dtype).min), dim=-1) * mask


class Ranker(nn.Module):
    """See the module."""

    def __init__(self, sizes: RankerSizes) -> None:
        super().__init__()
        self.sizes = sizes
        self.inner, self.outer = (
            nn.Linear(sizes.vector, sizes.hidden),
            nn.Linear(sizes.hidden, sizes.vector, bias=False),
        )
        nn.init.zeros_(self.outer.weight)
        self.attention = HistoryAttention(sizes)
        self.narrow = nn.Parameter(torch.zeros(sizes.heads, sizes.vector, sizes.hidden))
        self.widen = nn.Linear(sizes.hidden, sizes.vector, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(START_SCALE).log())
        self.trend = nn.Parameter(torch.zeros(len(NUMBERS)))
        self.own_bias = nn.Parameter(torch.zeros(sizes.own))
        self.own = nn.Parameter(torch.zeros(sizes.own if sizes.own_vectors else 0, sizes.vector))

    def space(self, vectors: Tensor, own_rows: Tensor, kept: Tensor | None = None) -> ItemSpace:
        """The catalogue.

        Args:
            vectors: content, float (N, D).
            own_rows: int64 (R,), the row of each item that has something of its own; -1 where the catalogue has it no
                more.
            kept: float (R,), 0 where an item goes without for once; None: none does.
        """
        adapted = vectors + self.outer(F.gelu(self.inner(vectors)))
        biases = vectors.new_zeros(len(vectors))
        if self.sizes.own:
            there = own_rows >= 0
            share = there.to(vectors.dtype) if kept is None else kept * there
            rows = own_rows.clamp(min=0)
            biases = biases.index_add(0, rows, self.own_bias * share)
            if len(self.own):
                adapted = adapted.index_add(0, rows, self.own * share[:, None])
        return ItemSpace(adapted, biases, self.attention.keys(vectors))

    def forward(self, space: ItemSpace, histories: Histories, trends: Tensor) -> Tensor:
        """Scores, float (B, N). `trends`: the prior of each row's moment, as `priors` gives it, (B, N) or (N,)."""
        return self.scale() * (self.users(space, histories) @ space.vectors.T) + space.biases + trends

    def priors(self, numbers: Tensor) -> Tensor:
        """What popularity says: float (..., 3), see `Trends` -> (...)."""
        return numbers @ self.trend

    def users(self, space: ItemSpace, histories: Histories) -> Tensor:
        """u: float (B, D); 0 of an empty history."""
        taken, weights = self._attend(space, histories)
        pooled = weights @ taken
        mixed: Tensor = pooled.mean(dim=1) + self.widen(torch.einsum("bhd,hdr->br", pooled, self.narrow))
        return mixed

    def shares(self, space: ItemSpace, histories: Histories, chosen: Tensor) -> Tensor:
        """What each item of a history adds to the score of `chosen`, int64 (B, k): float (B, k, L)."""
        taken, weights = self._attend(space, histories)
        wanted = space.vectors[chosen.clamp(min=0)]
        # What each head asks for, so that no (B, L, H, D) is made.
        asked = torch.einsum("bkr,hdr->bkhd", wanted @ self.widen.weight, self.narrow)
        asked = asked + wanted[:, :, None] / self.sizes.heads
        likeness = torch.einsum("bkhd,bld->bkhl", asked, taken)
        return self.scale() * torch.einsum("bkhl,bhl->bkl", likeness, weights)

    def scale(self) -> Tensor:
        """s, float ()."""
        return self.log_scale.exp().clamp(max=MAX_SCALE)

    def _attend(self, space: ItemSpace, histories: Histories) -> tuple[Tensor, Tensor]:
        """(f of each history's items, (B, L, D); their attention, (B, H, L), 0 where there is none)."""
        rows = histories.items.clamp(min=0)
        return space.vectors[rows], self.attention(space.keys[rows], histories)
