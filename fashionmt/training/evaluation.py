"""How good a tagger's answers are: what `metrics.json` holds."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from fashionmt.attributes import LabelSpace
from fashionmt.confidence import Thresholds
from fashionmt.decoding import Decoded, Decoders
from fashionmt.training.answers import Answers
from fashionmt.training.calibration import BINS, calibration_error
from fashionmt.training.metrics import TaggerMetrics
from fashionmt.training.outcomes import head_outcomes, item_outcomes


def score(answers: Answers, spaces: Mapping[str, LabelSpace], decoders: Decoders) -> dict[str, Any]:
    """`score_decoded` of these answers."""
    decoded = decoders(answers.logits, answers.views)
    return score_decoded(decoded, answers.labels, spaces, decoders.whole.thresholds)


def score_decoded(
    decoded: Decoded, labels: Mapping[str, Tensor], spaces: Mapping[str, LabelSpace], thresholds: Thresholds | None
) -> dict[str, Any]:
    """What `metrics.json` holds of N decoded answers, N at least 1.

    Per attribute accuracy, macro-F1, expected calibration error, classes and items; exact match; items. None for the
    figures of what has no label. With thresholds, per attribute and under `item`, as `Outcomes.accepting` gives it for
    that of whole items.

    Args:
        labels: attribute -> int64 (N,).
        thresholds: those by which answers were accepted, or most of them.
    """
    metrics = TaggerMetrics(spaces)
    metrics.update(decoded.answers, labels)
    found = metrics.compute()
    outcomes = head_outcomes(decoded, labels)
    attributes: dict[str, dict[str, Any]] = {
        name: {
            "accuracy": found.get(f"accuracy/{name}"),
            "macro_f1": found.get(f"macro_f1/{name}"),
            "ece": calibration_error(outcomes[name].confidence, outcomes[name].right),
            "classes": len(spaces[name]),
            "items": len(outcomes[name].right),
        }
        for name in spaces
    }
    whole = item_outcomes(decoded, labels)
    exact_match = found["exact_match"] if len(whole.right) else None
    scores: dict[str, Any] = {
        "attributes": attributes,
        "exact_match": exact_match,
        "ece_bins": BINS,
        "items": len(whole.labelled),
    }
    if thresholds is not None:
        for name, row in attributes.items():
            row |= outcomes[name].accepting(thresholds.heads[name])
        scores["item"] = whole.accepting(thresholds.item)
    return scores
