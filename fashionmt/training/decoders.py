"""How answers are decoded and from where on they are accepted, fitted to held-out items that show the same inputs."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from fashionmt.confidence import Thresholds
from fashionmt.config import ThresholdConfig
from fashionmt.decoding import Decoder
from fashionmt.training.answers import Answers
from fashionmt.training.calibration import fit_decoder
from fashionmt.training.thresholds import Groups, choose_thresholds


def fit_view(
    answers: Answers,
    groups: Groups,
    targets: Mapping[str, float | None],
    config: ThresholdConfig,
    start: Decoder,
    attributes: Collection[str] | None = None,
) -> Decoder:
    """The decoder of items that show what these do.

    Args:
        answers: to N held-out items, all by one view.
        groups: what each item was drawn with, (N,).
        targets: attribute -> the accuracy its accepted answers are to have; None for the config's.
        start: has the shifts and the taxonomy, and what stays as it is.
        attributes: those to fit, of the taxonomy's all or none, and where some are left no item is accepted as a whole;
            None: all.
    """
    decoder = fit_decoder(answers.logits, answers.labels, start, attributes)
    chosen = choose_thresholds(decoder(answers.logits), answers.labels, targets, config, groups)
    if attributes is None or set(attributes) >= chosen.heads.keys():
        return replace(decoder, thresholds=chosen)
    none = {name: replace(threshold, confidence=None) for name, threshold in chosen.heads.items()}
    kept = start.thresholds or Thresholds(none, chosen.item)
    heads = {name: chosen.heads[name] if name in attributes else threshold for name, threshold in kept.heads.items()}
    # An item's confidence is a product of all of its heads', and no longer the one that its threshold was chosen for.
    return replace(decoder, thresholds=Thresholds(heads, replace(kept.item, confidence=None)))
