"""The wide path: a title's words and spellings straight to the logits, beside the towers that generalise.

Wide & Deep (Cheng et al. 2016, arXiv:1606.07792). The towers read what a title means; what one rare word says alone is
learned here, as a linear model would.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashionmt.config import WidePathConfig
from fashionmt.model.tabular_tower import NO_COLUMNS, TabularSizes
from fashionmt.model.wide_columns import WideColumns


class WidePath(nn.Module):
    """Weighted n-grams to logits: int64 (B, G) and float (B, G) -> attribute -> float (B, C)."""

    bias: Tensor
    """(sum of C,), what a linear model of its own brought along; 0 without."""
    deep_share: Tensor
    """(attributes,), what the towers' logits count; 1 without."""

    def __init__(
        self, config: WidePathConfig, ngrams: int, classes: Mapping[str, int], tabular: TabularSizes = NO_COLUMNS
    ) -> None:
        """`ngrams`: how many ids there are, 0 for padding; `classes`: attribute -> number of its learned classes;
        `tabular`: of the other columns, which are read where `config.columns` says so."""
        super().__init__()
        self.names, self.sizes = tuple(classes), list(classes.values())
        self.dropout = config.dropout
        # One table for all attributes: their rows are read together.
        self.weight = nn.EmbeddingBag(ngrams, sum(self.sizes), mode="sum", padding_idx=0)
        nn.init.zeros_(self.weight.weight)
        self.register_buffer("bias", torch.zeros(sum(self.sizes)))
        self.register_buffer("deep_share", torch.ones(len(self.sizes)))
        told = config.columns and tabular != NO_COLUMNS
        self.columns = WideColumns(*tabular, sum(self.sizes)) if told else None

    def forward(
        self, ngram_ids: Tensor, ngram_weights: Tensor, numbers: Tensor, categories: Tensor
    ) -> dict[str, Tensor]:
        """See above; a title whose weights are all 0 adds nothing, nor do the columns beside it.

        Args:
            numbers: float (B, P), 0 where not known.
            categories: int64 (B, K), 0 where not known.
        """
        weights = F.dropout(ngram_weights, self.dropout, self.training)
        summed: Tensor = self.weight(ngram_ids, per_sample_weights=weights)
        brought = self.bias if self.columns is None else self.bias + self.columns(numbers, categories)
        summed = summed + brought * (ngram_weights > 0).any(dim=1, keepdim=True)
        return dict(zip(self.names, torch.split(summed, self.sizes, dim=1), strict=True))

    def beside(self, name: str, deep: Tensor) -> Tensor:
        """The towers' logits of an attribute, (B, C), as the wide path's are added to them."""
        return deep * self.deep_share[self.names.index(name)]

    @torch.no_grad()
    def absorb(self, name: str, own: float, weight: Tensor, bias: Tensor, columns: Tensor | None = None) -> None:
        """Make an attribute's logits `own` times what they are, plus those of a linear model of the same n-grams.

        Args:
            weight: float (n-gram ids, C).
            bias: float (C,), of titles with a known n-gram.
            columns: float (rows of `WideColumns.weight`, C), of the other columns beside such titles; None: it does not
                read them.
        """
        place = self.names.index(name)
        start = sum(self.sizes[:place])
        ours = slice(start, start + self.sizes[place])
        self.deep_share[place] *= own
        parts = [(self.weight.weight[:, ours], weight), (self.bias[ours], bias)]
        if self.columns is not None and columns is not None:
            parts.append((self.columns.weight[:, ours], columns))
        for mine, other in parts:
            mine.mul_(own).add_(other.to(mine))
