"""One calibration, from a bundle and a labelled catalogue to a new bundle."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fashionmt.bundle import Bundle, bundle_digest, read_bundle, save_bundle
from fashionmt.calibrate.fitting import FEWEST, Fitter, enough_labels, judged
from fashionmt.calibrate.labelled import Labelled, read_labelled
from fashionmt.calibrate.show import show_result
from fashionmt.config import CalibrateConfig, PredictConfig, ThresholdConfig
from fashionmt.decoding import Decoders
from fashionmt.errors import UserError, nearest
from fashionmt.inference.input_files import check_named
from fashionmt.inference.job import open_reader
from fashionmt.inference.run import chosen_bundle
from fashionmt.inference.show import tell
from fashionmt.novelty import Novelty
from fashionmt.training.evaluation import score_decoded
from fashionmt.training.novelty import fit_novelty


def calibrate_bundle(config: PredictConfig) -> dict[str, Any]:
    """Write a bundle like `config.bundle`, whose confidences and thresholds are those of `config.catalogue`, into the
    new folder `config.output`; returns the summary. Raises `UserError`, with nothing written."""
    output = _new_folder(config)
    check_named(config.catalogues(), config.images)
    folder = chosen_bundle(config)
    bundle = read_bundle(folder)
    targets = _targets(bundle, config.calibrate)
    reader = open_reader(replace(config, given=True), bundle)
    read, *_ = reader.columns.lines()
    labels = ", ".join(f"{name} = {column}" for name, column in reader.columns.given.items())
    tell(f"catalogue: {', '.join(config.catalogues())}", read, f"labels: {labels or 'none'}", f"bundle: {folder}")
    labelled = read_labelled(reader, bundle, config.batch_size, config.max_bad_fraction)
    fit = _fitter(bundle, labelled, targets, config.calibrate)
    made = _calibrated(bundle, fit, config)
    save_bundle(_told(made, config, bundle_digest(folder)), output)
    before = _score(bundle.decoders, labelled)
    show_result(labelled, fit.fitted, before, made.metrics)
    tell(f"bundle: {output}")
    account = labelled.account
    counts = {"rows": account.rows, "unread": account.unread.total(), "unlabelled": account.unlabelled}
    return {"bundle": str(output), "items": len(labelled), **counts, "before": before, "after": made.metrics}


def _new_folder(config: PredictConfig) -> Path:
    if config.catalogue is None:
        raise UserError("catalogue", "needs one with labels", "Name it: catalogue=<file> images=<folder>")
    if config.output is None:
        raise UserError("output", "is where the new bundle goes", "Set output=<new folder>")
    if Path(config.output).exists():
        raise UserError(f"output={config.output}", "is there already", "Name a new folder")
    if config.runtime != "torch":
        wrong = "the answers that are fitted to are torch's own"
        raise UserError(f"runtime={config.runtime}", wrong, "Leave it out, and export the new bundle")
    return Path(config.output)


def _targets(bundle: Bundle, config: CalibrateConfig) -> dict[str, float]:
    """Attribute -> the accuracy its accepted answers are to have: as asked, else what the bundle has."""
    for name in config.target_accuracy:
        if name not in bundle.spaces:
            repair = f"{nearest(name, bundle.spaces)}Use some of {', '.join(bundle.spaces)}"
            raise UserError(f"calibrate.target_accuracy.{name}", "no such attribute", repair)
    own = bundle.decoder.thresholds
    default = ThresholdConfig().target_accuracy
    kept = {name: default if own is None else own.heads[name].target_accuracy for name in bundle.spaces}
    return kept | config.target_accuracy


def _fitter(bundle: Bundle, labelled: Labelled, targets: Mapping[str, float], config: CalibrateConfig) -> Fitter:
    taxonomy = bundle.decoder.taxonomy
    fitted = enough_labels(labelled, () if taxonomy is None else taxonomy.attributes)
    if labelled.families < config.folds:
        wrong = (
            f"its labelled items are of {labelled.families} families, and there are to be {config.folds} folds of them"
        )
        raise UserError("catalogue", wrong, "Label other items, or lower calibrate.folds")
    if not any(fitted.values()):
        wrong = f"{len(labelled)} items have labels, and no attribute {FEWEST} that can be fitted"
        raise UserError("catalogue", wrong, "Label more of its items; those of the taxonomy need all its attributes")
    own = bundle.decoder.thresholds
    item = config.item_target_accuracy
    if item is None and own is not None:
        item = own.item.target_accuracy
    return Fitter(
        labelled,
        bundle.decoders,
        targets,
        ThresholdConfig(item_target_accuracy=item, delta=config.delta),
        fitted,
    )


def _calibrated(bundle: Bundle, fit: Fitter, config: PredictConfig) -> Bundle:
    """The bundle with what was fitted to all items, and what that is worth, measured by folds."""
    labelled = fit.labelled
    folds, by_view = judged(fit, config.calibrate.folds)
    decoders = fit.all()
    novelty, found = bundle.novelty, dict[str, dict[str, float]]()
    share = config.calibrate.unknown_share
    if share is not None and novelty is not None:
        limits, found = fit_novelty(labelled.by_view(), share)
        novelty = Novelty({**novelty.limits, **limits.limits})
    labels = labelled.whole.labels
    metrics = score_decoded(folds, labels, labelled.spaces, decoders.whole.thresholds) | {
        "alone": {
            view: score_decoded(
                decoded,
                {name: value[rows] for name, value in labels.items()},
                labelled.spaces,
                decoders.of(view).thresholds,
            )
            for view, (decoded, rows) in by_view.items()
        },
        "validation": {"unknown": found},
    }
    return replace(bundle, decoder=decoders.whole, alone=dict(decoders.alone), novelty=novelty, metrics=metrics)


def _score(decoders: Decoders, labelled: Labelled) -> dict[str, Any]:
    said = labelled.whole
    return score_decoded(decoders(said.logits, said.views), said.labels, labelled.spaces, decoders.whole.thresholds)


def _told(bundle: Bundle, config: PredictConfig, digest: str) -> Bundle:
    """With what it was calibrated on."""
    names = ", ".join(Path(name).name for name in config.catalogues())
    told = {
        "calibrated_on": f"{names}, {bundle.metrics['items']} items",
        "calibrated": datetime.now(UTC).isoformat(timespec="seconds"),
        "calibrated_from": digest,
    }
    measured = f"{names} ({config.calibrate.folds} folds)"
    return replace(bundle, metrics=bundle.metrics | {"measured_on": measured}, provenance=bundle.provenance | told)
