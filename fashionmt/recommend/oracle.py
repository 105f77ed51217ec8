"""Who knows the made-up people: what it reaches is the most that any ranking of them can."""

from dataclasses import dataclass

import torch
from torch import Tensor

from fashionmt.recommend.people import People
from fashionmt.recommend.synthetic import Synthetic


@dataclass(frozen=True, eq=False)
class Oracle:
    """Ranks by the true preferences."""

    synthetic: Synthetic
    name: str = "oracle"

    def scores(self, people: People) -> Tensor:
        """See `Scorer`."""
        return torch.from_numpy(self.synthetic.preference(people.users, people.time)).float()
