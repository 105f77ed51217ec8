"""How much the picture's own answer counts where the title names no class: chosen for each head on held-out items."""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from tqdm import tqdm

from fashionmt.attributes import LabelSpace
from fashionmt.data import CatalogueDataset
from fashionmt.data.label_words import fold, label_words
from fashionmt.data.ngrams import NgramVocabulary
from fashionmt.data.prepare import PreparedData
from fashionmt.model import Tagger
from fashionmt.model.picture_share import PictureShare
from fashionmt.training.datamodule import evaluation_loader
from fashionmt.training.linear_blend import choose_shares

FEWEST = 100
"""Items with a picture and a title that names no class, below which a head stays as it is: two shares are chosen."""
WORD = re.compile(r"\b\w\w+\b")
"""As the n-grams have words."""


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
    alone, labels, unnamed = _by_picture(tagger, data.dataset("validation"), device, batch_size)
    shared = dict(logits)
    for place, name in enumerate(module.names):
        rows = unnamed[:, place] & (labels[name] >= 0) & (labels[name] < logits[name].shape[1])
        if int(rows.sum()) < FEWEST:
            continue
        own, added = choose_shares(logits[name][rows], alone[name][rows].double(), labels[name][rows])
        module.shares[:, place] = module.shares.new_tensor([own, added])
        both = own * logits[name] + added * alone[name]
        shared[name] = both.where(unnamed[:, place, None], logits[name])
    return shared


def class_words(titles: Sequence[str], spaces: Mapping[str, LabelSpace], ngrams: NgramVocabulary) -> Tensor:
    """`PictureShare.names_class`, from the words of the training titles: these a title is known by."""
    words = sorted({word for title in titles for word in WORD.findall(title.lower())})
    ids = torch.from_numpy(ngrams.word_ids(words))
    table = torch.zeros(len(ngrams), len(spaces))
    for place, space in enumerate(spaces.values()):
        names = label_words(space.classes)
        table[ids[[fold(word) in names for word in words]], place] = 1.0
    table[0] = 0.0  # padding, and words that are not known
    return table


@torch.inference_mode()
def _by_picture(
    tagger: Tagger, dataset: CatalogueDataset, device: torch.device, batch_size: int
) -> tuple[dict[str, Tensor], dict[str, Tensor], Tensor]:
    """Logits by the picture alone and labels of all items, and bool (N, A): which of them have a picture and a title
    that names no class of which attribute."""
    tagger = tagger.to(device).eval()
    share: PictureShare = tagger.picture_share  # type: ignore[assignment]  # the caller has looked
    logits, labels, unnamed = [], [], []
    loader = evaluation_loader(dataset, batch_size)
    for batch in tqdm(loader, desc="by picture", unit="batch", delay=2.0, disable=None, leave=False):
        here = batch.to(device)
        logits.append({name: value.float().cpu() for name, value in tagger.by_picture(here).items()})
        labels.append(batch.labels)
        has_both = here.has_image & here.has_title
        unnamed.append((share.unnamed(here.ngram_ids) & has_both.unsqueeze(1)).cpu())
    return _joined(logits), _joined(labels), torch.cat(unnamed)


def _joined(parts: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
