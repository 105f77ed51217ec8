"""How much towers, wide path and picture count where the title names no class: chosen for each head on held-out items.

A held-out item whose title is silent about an attribute is shown as it is, and each held-out item with the words of all
labels struck from its title: catalogues whose titles say less than these are what the shares are for as well. The one
kind counts as much as the other, unless there are few of it.

N items, A attributes, C classes of an attribute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from sklearn.feature_extraction.text import HashingVectorizer
from torch import Tensor

from fashionmt.attributes import LabelSpace
from fashionmt.data import CatalogueDataset
from fashionmt.data.label_words import fold, label_words
from fashionmt.data.ngrams import NgramVocabulary
from fashionmt.data.prepare import PreparedData
from fashionmt.model import Tagger
from fashionmt.model.silent_titles import AS_IS, SilentTitles, sum_of
from fashionmt.model.wide_path import WidePath
from fashionmt.training.datamodule import evaluation_loader
from fashionmt.training.evaluation import collect_answers
from fashionmt.training.stacking import choose_shares

FEWEST = 100
"""Items of both kinds below which a head stays as it is, and of one kind below which it counts for less than the other:
three shares are chosen."""


@dataclass(frozen=True)
class Shown:
    """Held-out items as they are shown, and what is said of them."""

    wide: dict[str, Tensor]
    """Attribute -> float (N, C), the wide path's logits."""
    towers: dict[str, Tensor]
    """The same, the towers' part of the logits by all inputs."""
    silent: Tensor
    """bool (N, A): which have a picture, and a title that names no class of which attribute."""


def share_silent_titles(
    tagger: Tagger, data: PreparedData, logits: Mapping[str, Tensor], device: torch.device, batch_size: int
) -> dict[str, Tensor]:
    """Choose the shares of `tagger.silent_titles`; returns `logits` as the tagger would give them now.

    Args:
        logits: attribute -> float (N, C), the tagger's, of the validation items.
    """
    module, wide, rows = tagger.silent_titles, tagger.wide, data.split.validation
    if module is None or wide is None or data.titles.ngrams is None:
        raise ValueError("a model that does not tell silent titles")
    words = class_words([data.raw_titles[row] or "" for row in data.split.train], data.spaces, data.titles.ngrams)
    module.names_class.copy_(words)
    struck, hidden = data.retitled(rows, data.struck_titles(rows)), data.retitled(rows, [None] * len(rows))
    said_of_struck = collect_answers(tagger, struck, device, batch_size)
    alone, labels = collect_answers(tagger, hidden, device, batch_size).logits, said_of_struck.labels
    kinds = [
        _shown(module, wide, data.dataset("validation"), logits, batch_size),
        _shown(module, wide, struck, said_of_struck.logits, batch_size),
    ]
    shared = dict(logits)
    for place, name in enumerate(module.names):
        chosen = _choose(name, [kind.silent[:, place] for kind in kinds], kinds, alone[name], labels[name])
        module.shares[:, place] = module.shares.new_tensor(chosen)
        answers = (kinds[0].towers[name], kinds[0].wide[name], alone[name])
        own = kinds[0].silent[:, place].unsqueeze(1)
        shared[name] = sum_of(answers, torch.tensor(chosen)).where(own, logits[name])
    return shared


def class_words(titles: Sequence[str], spaces: Mapping[str, LabelSpace], ngrams: NgramVocabulary) -> Tensor:
    """`SilentTitles.names_class`, from the words of the training titles: these a title is known by."""
    read = HashingVectorizer().build_analyzer()  # words, as the n-grams have them
    words = sorted({word for title in titles for word in read(title)})
    ids = torch.from_numpy(ngrams.word_ids(words))
    table = torch.zeros(len(ngrams), len(spaces))
    for place, space in enumerate(spaces.values()):
        names = label_words(space.classes)
        table[ids[[fold(word) in names for word in words]], place] = 1.0
    table[0] = 0.0  # padding, and words that are not known
    return table


def _choose(
    name: str, silent: Sequence[Tensor], kinds: Sequence[Shown], alone: Tensor, labels: Tensor
) -> tuple[float, ...]:
    """The shares of one head. `silent`: of each kind, bool (N,)."""
    counts = [int(rows.sum()) for rows in silent]
    if sum(counts) < FEWEST:
        return AS_IS
    pairs = list(zip(kinds, silent, strict=True))
    answers = [
        torch.cat([kind.towers[name][rows] for kind, rows in pairs]),
        torch.cat([kind.wide[name][rows] for kind, rows in pairs]),
        torch.cat([alone[rows] for rows in silent]),
    ]
    weights = torch.cat([torch.full((count,), 1 / max(count, FEWEST)) for count in counts])
    return choose_shares(answers, torch.cat([labels[rows] for rows in silent]), AS_IS, weights)


@torch.inference_mode()
def _shown(
    module: SilentTitles, path: WidePath, dataset: CatalogueDataset, logits: Mapping[str, Tensor], batch_size: int
) -> Shown:
    """`logits`: attribute -> float (N, C), the tagger's, of the items of `dataset`."""
    wide: dict[str, list[Tensor]] = {name: [] for name in logits}
    silent = []
    for batch in (one.to(module.shares.device) for one in evaluation_loader(dataset, batch_size)):
        for name, value in path(batch.ngram_ids, batch.ngram_weights).items():
            wide[name].append(value.float().cpu())
        has_both = batch.has_image & batch.has_title
        silent.append((module.silent(batch.ngram_ids) & has_both.unsqueeze(1)).cpu())
    added = {name: torch.cat(parts) for name, parts in wide.items()}
    return Shown(added, {name: logits[name] - added[name] for name in added}, torch.cat(silent))
