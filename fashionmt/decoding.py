"""From the heads' logits to answers and confidences: one way, for evaluation in training and for tagging.

B items, C classes of an attribute, K combinations of the taxonomy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fashionmt.attributes import MISSING
from fashionmt.confidence import ConfidenceMaps, Threshold, Thresholds, inside
from fashionmt.taxonomy import Taxonomy

NEVER = -1e4
"""The log-probability of a class when another one is known to be right."""
NO_THRESHOLD = Threshold(1.0, None)


@dataclass(frozen=True)
class Decoded:
    """What a tagger answers and how sure it is; float64, in which confidences near 1 can still be ranked."""

    log_probabilities: dict[str, Tensor]
    """attribute -> (B, C)."""
    answers: dict[str, Tensor]
    """attribute -> int64 (B,), the class answered."""
    confidence: dict[str, Tensor]
    """attribute -> (B,), the probability of the class answered."""
    item_confidence: Tensor
    """(B,), the probability that all the answers are right."""
    accepted: dict[str, Tensor]
    """attribute -> bool (B,), which answers need no person's look."""
    item_accepted: Tensor
    """bool (B,), which items need none."""


@dataclass(frozen=True)
class Decoder:
    """Shifts, temperatures, the taxonomy, maps of confidences and thresholds, applied in this order.

    A head's probabilities are softmax((logits - shift) / temperature). The heads of the taxonomy are then read
    together: a combination's score is the sum of their log-probabilities, its probability softmax(scores / joint
    temperature) over the combinations. Each of these heads answers with its class in the best combination; the
    probability of a class is the sum over the combinations that hold it (as Valmadre 2022, arXiv:2210.10929, sums
    leaves upward). The heads see the same features, so their sum counts the same evidence more than once, which the
    joint temperature takes back.

    The confidence of the item is the probability of the best combination times the confidences of the other heads.
    Their product and not their least, which would rank an item with six doubtful answers beside one with one.

    At last each answer's confidence, and the item's, goes through its map, and the other classes of the head share
    what that leaves.
    """

    temperatures: Mapping[str, float] = field(default_factory=dict)
    """Attribute -> what its logits are divided by; 1 where it is not named."""
    shifts: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Attribute -> C numbers that are subtracted from its logits; nothing where it is not named."""
    taxonomy: Taxonomy | None = None
    joint_temperature: float = 1.0
    confidence_maps: ConfidenceMaps | None = None
    """None: confidences stay as they are."""
    thresholds: Thresholds | None = None
    """None: nothing is accepted."""

    def __call__(self, logits: Mapping[str, Tensor], given: Mapping[str, Tensor] | None = None) -> Decoded:
        """Answers and confidences. `logits`: attribute -> float (B, C), on the CPU.

        `given`: attribute -> int64 (B,), a class that is known already, or `MISSING`. It is the answer, and the other
        heads of the taxonomy answer as goes with it.
        """
        log_probabilities, answers, joint = self._answer(logits, given)
        chosen = {
            name: value.gather(1, answers[name].unsqueeze(1)).squeeze(1) for name, value in log_probabilities.items()
        }
        together = () if self.taxonomy is None else self.taxonomy.attributes
        item = torch.stack([*joint, *(chosen[name] for name in chosen if name not in together)]).sum(0).exp()
        confidence = {name: value.exp() for name, value in chosen.items()}
        if self.confidence_maps is not None:
            told = {name: self.confidence_maps.heads[name](value) for name, value in confidence.items()}
            log_probabilities = {
                name: _with_confidence(value, answers[name], confidence[name], told[name])
                for name, value in log_probabilities.items()
            }
            confidence, item = told, self.confidence_maps.item(item)
        thresholds = self.thresholds or Thresholds(dict.fromkeys(confidence, NO_THRESHOLD), NO_THRESHOLD)
        accepted = {name: thresholds.heads[name].accepts(value) for name, value in confidence.items()}
        return Decoded(log_probabilities, answers, confidence, item, accepted, thresholds.item.accepts(item))

    def _answer(
        self, logits: Mapping[str, Tensor], given: Mapping[str, Tensor] | None
    ) -> tuple[dict[str, Tensor], dict[str, Tensor], list[Tensor]]:
        """Log-probabilities and answers, attribute by attribute, and (B,) of the best combination, where there are
        any."""
        log_probabilities = self.heads(logits)
        if given is not None:
            log_probabilities = {name: _known(value, given.get(name)) for name, value in log_probabilities.items()}
        answers = {name: value.argmax(1) for name, value in log_probabilities.items()}
        if self.taxonomy is None:
            return log_probabilities, answers, []
        combinations = (joint_scores(log_probabilities, self.taxonomy) / self.joint_temperature).log_softmax(1)
        log_probability, best = combinations.max(1)
        for name, index in self.taxonomy.columns.items():
            # Classes that are given together may go together in no combination: each stays the answer.
            answers[name] = _given_or(given, name, index[best])
            log_probabilities[name] = _marginal(combinations, index, log_probabilities[name].shape[1])
        return log_probabilities, answers, [log_probability]

    def heads(self, logits: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Each head's own log-probabilities, before the taxonomy: attribute -> float64 (B, C)."""
        return {
            name: (self.shifted(name, value) / self.temperatures.get(name, 1.0)).log_softmax(1)
            for name, value in logits.items()
        }

    def shifted(self, name: str, logits: Tensor) -> Tensor:
        """A head's logits less its shift, float64 (B, C)."""
        logits = logits.double()
        return logits - logits.new_tensor(self.shifts[name]) if name in self.shifts else logits


@dataclass(frozen=True)
class Decoders:
    """Each item by the decoder of what it shows (`fashionmt.shown`): one that was fitted to items which show both their
    picture and their title is too sure of an item that shows one of them."""

    whole: Decoder
    """Of the items that show all that the tagger reads, and of those for which there is no other."""
    alone: Mapping[str, Decoder] = field(default_factory=dict)
    """By view."""

    def __call__(
        self, logits: Mapping[str, Tensor], views: Sequence[str], given: Mapping[str, Tensor] | None = None
    ) -> Decoded:
        """As a `Decoder` does. `views`: by `view_of`, what each of the B items shows."""
        places: dict[str, list[int]] = {}
        for row, view in enumerate(views):
            places.setdefault(view if view in self.alone else "", []).append(row)
        if len(places) < 2:
            return self.of(next(iter(places), ""))(logits, given)
        rows = {view: torch.tensor(those) for view, those in places.items()}
        parts = [
            self.of(view)(_rows(logits, those), None if given is None else _rows(given, those))
            for view, those in rows.items()
        ]
        return in_order(parts, torch.cat(list(rows.values())).argsort())

    def of(self, view: str) -> Decoder:
        """That of the items that show `view`."""
        return self.alone.get(view, self.whole)


def _rows(columns: Mapping[str, Tensor], rows: Tensor) -> dict[str, Tensor]:
    return {name: value[rows] for name, value in columns.items()}


def in_order(parts: Sequence[Decoded], order: Tensor) -> Decoded:
    """One of several, item by item. `order`: (B,), where each item is when the parts are put one after another."""

    def together(columns: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
        return {name: torch.cat([column[name] for column in columns])[order] for name in columns[0]}

    return Decoded(
        together([part.log_probabilities for part in parts]),
        together([part.answers for part in parts]),
        together([part.confidence for part in parts]),
        torch.cat([part.item_confidence for part in parts])[order],
        together([part.accepted for part in parts]),
        torch.cat([part.item_accepted for part in parts])[order],
    )


def _known(log_probabilities: Tensor, given: Tensor | None) -> Tensor:
    """(B, C) with all but nothing left to the classes beside the given one (B,), where one is given.

    Not minus infinity: of what goes together in no combination, the combination that holds most is still found.
    """
    if given is None:
        return log_probabilities
    there = given.unsqueeze(1) != MISSING
    sure = torch.full_like(log_probabilities, NEVER).scatter(1, given.clamp(min=0).unsqueeze(1), 0.0)
    return sure.where(there, log_probabilities)


def _given_or(given: Mapping[str, Tensor] | None, name: str, answers: Tensor) -> Tensor:
    known = None if given is None else given.get(name)
    return answers if known is None else known.where(known != MISSING, answers)


def _with_confidence(log_probabilities: Tensor, answers: Tensor, before: Tensor, after: Tensor) -> Tensor:
    """(B, C) with the answers' probabilities (B,) changed from `before` to `after`, and those of the other classes, by
    one factor, to sum to the rest."""
    rest = (-inside(after)).log1p() - (-inside(before)).log1p()
    return (log_probabilities + rest.unsqueeze(1)).scatter(1, answers.unsqueeze(1), after.log().unsqueeze(1))


def joint_scores(heads: Mapping[str, Tensor], taxonomy: Taxonomy) -> Tensor:
    """The sum of the heads' log-probabilities, attribute -> (B, C), over each combination: (B, K)."""
    return torch.stack([heads[name][:, index] for name, index in taxonomy.columns.items()]).sum(0)


def _marginal(joint: Tensor, index: Tensor, classes: int) -> Tensor:
    """log of the sum of exp(joint) over the combinations of each class: (B, K), (K,) -> (B, C).

    Less its largest term before exp, class by class: no class that stands in a combination gets the logarithm of 0.
    """
    largest = joint.new_full((len(joint), classes), -torch.inf)
    largest = largest.scatter_reduce(1, index.expand(len(joint), -1), joint, "amax")
    sums = torch.zeros_like(largest).index_add(1, index, (joint - largest[:, index]).exp())
    return (largest + sums.log()).clamp(max=0)  # rounding can sum to a little more than 1
