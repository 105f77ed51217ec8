"""How good a tagger's answers are: what `metrics.json` holds."""

from collections.abc import Mapping
from typing import Any

from fashionmt.attributes import LabelSpace
from fashionmt.decoding import Decoders
from fashionmt.training.answers import Answers
from fashionmt.training.calibration import BINS, calibration_error
from fashionmt.training.metrics import TaggerMetrics
from fashionmt.training.outcomes import head_outcomes, item_outcomes


def score(answers: Answers, spaces: Mapping[str, LabelSpace], decoders: Decoders) -> dict[str, Any]:
    """What `metrics.json` holds of the decoded answers.

    Per attribute accuracy, macro-F1, expected calibration error, classes and items; exact match; items. With
    thresholds, per attribute and under `item`, as `Outcomes.accepting` gives it for that of whole items.
    """
    decoded = decoders(answers.logits, answers.views)
    metrics = TaggerMetrics(spaces)
    metrics.update(decoded.answers, answers.labels)
    found = metrics.compute()
    outcomes = head_outcomes(decoded, answers.labels)
    attributes: dict[str, dict[str, Any]] = {
        name: {
            "accuracy": found[f"accuracy/{name}"],
            "macro_f1": found[f"macro_f1/{name}"],
            "ece": calibration_error(outcomes[name].confidence, outcomes[name].right),
            "classes": len(spaces[name]),
            "items": len(outcomes[name].right),
        }
        for name in spaces
    }
    scores = {"attributes": attributes, "exact_match": found["exact_match"], "ece_bins": BINS, "items": len(answers)}
    if (thresholds := decoders.whole.thresholds) is not None:
        for name, row in attributes.items():
            row |= outcomes[name].accepting(thresholds.heads[name])
        scores["item"] = item_outcomes(decoded, answers.labels).accepting(thresholds.item)
    return scores
