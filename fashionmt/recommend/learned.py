"""A ranker as a scorer. B people, N items."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fashionmt.recommend.people import People
from fashionmt.recommend.ranker import ItemSpace, Ranker


@dataclass(frozen=True, eq=False)
class Learned:
    """A ranker over a catalogue at a moment."""

    name: str
    ranker: Ranker
    space: ItemSpace
    priors: Tensor
    """float32 (N,): what popularity says."""

    @classmethod
    @torch.no_grad()
    def of(cls, name: str, ranker: Ranker, vectors: Tensor, own_rows: Tensor, numbers: Tensor) -> "Learned":
        """`own_rows`: of the ranker's items, see `Ranker.space`. `numbers`: float32 (N, 3), see `trends`."""
        ranker = ranker.cpu()
        return cls(name, ranker, ranker.space(vectors, own_rows), ranker.priors(numbers))

    @torch.no_grad()
    def scores(self, people: People) -> Tensor:
        """See `Scorer`."""
        scores: Tensor = self.ranker(self.space, people.histories, self.priors)
        return scores

    @torch.no_grad()
    def reasons(self, people: People, chosen: Tensor) -> Tensor:
        """Of each chosen item, int64 (B, k), the item of the history that has the greatest share in it, int64 (B, k);
        -1 without a history. Ties go to the newer one."""
        shares = self.ranker.shares(self.space, people.histories, chosen)
        masked = shares.masked_fill(~people.histories.mask[:, None], -torch.inf)
        return people.histories.items.gather(1, masked.argmax(dim=2))
