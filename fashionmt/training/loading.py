"""A catalogue made ready for the model that is to learn from it, and what was found in it kept beside the run."""

import json
from collections.abc import Sequence
from functools import partial

from tokenizers import Tokenizer

from fashionmt.attributes import MISSING
from fashionmt.config import DataConfig, ModelConfig, TextTowerConfig, TrainConfig
from fashionmt.data import NgramVocabulary, TitleEncoder, learn_tokenizer
from fashionmt.data.prepare import PreparedData, prepare_data
from fashionmt.errors import UserError
from fashionmt.model import clip_tokenizer, pretrained_tokenizer
from fashionmt.paths import cache_dir
from fashionmt.taxonomy import Taxonomy, learn_taxonomy
from fashionmt.training.report import print_data, write_json
from fashionmt.training.run_folder import RunFolder
from fashionmt.training.seen_rows import refuse_seen


def load_data(config: TrainConfig) -> PreparedData:
    """The catalogue, prepared for the towers that the model has."""
    learn_titles = partial(_learn_titles, config.model)
    modalities = config.model.modalities
    data = prepare_data(config.data, config.preprocess, cache_dir(), modalities, learn_titles, config.limit_items)
    refuse_seen(config.model, config.data.name, data)
    report_taxonomy(config.data, data)
    print_data(data)
    return data


def refuse_unlabelled(data: PreparedData) -> None:
    """Raise `UserError` where no validation item has a label: nothing would tell the best weights from the first."""
    held_out = data.split.validation
    if not any((labels[held_out] != MISSING).any() for labels in data.items.labels.values()):
        wrong = f"none of the {len(held_out)} validation items has a label of {', '.join(data.spaces)}"
        raise UserError("data.attributes", wrong, "Label more of the catalogue, or choose other columns")


def _learn_titles(config: ModelConfig, titles: Sequence[str]) -> TitleEncoder:
    """From the training titles. Called for a model that has a text tower."""
    if "text" not in config.modalities:
        return TitleEncoder(None, None)
    count = config.ngram_min_count
    ngrams = NgramVocabulary.learn(titles, count) if count is not None else None
    return TitleEncoder(_tokenizer(config, titles), ngrams)


def _tokenizer(config: ModelConfig, titles: Sequence[str]) -> Tokenizer:
    if config.clip is not None:
        return clip_tokenizer(config.clip)
    text = config.text or TextTowerConfig()
    if text.pretrained is not None:
        return pretrained_tokenizer(text.pretrained, text.max_tokens)
    return learn_tokenizer(titles, text.vocabulary_size, text.max_tokens)


def taxonomy_of(config: DataConfig, data: PreparedData) -> Taxonomy | None:
    """The combinations that the training rows hold, of the attributes that the config names; None where it names
    none. Raises `UserError` where no row is labelled in all of them."""
    if config.taxonomy is None:
        return None
    labels = {name: data.items.labels[name][data.split.train] for name in config.taxonomy}
    return learn_taxonomy(labels, {name: len(data.spaces[name]) for name in labels})


def report_taxonomy(config: DataConfig, data: PreparedData) -> None:
    """Add to the findings what the taxonomy had to guess. Before training, not after hours of it."""
    if (taxonomy := taxonomy_of(config, data)) is None:
        return
    what = f"combinations of {', '.join(taxonomy.attributes)} that no fully labelled training row holds"
    for row in taxonomy.completed:
        classes = (data.spaces[name].classes[i] for name, i in zip(taxonomy.attributes, row, strict=True))
        data.findings.add(what, "guessed, so that each of their classes can be answered", " / ".join(classes))


def keep_data_report(data: PreparedData, folder: RunFolder, resume: bool) -> None:
    """Write the split and the report; a resumed run must have seen the same data, split alike."""
    if resume and folder.data_report.is_file():
        before = json.loads(folder.data_report.read_text())["fingerprint"]
        if before != data.fingerprint:
            wrong = "the catalogue has changed since this run began"
            raise UserError(f"resume={folder.root}", wrong, "Restore it, or start a new run")
        if not data.split.is_kept(folder.split, data.ids):
            wrong = "another version of fashionmt dealt the rows, and this one splits them otherwise"
            raise UserError(f"resume={folder.root}", wrong, "Go on with that version, or start a new run")
        return
    data.split.save(folder.split, data.ids)
    parts = {name: len(rows) for name, rows in data.split.parts().items()}
    report = {
        "fingerprint": data.fingerprint,
        "items": parts,
        "findings": data.findings.to_json(),
        "label_agreement_in_families": data.agreement(),
    }
    write_json(folder.data_report, report)
