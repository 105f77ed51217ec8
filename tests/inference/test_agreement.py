"""Training's evaluation, the reloaded bundle and tagging say the same of the same items."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tagged import decided_by

from fashionmt.bundle import Bundle, read_bundle
from fashionmt.confidence import Threshold, Thresholds
from fashionmt.data.catalogue import CatalogueFiles
from fashionmt.data.prepare import PreparedData
from fashionmt.data.stored_catalogue import read_catalogue
from fashionmt.decoding import Decoders
from fashionmt.hydra_bridge import from_yaml
from fashionmt.inference import Item, ItemTags, TaggingEngine
from fashionmt.paths import cache_dir
from fashionmt.training.answers import Answers, collect_answers, collect_views
from fashionmt.training.evaluation import score
from fashionmt.training.loading import load_data, taxonomy_of


@pytest.fixture(scope="module")
def bundle(trained: Path) -> Bundle:
    return read_bundle(trained / "bundle")


@pytest.fixture
def data(trained: Path) -> PreparedData:
    return load_data(from_yaml(trained / "config.yaml"))


@pytest.fixture
def answers(bundle: Bundle, data: PreparedData) -> dict[str, Answers]:
    cpu = torch.device("cpu")
    return {part: collect_answers(bundle.tagger, data.dataset(part), cpu, 100) for part in ("validation", "test")}


def tag_test_items(bundle: Bundle, data: PreparedData, trained: Path) -> list[ItemTags]:
    config = from_yaml(trained / "config.yaml").data
    catalogue, _ = read_catalogue(CatalogueFiles.locate(config), config, cache_dir())
    by_id = {row.id: row for row in catalogue.rows()}
    test = [by_id[data.ids[i]] for i in data.split.test]
    return TaggingEngine(bundle).tag([Item(row.id, row.title, row.picture) for row in test])


def close(one: Any, other: Any) -> bool:
    """As `pytest.approx`, through nested dicts."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(close(one[key], other[key]) for key in one)
    return bool(one == pytest.approx(other, abs=1e-4))


def test_the_reloaded_bundle_scores_what_training_wrote(
    bundle: Bundle, data: PreparedData, answers: dict[str, Answers], trained: Path
) -> None:
    written = json.loads((trained / "metrics.json").read_text())
    again = score(answers["test"], data.spaces, bundle.decoders)
    again["validation"] = score(answers["validation"], data.spaces, bundle.decoders)
    shown = collect_views(bundle.tagger, data.dataset("test"), torch.device("cpu"), 100)
    again["alone"] = {
        view: score(shown[view].where(shown[view].showing(view)), data.spaces, Decoders(bundle.alone[view]))
        for view in ("image", "text")
    }
    assert set(written["validation"].pop("unknown")) == {"image+text", "image", "text"}
    assert close(again, {key: written[key] for key in again})
    assert written.keys() - again.keys() == {"seconds", "resumed"}
    assert bundle.decoder.taxonomy == taxonomy_of(from_yaml(trained / "config.yaml").data, data)


def test_tagging_answers_and_accepts_what_evaluation_counts(
    bundle: Bundle, data: PreparedData, answers: dict[str, Answers], trained: Path
) -> None:
    heads = {name: Threshold(0.9, 0.5 + 0.08 * i) for i, name in enumerate(bundle.spaces)}
    decided = decided_by(bundle, Thresholds(heads, Threshold(0.8, 0.1)))
    tagged = tag_test_items(decided, data, trained)
    decoded = decided.decoder(answers["test"].logits)
    scores = score(answers["test"], data.spaces, decided.decoders)
    for name, space in data.spaces.items():
        tags = [item.tags[name] for item in tagged]
        assert [tag.value for tag in tags] == [space.classes[i] for i in decoded.answers[name].tolist()]
        assert [tag.confidence for tag in tags] == pytest.approx(decoded.confidence[name].tolist(), abs=1e-4)
        labelled = (answers["test"].labels[name] >= 0).tolist()
        accepted = [tag.accepted for tag, known in zip(tags, labelled, strict=True) if known]
        assert sum(accepted) / len(accepted) == pytest.approx(scores["attributes"][name]["accepted"])
    assert 0 < scores["item"]["accepted"] < 1
    assert sum(item.accepted for item in tagged) / len(tagged) == pytest.approx(scores["item"]["accepted"])
