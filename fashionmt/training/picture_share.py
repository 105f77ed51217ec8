"""How much the picture's own answer counts where the title names no class: chosen for each head on held-out items."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from sklearn.feature_extraction.text import HashingVectorizer
from torch import Tensor

from fashionmt.attributes import LabelSpace
from fashionmt.data import CatalogueDataset, TitleEncoder
from fashionmt.data.label_words import fold, label_words
from fashionmt.data.ngrams import NgramVocabulary
from fashionmt.data.picture_cache import NO_ROW
from fashionmt.data.prepare import PreparedData
from fashionmt.model import Tagger
from fashionmt.model.picture_share import PictureShare
from fashionmt.training.evaluation import Answers, collect_answers
from fashionmt.training.linear_blend import choose_shares

FEWEST = 100
"""Items with a picture and a title that names no class, below which a head stays as it is: two shares are chosen."""


def share_picture(
    tagger: Tagger, data: PreparedData, logits: Mapping[str, Tensor], device: torch.device, batch_size: int
) -> dict[str, Tensor]:
    """Choose the shares of `tagger.picture_share`; returns `logits` as the tagger would give them now.

    Args:
        logits: attribute -> float (N, C), the tagger's, of the validation items.
    """
    if tagger.picture_share is None or data.titles.ngrams is None:
        raise ValueError("no share of the picture's own")
    module = tagger.picture_share
    titles = [data.raw_titles[row] or "" for row in data.split.train]
    module.names_class.copy_(class_words(titles, data.spaces, data.titles.ngrams))
    alone, unnamed = _by_picture(tagger, data, device, batch_size), _unnamed(module, data)
    shared = dict(logits)
    for place, name in enumerate(module.names):
        rows = unnamed[:, place]
        if int(rows.sum()) < FEWEST:
            continue
        together, by_picture = logits[name], alone.logits[name]
        own, added = choose_shares(together[rows], by_picture[rows].double(), alone.labels[name][rows])
        module.shares[:, place] = module.shares.new_tensor([own, added])
        shared[name] = (own * together + added * by_picture).where(rows.unsqueeze(1), together)
    return shared


def class_words(titles: Sequence[str], spaces: Mapping[str, LabelSpace], ngrams: NgramVocabulary) -> Tensor:
    """`PictureShare.names_class`, from the words of the training titles: these a title is known by."""
    read = HashingVectorizer().build_analyzer()  # words, as the n-grams have them
    words = sorted({word for title in titles for word in read(title)})
    ids = torch.from_numpy(ngrams.word_ids(words))
    table = torch.zeros(len(ngrams), len(spaces))
    for place, space in enumerate(spaces.values()):
        names = label_words(space.classes)
        table[ids[[fold(word) in names for word in words]], place] = 1.0
    table[0] = 0.0  # padding, and words that are not known
    return table


def _by_picture(tagger: Tagger, data: PreparedData, device: torch.device, batch_size: int) -> Answers:
    """The validation items answered with their titles hidden."""
    hidden = replace(data.items, titles=TitleEncoder(None, None).encode([None] * len(data.ids)))
    return collect_answers(tagger, CatalogueDataset(hidden, data.split.validation), device, batch_size)


def _unnamed(module: PictureShare, data: PreparedData) -> Tensor:
    """bool (N, A): which validation items have a picture and a title that names no class of which attribute."""
    rows = data.split.validation
    has_both = data.items.titles.there(rows) & (data.items.pictures.row[rows] != NO_ROW)
    ngram_ids = torch.from_numpy(data.items.titles.ngrams.padded(rows)[0]).to(module.names_class.device)
    return module.unnamed(ngram_ids).cpu() & torch.from_numpy(has_both).unsqueeze(1)
