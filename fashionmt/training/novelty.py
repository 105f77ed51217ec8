"""From which energy on an item is called unknown: so that few known ones are, and what that finds of unknown ones.

The limit is what a stated share of the validation items exceeds. What it finds is measured by holding each class out in
its turn: the head with most classes loses that class, and so its own validation items are of a class that this head
does not have. The network has seen them in training all the same, and the other heads know what they are kinds of; a
class that is truly new may be found more often or less.

N items, C classes of an attribute.
"""

from collections.abc import Mapping

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from fashionmt.novelty import Novelty, energy
from fashionmt.training.answers import Answers

FEWEST = 100
"""Items below which no limit is set: their highest percent would be one item."""
LEAST_SPREAD = 1e-3
"""Of energies: heads that answer by probabilities have none, whatever the item."""


def fit_novelty(answers: Mapping[str, Answers], share: float) -> tuple[Novelty, dict[str, dict[str, float]]]:
    """The limits, from held-out items; and by view, as `measure` gives it, what they find.

    Args:
        answers: by view, what the tagger says of items that show it.
        share: of items like these, those that may be called unknown.
    """
    limits, found = {}, {}
    for view, own in answers.items():
        known = energy(own.logits)
        if len(known) < FEWEST or float(known.std()) < LEAST_SPREAD:
            continue
        limits[view] = float(known.quantile(1 - share, interpolation="higher"))
        found[view] = measure(own.logits, own.labels, limits[view])
    return Novelty(limits), found


def measure(logits: Mapping[str, Tensor], labels: Mapping[str, Tensor], limit: float) -> dict[str, float]:
    """`items`; the `share` of them that `limit` marks; of those whose class is held out, the share that it `found`, and
    the `auroc` between the two. `logits`: attribute -> float (N, C). `labels`: attribute -> int64 (N,)."""
    known = energy(logits)
    finest = max(logits, key=lambda name: logits[name].shape[1])
    own, classes = labels[finest], logits[finest].shape[1]
    rows = ((own >= 0) & (own < classes)).nonzero().squeeze(1)
    measured = {"items": len(known), "share": float((known > limit).double().mean())}
    if classes < 2 or not len(rows):
        return measured
    without = logits[finest][rows].float().scatter(1, own[rows].unsqueeze(1), -torch.inf)
    held_out = energy({name: without if name == finest else value[rows] for name, value in logits.items()})
    truth = np.repeat([0, 1], [len(known), len(held_out)])
    auroc = float(roc_auc_score(truth, torch.cat([known, held_out]).numpy()))
    return measured | {"found": float((held_out > limit).double().mean()), "auroc": auroc}
