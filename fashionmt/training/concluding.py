"""What follows a training: answers added, temperatures and thresholds chosen on validation, test looked at once."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import torch
from torch import Tensor

import fashionmt
from fashionmt.bundle import Bundle
from fashionmt.config import TrainConfig
from fashionmt.data import ColumnMap
from fashionmt.data.prepare import PreparedData
from fashionmt.decoding import Decoder, Decoders
from fashionmt.model import Tagger
from fashionmt.training.answers import Answers, collect_answers, collect_views
from fashionmt.training.class_counts import class_counts
from fashionmt.training.decoders import fit_view
from fashionmt.training.evaluation import score
from fashionmt.training.linear_blend import blend_linear
from fashionmt.training.loading import taxonomy_of
from fashionmt.training.logit_adjustment import choose_shifts
from fashionmt.training.module import TaggerModule
from fashionmt.training.novelty import fit_novelty
from fashionmt.training.silent_titles import share_silent_titles
from fashionmt.training.similarity_head import learn_similarity


def evaluate(
    config: TrainConfig, data: PreparedData, module: TaggerModule, device: torch.device
) -> tuple[Bundle, dict[str, Answers]]:
    """The bundle (best weights; temperatures and thresholds from validation; metrics from both), and the answers of
    both parts."""
    batch_size = 4 * config.optim.batch_size
    add_answers(module.tagger, data, device, batch_size)
    held_out = collect_views(module.tagger, data.dataset("validation"), device, batch_size, embeddings=False)
    decoders = fit_decoders(config, data, held_out)
    novelty, found = None, dict[str, dict[str, float]]()
    if (share := config.thresholds.unknown_share) is not None:
        novelty, found = fit_novelty({view: said.where(said.showing(view)) for view, said in held_out.items()}, share)
    test = collect_views(module.tagger, data.dataset("test"), device, batch_size, embeddings=False)
    whole = {"validation": next(iter(held_out.values())), "test": next(iter(test.values()))}
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
        metrics=score(whole["test"], data.spaces, decoders)
        | {"alone": _score_alone(test, data, decoders)}
        | {"validation": score(whole["validation"], data.spaces, decoders) | {"unknown": found}},
        provenance=provenance(config, data),
        decoder=decoders.whole,
        alone=dict(decoders.alone),
        novelty=novelty,
        train_counts={name: counts.tolist() for name, counts in class_counts(data).items()},
        similarity=similarity,
    )
    return bundle, whole


def fit_decoders(config: TrainConfig, data: PreparedData, held_out: Mapping[str, Answers]) -> Decoders:
    """How answers are decoded and accepted, fitted by each view to the validation items that show it. `held_out`: what
    `collect_views` gave of them."""
    whole, *alone = held_out
    taxonomy = taxonomy_of(config.data, data)
    shifts = (
        choose_shifts(held_out[whole].logits, held_out[whole].labels, class_counts(data))
        if config.loss.post_hoc
        else {}
    )
    start = Decoder(shifts=shifts, taxonomy=taxonomy)
    targets = {name: attribute.target_accuracy for name, attribute in config.data.attributes.items()}
    groups = data.groups(config.data.split)[data.split.validation]

    def fit(view: str) -> Decoder:
        shows = held_out[view].showing(view)
        return fit_view(held_out[view].where(shows), groups[shows.numpy()], targets, config.thresholds, start)

    return Decoders(fit(whole), {view: fit(view) for view in alone})


def _score_alone(test: Mapping[str, Answers], data: PreparedData, decoders: Decoders) -> dict[str, Any]:
    """View -> `score` of the test items that have it, shown by it alone; nothing where none has."""
    shown = {view: test[view].where(test[view].showing(view)) for view in decoders.alone}
    return {view: score(own, data.spaces, Decoders(decoders.of(view))) for view, own in shown.items() if len(own)}


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


def add_answers(tagger: Tagger, data: PreparedData, device: torch.device, batch_size: int) -> None:
    """Add to the tagger what its config has added after training."""
    blend = tagger.config.wide is not None and tagger.config.wide.blend
    if not blend and tagger.silent_titles is None:
        return
    held_out = collect_answers(tagger, data.dataset("validation"), device, batch_size)
    logits: Mapping[str, Tensor] = held_out.logits
    if blend:
        logits = blend_linear(tagger, data, logits, held_out.labels)
    if tagger.silent_titles is not None:
        share_silent_titles(tagger, data, logits, device, batch_size)
