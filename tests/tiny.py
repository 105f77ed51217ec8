"""The smallest things that are still whole: a tagger, a batch, a dataset, a pretrained encoder's folder."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from tokenizers import pre_tokenizers

from fashionmt.attributes import LabelSpace
from fashionmt.batch import Batch
from fashionmt.config import FusionConfig, ImageTowerConfig, ModelConfig, TextTowerConfig, WidePathConfig
from fashionmt.data import CatalogueDataset, Findings, NgramVocabulary, TitleEncoder, learn_tokenizer
from fashionmt.data.dataset import ItemArrays
from fashionmt.data.ngrams import NgramArrays
from fashionmt.data.picture_cache import NO_ROW, PictureCache
from fashionmt.data.prepare import PreparedData
from fashionmt.data.splits import Split
from fashionmt.data.tabular import TabularArrays, TabularEncoder
from fashionmt.data.titles import EncodedTitles
from fashionmt.data.tokens import TokenArrays
from fashionmt.model import Tagger, TwoTowers, build_tagger, build_two_towers, save_towers
from fashionmt.model.tabular_tower import NO_COLUMNS, TabularSizes

CLASSES = {"colour": 4, "season": 3}
SIDE = 32
VOCABULARY = 40
NGRAMS = 30
COLUMNS = (4, (3, 5))
"""Pieces of numbers, and indices of two categorical columns."""
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "blue", "shirt", "shoe", "for", "men")
AWKWARD = ("type", "training", "forward", "keys", "empty", "items", "parameters")
"""Attribute names that nn.Module, or a dict of modules, has a use for already."""


def tiny_config(
    image: bool = True, text: bool = True, kind: str = "concat", wide: bool = False, **changes: Any
) -> ModelConfig:
    """A model of hidden size 16 without any dropout."""
    return ModelConfig(
        image=ImageTowerConfig() if image else None,
        text=TextTowerConfig(hidden_size=16, layers=1, heads=2, max_tokens=12, dropout=0.0) if text else None,
        wide=WidePathConfig() if wide else None,
        fusion=FusionConfig(kind=kind, size=16, dropout=0.0),
        **{"drop_image": 0.0, "drop_title": 0.0, **changes},
    )


def tiny_tagger(
    config: ModelConfig | None = None,
    classes: Mapping[str, int] = CLASSES,
    seed: int = 0,
    columns: TabularSizes = NO_COLUMNS,
) -> Tagger:
    """In evaluation mode, its missing embeddings and wide path not zero, so that a test sees them."""
    torch.manual_seed(seed)
    tagger = build_tagger(config or tiny_config(), classes, (VOCABULARY, NGRAMS), columns).eval()
    with torch.no_grad():
        if tagger.wide is not None:
            tagger.wide.weight.weight[1:].normal_()
            tagger.wide.bias.normal_()
            tagger.wide.deep_share.uniform_(0.5, 2.0)
        for vector in tagger.missing.vectors.values():
            vector.normal_()
    return tagger


def tiny_prepared(
    items: ItemArrays,
    split: Split,
    spaces: dict[str, LabelSpace],
    titles: Sequence[str | None],
    encoder: TitleEncoder | None = None,
    **changes: Any,
) -> PreparedData:
    """A catalogue of `items`, their ids their numbers, with nothing found in it. `titles`: as they are written; `items`
    hold them encoded."""
    given: dict[str, Any] = {
        "items": items,
        "ids": [str(i) for i in range(len(titles))],
        "split": split,
        "spaces": spaces,
        "titles": encoder or TitleEncoder(None, None),
        "tabular": TabularEncoder({}),
        "findings": Findings(),
        "fingerprint": "",
        "items_fingerprint": "",
        "raw_titles": titles,
        "raw_tabular": {},
    }
    return PreparedData(**given | changes)


def random_batch(count: int = 6, seed: int = 0, classes: Mapping[str, int] = CLASSES) -> Batch:
    """Every item has a picture, a title of 1 to 6 tokens and 4 n-grams, and a label or none."""
    draw = torch.Generator().manual_seed(seed)
    lengths = torch.randint(1, 7, (count,), generator=draw)
    lengths[0] = 6
    return Batch(
        pixels=torch.randint(0, 256, (count, SIDE, SIDE, 3), generator=draw, dtype=torch.uint8),
        has_image=torch.ones(count, dtype=torch.bool),
        token_ids=torch.randint(2, VOCABULARY, (count, 6), generator=draw),
        token_mask=torch.arange(6) < lengths[:, None],
        ngram_ids=torch.randint(1, NGRAMS, (count, 4), generator=draw),
        ngram_weights=torch.rand(count, 4, generator=draw),
        has_title=torch.ones(count, dtype=torch.bool),
        numbers=torch.rand(count, COLUMNS[0], generator=draw),
        categories=torch.stack([torch.randint(0, size, (count,), generator=draw) for size in COLUMNS[1]], dim=1),
        has_tabular=torch.ones(count, dtype=torch.bool),
        labels={name: torch.randint(-1, size, (count,), generator=draw) for name, size in classes.items()},
    )


def rows_of(batch: Batch, rows: list[int]) -> Batch:
    """Some items of a batch, in that order."""
    fields = {name: value[rows] for name, value in vars(batch).items() if name not in ("labels", "struck", "frozen")}
    return Batch(labels={name: value[rows] for name, value in batch.labels.items()}, **fields)


def tiny_spaces(classes: Mapping[str, int] = CLASSES) -> dict[str, LabelSpace]:
    """Label spaces whose classes are called after their attribute and index."""
    return {name: LabelSpace(name, tuple(f"{name} {i}" for i in range(size))) for name, size in classes.items()}


def tiny_titles(wide: bool = False) -> TitleEncoder:
    """A WordPiece tokenizer of a few words, its vocabulary smaller than `VOCABULARY`, and `NGRAMS` of their n-grams."""
    titles = ["red shirt", "blue shirt", "red shoe", "blue shoe"] * 2
    learned = NgramVocabulary.learn(titles, 1)
    ngrams = NgramVocabulary(learned.hashes[: NGRAMS - 1], learned.idf[: NGRAMS - 1])
    return TitleEncoder(learn_tokenizer(titles, VOCABULARY, 12), ngrams if wide else None)


def tiny_dataset(count: int, side: int = SIDE, seed: int = 0) -> CatalogueDataset:
    """Items of random pictures and titles, a few without; the label `row` of item i is i."""
    draw = np.random.default_rng(seed)
    lengths = draw.integers(0, 7, count)
    picture_row = np.where(np.arange(count) % 5 == 3, NO_ROW, np.arange(count))
    pixels = draw.integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return CatalogueDataset(
        ItemArrays(
            pictures=PictureCache(pixels, picture_row, [None] * count, [None] * count),
            titles=EncodedTitles(
                TokenArrays(draw.integers(2, VOCABULARY, (count, 6), dtype=np.int32), lengths), NgramArrays.none(count)
            ),
            tabular=TabularArrays.none(count),
            labels={"row": np.arange(count), "colour": draw.integers(-1, 4, count)},
        ),
        np.arange(count),
    )


def save_tiny_bert(folder: Path, dtype: torch.dtype = torch.float32) -> None:
    """A folder as the hub would give it: config, weights and a tokenizer that adds [CLS] and [SEP]."""
    torch.manual_seed(0)
    sizes = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
    )
    transformers.BertModel(sizes).to(dtype).save_pretrained(folder)
    transformers.BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)}).save_pretrained(folder)


def save_tiny_clip(folder: Path) -> None:
    """A folder as the hub would give it: a CLIP of 32 x 32 pixels and 20 tokens, and a byte-level BPE of two merges."""
    torch.manual_seed(0)
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("r", "e"), ("re", "d</w>")]
    pieces = [*letters, *(f"{letter}</w>" for letter in letters), *(a + b for a, b in merges)]
    vocabulary = {piece: i for i, piece in enumerate([*pieces, "<|startoftext|>", "<|endoftext|>"])}
    transformers.CLIPTokenizer(vocab=vocabulary, merges=merges).save_pretrained(folder)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    end = vocabulary["<|endoftext|>"]
    marks = {"bos_token_id": end - 1, "eos_token_id": end, "pad_token_id": end}
    config = transformers.CLIPConfig(
        text_config={**sizes, **marks, "vocab_size": len(vocabulary), "max_position_embeddings": 20},
        vision_config={**sizes, "image_size": 32, "patch_size": 8},
        projection_dim=12,
    )
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=32).save_pretrained(folder)


def save_tiny_towers(folder: Path, ids: Sequence[str] = ("1", "2"), marks: Sequence[str] = ()) -> TwoTowers:
    """What pretraining leaves, and the towers in it: a ResNet and a BERT of random weights, learned from items of these
    `ids` and `marks`."""
    torch.manual_seed(0)
    text = TextTowerConfig(hidden_size=16, layers=1, heads=2, max_tokens=12, dropout=0.0)
    tokenizer = tiny_titles().tokenizer
    assert tokenizer is not None
    model = ModelConfig(image=ImageTowerConfig(), text=text)
    towers = build_two_towers(model, 8, VOCABULARY).eval()
    save_towers(towers, tokenizer, 12, ("sample", list(ids), list(marks)), {}, folder)
    return towers


def one_thread() -> Iterator[None]:
    """For a fixture: tiny tensors are several times faster on one thread, above all where the cores are busy."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
