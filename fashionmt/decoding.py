"""From the heads' logits to answers and confidences: one way, for evaluation in training and for tagging.

B items, C classes of an attribute, K combinations of the taxonomy.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from fashionmt.attributes import MISSING
from fashionmt.taxonomy import Taxonomy

NEVER = -1e4
"""The log-probability of a class when another one is known to be right."""


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


@dataclass(frozen=True)
class ConfidenceMap:
    """A confidence c to sigmoid(a log c - b log(1 - c) + m), rising in c as neither a nor b is negative: beta
    calibration (Kull, Silva Filho and Flach 2017, "Beta calibration", AISTATS, PMLR 54). 1, 1, 0 leaves it as it is."""

    a: float
    b: float
    m: float

    def __call__(self, confidence: Tensor) -> Tensor:
        """float64 (B,) to (B,)."""
        sure = inside(confidence)
        return (self.a * sure.log() - self.b * (-sure).log1p() + self.m).sigmoid()


@dataclass(frozen=True)
class ConfidenceMaps:
    """Those of all the heads, and that of the item as a whole."""

    heads: Mapping[str, ConfidenceMap]
    """By attribute."""
    item: ConfidenceMap


@dataclass(frozen=True)
class Decoder:
    """Shifts, temperatures, the taxonomy and maps of confidences, applied in this order.

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

    def __call__(self, logits: Mapping[str, Tensor], given: Mapping[str, Tensor] | None = None) -> Decoded:
        """Answers and confidences. `logits`: attribute -> float (B, C), on the CPU.

        `given`: attribute -> int64 (B,), a class that is known already, or `MISSING`. It is the answer, and the other
        heads of the taxonomy answer as goes with it.
        """
        log_probabilities = self.heads(logits)
        if given is not None:
            log_probabilities = {name: _known(value, given.get(name)) for name, value in log_probabilities.items()}
        answers = {name: value.argmax(1) for name, value in log_probabilities.items()}
        joint: list[Tensor] = []
        together: tuple[str, ...] = ()
        if self.taxonomy is not None:
            combinations = (joint_scores(log_probabilities, self.taxonomy) / self.joint_temperature).log_softmax(1)
            log_probability, best = combinations.max(1)
            joint, together = [log_probability], self.taxonomy.attributes
            for name, index in self.taxonomy.columns.items():
                # Classes that are given together may go together in no combination: each stays the answer.
                answers[name] = _given_or(given, name, index[best])
                log_probabilities[name] = _marginal(combinations, index, log_probabilities[name].shape[1])
        chosen = {
            name: value.gather(1, answers[name].unsqueeze(1)).squeeze(1) for name, value in log_probabilities.items()
        }
        item = torch.stack([*joint, *(chosen[name] for name in chosen if name not in together)]).sum(0).exp()
        confidence = {name: value.exp() for name, value in chosen.items()}
        if self.confidence_maps is None:
            return Decoded(log_probabilities, answers, confidence, item)
        told = {name: self.confidence_maps.heads[name](value) for name, value in confidence.items()}
        log_probabilities = {
            name: _with_confidence(value, answers[name], confidence[name], told[name])
            for name, value in log_probabilities.items()
        }
        return Decoded(log_probabilities, answers, told, self.confidence_maps.item(item))

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


def inside(confidence: Tensor) -> Tensor:
    """Neither 0 nor 1, whose logarithms are infinite."""
    least = torch.finfo(torch.float64).eps
    return confidence.clamp(least, 1 - least)


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


@dataclass(frozen=True)
class Threshold:
    """From which confidence on an answer is accepted without a person's look."""

    target_accuracy: float
    """The share of accepted answers that is to be right."""
    confidence: float | None
    """None: no threshold was found to reach it, and nothing is accepted."""

    def accepts(self, confidence: Tensor) -> Tensor:
        """Float (B,) to bool (B,)."""
        return confidence >= (torch.inf if self.confidence is None else self.confidence)


@dataclass(frozen=True)
class Thresholds:
    """Those of all the heads, and that of the item as a whole."""

    heads: Mapping[str, Threshold]
    """By attribute."""
    item: Threshold
