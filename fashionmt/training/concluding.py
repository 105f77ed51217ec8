"""What follows a training: answers added, temperatures and thresholds chosen on validation, test looked at once."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import torch

import fashionmt
from fashionmt.bundle import Bundle
from fashionmt.config import TrainConfig
from fashionmt.data import ColumnMap
from fashionmt.data.prepare import PreparedData
from fashionmt.model import Tagger
from fashionmt.training.calibration import fit_decoder
from fashionmt.training.class_counts import class_counts
from fashionmt.training.evaluation import Answers, collect_answers, score
from fashionmt.training.linear_blend import blend_linear
from fashionmt.training.loading import taxonomy_of
from fashionmt.training.logit_adjustment import choose_shifts
from fashionmt.training.module import TaggerModule
from fashionmt.training.novelty import fit_novelty
from fashionmt.training.silent_titles import share_silent_titles
from fashionmt.training.similarity_head import learn_similarity
from fashionmt.training.thresholds import choose_thresholds


def evaluate(
    config: TrainConfig, data: PreparedData, module: TaggerModule, device: torch.device
) -> tuple[Bundle, dict[str, Answers]]:
    """The bundle (best weights; temperatures and thresholds from validation; metrics from both), and the answers of
    both parts."""
    batch_size = 4 * config.optim.batch_size
    held_out = _add_answers(module.tagger, data, device, batch_size)
    shifts = choose_shifts(held_out.logits, held_out.labels, class_counts(data)) if config.loss.post_hoc else {}
    decoder = fit_decoder(held_out.logits, held_out.labels, taxonomy_of(config.data, data), shifts)
    targets = {name: attribute.target_accuracy for name, attribute in config.data.attributes.items()}
    groups = data.groups(config.data.split)[data.split.validation]
    thresholds = choose_thresholds(decoder(held_out.logits), held_out.labels, targets, config.thresholds, groups)
    novelty, found = None, dict[str, dict[str, float]]()
    if (share := config.thresholds.unknown_share) is not None:
        novelty, found = fit_novelty(module.tagger, data.dataset("validation"), device, batch_size, share)
    test = collect_answers(module.tagger, data.dataset("test"), device, batch_size)
    similarity = None
    if config.similarity is not None:
        alike = config.data.alike
        similarity = learn_similarity(module.tagger, data, alike, config.similarity, config.seed, device, batch_size)
    tagger = module.tagger.cpu().eval()
    bundle = Bundle(
        config=tagger.config,
        build=lambda: tagger,
        titles=data.titles,
        tabular=data.tabular,
        spaces=data.spaces,
        preprocess=config.preprocess,
        columns=ColumnMap.of(config.data),
        temperatures=dict(decoder.temperatures),
        metrics=score(test, data.spaces, decoder, thresholds)
        | {"validation": score(held_out, data.spaces, decoder, thresholds), "unknown": found},
        provenance=provenance(config, data),
        taxonomy=decoder.taxonomy,
        joint_temperature=decoder.joint_temperature,
        confidence_maps=decoder.confidence_maps,
        shifts={name: list(values) for name, values in decoder.shifts.items()},
        thresholds=thresholds,
        novelty=novelty,
        train_counts={name: counts.tolist() for name, counts in class_counts(data).items()},
        similarity=similarity,
    )
    return bundle, {"validation": held_out, "test": test}


def provenance(config: TrainConfig, data: PreparedData) -> dict[str, Any]:
    """What was trained on, when, and with which versions: as a bundle, or a folder of towers, keeps it."""
    return {
        "data": config.data.name,
        "data_fingerprint": data.fingerprint,
        "split": f"{config.data.split.kind}, seed {config.data.split.seed}",
        "items": {name: len(rows) for name, rows in data.split.parts().items()},
        "seed": config.seed,
        "precision": config.trainer.precision,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "fashionmt": fashionmt.__version__,
        "torch": torch.__version__,
    }


def _add_answers(tagger: Tagger, data: PreparedData, device: torch.device, batch_size: int) -> Answers:
    """Add to the tagger what its config has added after training; what it says of the validation items then."""
    held_out = collect_answers(tagger, data.dataset("validation"), device, batch_size)
    if tagger.config.wide is not None and tagger.config.wide.blend:
        held_out = replace(held_out, logits=blend_linear(tagger, data, held_out.logits, held_out.labels))
    if tagger.silent_titles is not None:
        shared = share_silent_titles(tagger, data, held_out.logits, device, batch_size)
        held_out = replace(held_out, logits=shared)
    return held_out
