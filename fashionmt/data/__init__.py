"""The catalogue, from its files to batches, in plain torch."""

from fashionmt.data.catalogue import CatalogueReader, CatalogueRow, ColumnMap
from fashionmt.data.dataset import CatalogueDataset
from fashionmt.data.findings import Findings
from fashionmt.data.ngrams import NgramVocabulary
from fashionmt.data.titles import TitleEncoder
from fashionmt.data.tokens import learn_tokenizer

__all__ = [
    "CatalogueDataset",
    "CatalogueReader",
    "CatalogueRow",
    "ColumnMap",
    "Findings",
    "NgramVocabulary",
    "TitleEncoder",
    "learn_tokenizer",
]
