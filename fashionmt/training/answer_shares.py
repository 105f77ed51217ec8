"""The shares of `fashionmt.model.answer_shares`, chosen for each head on held-out items.

For silent titles: the held-out items whose title is silent about the attribute, and all of them with the words of all
labels struck from their titles. Catalogues whose titles say less than these are what the shares are for as well, and
the one kind counts as much as the other. For a title or a picture alone: the held-out items with the other hidden.

N items, A attributes, S situations, C classes of an attribute.
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
from fashionmt.model.answer_shares import AS_IS, SITUATIONS, AnswerShares
from fashionmt.model.wide_path import WidePath
from fashionmt.training.datamodule import evaluation_loader
from fashionmt.training.evaluation import collect_answers
from fashionmt.training.stacking import choose_shares

FEWEST = 100
"""Items of any kind below which a head stays as it is: up to three shares are chosen."""
SILENT, TITLE, PICTURE = range(len(SITUATIONS))


@dataclass(frozen=True)
class Shown:
    """Held-out items as they are shown, and what is said of them."""

    logits: Mapping[str, Tensor]
    """Attribute -> float (N, C), by all that is shown."""
    wide: Mapping[str, Tensor]
    """The same, the wide path's part of them."""
    situations: Tensor
    """bool (N, S, A)."""

    def parts(self, name: str, rows: Tensor) -> tuple[Tensor, Tensor]:
        """What the towers and the wide path say of the items `rows`, bool (N,)."""
        return (self.logits[name] - self.wide[name])[rows], self.wide[name][rows]


def share_answers(
    tagger: Tagger, data: PreparedData, logits: Mapping[str, Tensor], device: torch.device, batch_size: int
) -> dict[str, Tensor]:
    """Choose the shares of `tagger.answer_shares`; returns `logits` as the tagger would give them now.

    Args:
        logits: attribute -> float (N, C), the tagger's, of the validation items.
    """
    module, wide, rows = tagger.answer_shares, tagger.wide, data.split.validation
    if module is None or wide is None or data.titles.ngrams is None:
        raise ValueError("a model whose answers have no shares")
    words = class_words([data.raw_titles[row] or "" for row in data.split.train], data.spaces, data.titles.ngrams)
    module.names_class.copy_(words)

    def shown(dataset: CatalogueDataset, said: Mapping[str, Tensor] | None = None) -> Shown:
        said = said or collect_answers(tagger, dataset, device, batch_size).logits
        return Shown(said, *_read(module, wide, dataset, batch_size))

    whole = shown(data.dataset("validation"), logits)
    struck = shown(data.retitled(rows, data.struck_titles(rows)))
    titles = shown(CatalogueDataset(data.items.without_pictures(), rows))
    pictures = shown(data.retitled(rows, [None] * len(rows)))
    for place, name in enumerate(module.names):
        labels = torch.from_numpy(data.items.labels[name][rows])
        chosen = {
            SILENT: _of_silent(name, place, (whole, struck), pictures.logits[name], labels),
            TITLE: _of_titles(name, titles, titles.situations[:, TITLE, place], labels),
            PICTURE: _of_pictures(name, pictures, pictures.situations[:, PICTURE, place], labels),
        }
        for situation, shares in chosen.items():
            module.shares[situation, :, place] = module.shares.new_tensor(shares)
    shared = module.cpu()(whole.logits, whole.wide, pictures.logits, whole.situations)
    module.to(device)
    return shared


def class_words(titles: Sequence[str], spaces: Mapping[str, LabelSpace], ngrams: NgramVocabulary) -> Tensor:
    """`AnswerShares.names_class`, from the words of the training titles: these a title is known by."""
    read = HashingVectorizer().build_analyzer()  # words, as the n-grams have them
    words = sorted({word for title in titles for word in read(title)})
    ids = torch.from_numpy(ngrams.word_ids(words))
    table = torch.zeros(len(ngrams), len(spaces))
    for place, space in enumerate(spaces.values()):
        names = label_words(space.classes)
        table[ids[[fold(word) in names for word in words]], place] = 1.0
    table[0] = 0.0  # padding, and words that are not known
    return table


def _of_silent(name: str, place: int, kinds: Sequence[Shown], alone: Tensor, labels: Tensor) -> tuple[float, ...]:
    """The shares where the title is silent. `alone`: float (N, C), by the picture; `labels`: (N,)."""
    rows = [kind.situations[:, SILENT, place] for kind in kinds]
    counts = [int(which.sum()) for which in rows]
    if min(counts) < FEWEST:
        return AS_IS
    parts = [(*kind.parts(name, which), alone[which]) for kind, which in zip(kinds, rows, strict=True)]
    weights = torch.cat([torch.full((count,), 1 / count) for count in counts])
    answers = [torch.cat(of_kinds) for of_kinds in zip(*parts, strict=True)]
    return choose_shares(answers, torch.cat([labels[which] for which in rows]), AS_IS, weights)


def _of_titles(name: str, titles: Shown, rows: Tensor, labels: Tensor) -> tuple[float, ...]:
    """The shares of a title alone. `rows`: bool (N,), the items that have one; `labels`: (N,)."""
    if int(rows.sum()) < FEWEST:
        return AS_IS
    return (*choose_shares(titles.parts(name, rows), labels[rows], AS_IS[:2]), 0.0)


def _of_pictures(name: str, pictures: Shown, rows: Tensor, labels: Tensor) -> tuple[float, ...]:
    """The shares of a picture alone, of which the first is one over a temperature. As `_of_titles`."""
    if int(rows.sum()) < FEWEST:
        return AS_IS
    return (*choose_shares([pictures.logits[name][rows]], labels[rows], AS_IS[:1]), *AS_IS[1:])


@torch.inference_mode()
def _read(
    module: AnswerShares, path: WidePath, dataset: CatalogueDataset, batch_size: int
) -> tuple[dict[str, Tensor], Tensor]:
    """What the wide path says of the items of `dataset`, and the situations that they are in."""
    wide: dict[str, list[Tensor]] = {name: [] for name in module.names}
    situations = []
    for batch in (one.to(module.shares.device) for one in evaluation_loader(dataset, batch_size)):
        for name, value in path(batch.ngram_ids, batch.ngram_weights).items():
            wide[name].append(value.float().cpu())
        situations.append(module.situations(batch.ngram_ids, batch.has_image, batch.has_title).cpu())
    return {name: torch.cat(parts) for name, parts in wide.items()}, torch.cat(situations)
