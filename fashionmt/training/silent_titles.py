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
from fashionmt.model.silent_titles import AS_IS, SilentTitles
from fashionmt.model.wide_path import WidePath
from fashionmt.training.answers import collect_answers
from fashionmt.training.ordered_batches import evaluation_loader
from fashionmt.training.stacking import choose_shares

FEWEST = 100
"""Items of both kinds below which a head stays as it is, and of one kind below which it counts for less than the other:
three shares are chosen."""


@dataclass(frozen=True)
class Shown:
    """Held-out items as they are shown, and what is said of them."""

    logits: Mapping[str, Tensor]
    """Attribute -> float (N, C), the tagger's, by all inputs."""
    wide: Mapping[str, Tensor]
    """The same, the wide path's part of them."""
    silent: Tensor
    """bool (N, A), as `SilentTitles.silent` gives it."""


def share_silent_titles(
    tagger: Tagger, data: PreparedData, logits: Mapping[str, Tensor], device: torch.device, batch_size: int
) -> None:
    """Choose the shares of `tagger.silent_titles`.

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
    whole = Shown(logits, *_read(module, wide, data.dataset("validation"), batch_size))
    kinds = (whole, Shown(said_of_struck.logits, *_read(module, wide, struck, batch_size)))
    for place, name in enumerate(module.names):
        chosen = _choose(name, place, kinds, alone[name], labels[name])
        module.shares[:, place] = module.shares.new_tensor(chosen)


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


def _choose(name: str, place: int, kinds: Sequence[Shown], alone: Tensor, labels: Tensor) -> tuple[float, ...]:
    """The shares of one head, the attribute at `place`. `alone`: float (N, C), by the picture; `labels`: int64 (N,)."""
    parts, weights, true = [], [], []
    for kind in kinds:
        rows = kind.silent[:, place]
        wide = kind.wide[name][rows]
        parts.append(torch.stack([kind.logits[name][rows] - wide, wide, alone[rows]]))
        weights.append(torch.full((len(wide),), 1 / max(len(wide), FEWEST)))
        true.append(labels[rows])
    if sum(map(len, true)) < FEWEST:
        return AS_IS
    return choose_shares(list(torch.cat(parts, dim=1)), torch.cat(true), AS_IS, torch.cat(weights))


@torch.inference_mode()
def _read(
    module: SilentTitles, path: WidePath, dataset: CatalogueDataset, batch_size: int
) -> tuple[dict[str, Tensor], Tensor]:
    """What the wide path says of the items of `dataset`, and whose titles are silent: the rest of `Shown`."""
    wide: dict[str, list[Tensor]] = {name: [] for name in module.names}
    silent = []
    for batch in (one.to(module.shares.device) for one in evaluation_loader(dataset, batch_size)):
        for name, value in path(batch.ngram_ids, batch.ngram_weights, batch.numbers, batch.categories).items():
            wide[name].append(value.float().cpu())
        silent.append(module.silent(batch.ngram_ids, batch.has_image & batch.has_title).cpu())
    return {name: torch.cat(parts) for name, parts in wide.items()}, torch.cat(silent)
